"""What the tests with real peers share: starting them, asking them, the data they are given."""
import itertools
import json
import math
import os
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request

from lib import STALE, V1, check, equal, folder, free_port, skip, snappy, start, time_series, until

STEP_S = 15


def need(*programs):
    missing = [p for p in programs if not shutil.which(p)]
    if missing:
        skip("this needs " + ", ".join(missing))


def get(port, path, timeout=30):
    """(status, text); (0, reason) when nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=timeout) as r:
            return r.status, r.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode()
    except OSError as e:
        return 0, str(e)


def ask(port, path, **params):
    """The parsed answer of /api/v1/<path>."""
    status, text = get(port, f"/api/v1/{path}?" + urllib.parse.urlencode(params, doseq=True))
    check(text.startswith("{"), f"{path} {params}: {status} {text[:200]}")
    return json.loads(text)


def result(port, query, at):
    answer = ask(port, "query", query=query, time=at)
    equal(answer["status"], "success", f"{query}: {answer}")
    return answer["data"]["result"]


def samples(port, selector, begin_s, end_s):
    """{labels: [(ms, value text)]} of all raw samples after begin_s, up to end_s."""
    rows = result(port, f"{selector}[{math.ceil((end_s - begin_s) * 1000)}ms]", end_s)
    return {tuple(sorted(r["metric"].items())): [(round(float(t) * 1000), v) for t, v in r["values"]] for r in rows}


def signless(rows):
    """2.42 writes no protobuf field for -0, which readers take for 0."""
    return {k: [(t, "0" if v == "-0" else v) for t, v in s] for k, s in rows.items()}


def same_rows(got, want, text):
    """Two answers of samples(); a difference is named by its first samples."""
    equal(sorted(got), sorted(want), f"{text}: series")
    for k, s in want.items():
        equal([(a, b) for a, b in itertools.zip_longest(got[k], s) if a != b][:3], [], f"{text}: samples of {k} that differ")


class Peer:
    """A program that runs until the test ends; its output is in `log`."""

    def __init__(self, name, *argv, port=None, ready=None):
        self.port, self.folder = port or free_port(), folder()
        self.log = os.path.join(self.folder, "log")
        self.name = name
        with open(self.log, "wb") as log:
            self.process = start([a.format(port=self.port, folder=self.folder) for a in argv], stdout=log, stderr=log)
        if ready:
            until(f"{name} is ready:\n{self.tail()}", lambda: self.alive() and get(self.port, ready)[0] == 200)

    def tail(self):
        with open(self.log, errors="replace") as f:
            return f.read()[-2000:]

    def alive(self):
        check(self.process.poll() is None, f"{self.name} ended with {self.process.returncode}:\n{self.tail()}")
        return True

    def stop(self):
        self.process.terminate()
        equal(self.process.wait(timeout=30), 0, f"exit status of {self.name}:\n{self.tail()}")

    def get(self, path):
        return get(self.port, path)


def prometheus(config="global: {}", flags=()):
    d = folder()
    path = os.path.join(d, "prometheus.yml")
    with open(path, "w") as f:
        f.write(config)
    return Peer("prometheus", "prometheus", f"--config.file={path}", "--storage.tsdb.path={folder}/data",
                "--web.listen-address=127.0.0.1:{port}", "--web.enable-remote-write-receiver", "--log.level=warn", *flags,
                ready="/-/ready")


def run(*argv, text=None, status=0, seconds=60):
    """Standard output of a program that ends by itself."""
    p = subprocess.run(argv, input=text, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=seconds, check=False)
    equal(p.returncode, status, f"{' '.join(argv)}\n{p.stdout[-1500:]}\n{p.stderr[-1500:]}")
    return p.stdout


def data(end_s, count=200):
    """Series of several kinds with samples every STEP_S, the last at end_s."""
    times = [(end_s - (count - 1 - i) * STEP_S) * 1000 for i in range(count)]
    odd = [1.0, -0.0, 5e-324, 1.7976931348623157e308, float("inf"), -float("inf"), float("nan"), 0.1, 1e21, -1e-7, 123456789.125]
    rows = [({"__name__": "peer_requests_total", "code": c, "job": "peer"}, [(t, float(i * k)) for i, t in enumerate(times)])
            for k, c in ((3, "200"), (1, "500"))]
    rows += [({"__name__": "peer_gauge", "job": "peer", "text": 'a"b\\c\nd \u00e9 \u6f22'}, [(t, odd[i % len(odd)]) for i, t in enumerate(times)]),
             ({"__name__": "peer_gone", "job": "peer"}, [(t, STALE if i == count // 2 else 1.5) for i, t in enumerate(times[:count // 2 + 1])])]
    rows += [({"__name__": "peer_seconds_bucket", "job": "peer", "le": le}, [(t, float(i * k)) for i, t in enumerate(times)])
             for le, k in (("0.1", 1), ("1", 4), ("+Inf", 5))]
    return rows


def give(port, rows):
    """Remote write to any receiver."""
    body = snappy(b"".join(time_series(l, s) for l, s in rows))
    r = urllib.request.Request(f"http://127.0.0.1:{port}/api/v1/write", body, V1, method="POST")
    with urllib.request.urlopen(r, timeout=30) as answer:
        check(answer.status in (200, 204), f"write: {answer.status}")
