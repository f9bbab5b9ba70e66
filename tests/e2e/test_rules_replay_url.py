"""varve rules replay --url: rules over the past through a server's API. Debian's Prometheus and Varve as the source, a
data directory or a running server as the place of the results: the same samples as a replay on the data itself and, of
recording rules, as `promtool tsdb create-blocks-from rules`."""
import http.server
import math
import os
import shutil
import signal
import subprocess
import threading
import time

from lib import VARVE, Server, check, equal, folder, free_port, start, step, until, write
from peers import get

NOW = int(time.time())
END = NOW - NOW % 3600 - 3 * 3600
START = END - 2 * 3600
d = folder()
RULES = """groups:
- name: shop
  interval: 1m
  rules:
  - {record: 'shop:rate5m', expr: 'sum by (job) (rate(requests_total[5m]))', labels: {kind: made, gone: ''}}
  - {record: 'shop:late', expr: 'requests_total > 500'}
  - {record: 'shop:up', expr: 'scalar(count(requests_total))'}
  - {record: 'shop:start', expr: 'count(requests_total @ start())'}
"""
CHAIN = """  - {record: 'shop:double', expr: '2 * shop:rate5m'}
  - {alert: Busy, expr: 'shop:rate5m > 15', for: 10m, labels: {job: '{{ $labels.job }}!'}}
- name: slow
  interval: 5m
  rules:
  - {record: 'shop:avg1h', expr: 'avg_over_time(shop:double[1h])'}
  - {record: 'shop:bad', expr: 'requests_total * on () group_left () requests_total'}
"""


def put(name, text):
    with open(os.path.join(d, name), "w") as f:
        f.write(text)
    return os.path.join(d, name)


plain, chain = put("plain.yml", RULES), put("chain.yml", RULES + CHAIN)
rows = {f"i{i}": [] for i in range(6)}
for n, (name, samples) in enumerate(rows.items()):
    value = 0.0
    for t in range(START - 600, END + 1, 15):
        if n != 5 or t < START + 3600:  # one of them ends
            samples.append((t * 1000, value))
        value += 60.5 if START + 2400 <= t < START + 4800 else 3.25 * n
SERIES = [({"__name__": "requests_total", "job": "shop", "instance": k}, v) for k, v in rows.items()]


def replay(rules, *more, code=0, begin=START, end=END):
    p = subprocess.run([VARVE, "rules", "replay", f"--rules={rules}", f"--start={begin}", f"--end={end}", *more],
                       capture_output=True, text=True, timeout=120, cwd=d)
    equal(p.returncode, code, f"{more}: {p.stdout} {p.stderr}")
    return p


NAMES = ("shop:rate5m", "shop:late", "shop:up", "shop:start", "shop:double", "shop:avg1h", "ALERTS", "ALERTS_FOR_STATE")


def made(server, names=NAMES):
    """{labels: [(time, value)]}, stale markers by where a series is gone."""
    out = {}
    for name in names:
        for r in server.query(f"{name}[3h]", END + 1):
            out[tuple(sorted(r["metric"].items()))] = r["values"]
    return out


def gone(server):
    """When shop:late of the instance that ends is no longer there, by 30 s."""
    at = START + 3600
    while server.query('shop:late{instance="i5"}', at):
        at += 30
    return at


def same(got, want, text):
    equal(sorted(got), sorted(want), f"{text}: series")
    for k, samples in want.items():
        equal([t for t, _ in got[k]], [t for t, _ in samples], f"{text}: times of {k}")
        for (t, a), (_, b) in zip(got[k], samples):
            check(math.isclose(float(a), float(b), rel_tol=1e-12), f"{text}: {k} at {t}: {a}, not {b}")


# ---- What a replay on the data itself gives ----
source = Server(data=d + "/source")
write(source, SERIES)
source.stop()


def on_data(rules, code=0):
    """What the rules make of a copy of the source; its times depend on the name of the file."""
    data = d + "/local-" + os.path.basename(rules)
    shutil.copytree(d + "/source", data)
    replay(rules, f"--storage.tsdb.path={data}", code=code)
    server = Server(data=data)
    out = made(server), gone(server)
    server.stop()
    return out


want, want_gone = on_data(chain, code=1)
apart_want, apart_gone = on_data(plain)
check(len(want) == 14 and len(apart_want) >= 9, f"there is much to compare: {sorted(want)}")
check(START + 3600 < want_gone < START + 3600 + 400, "the series that ended is stale")
step("on the data directory")

# ---- Asked of Varve, sent to the same server ----
source = Server(data=d + "/source")
url = f"http://127.0.0.1:{source.port}"
done = replay(chain, f"--url={url}/", f"--write-url={url}/api/v1/write", code=1)
check("shop:bad" in done.stderr and "many-to-many" in done.stderr and "refused," not in done.stderr, done.stderr)
same(made(source), want, "through a running server")
equal(gone(source), want_gone, "the end of a series")
done = replay(chain, f"--url={url}", f"--write-url={url}/api/v1/write", end=START + 1200, code=1)
check("many-to-many" in done.stderr and "refused," not in done.stderr, done.stderr)
same(made(source), want, "a part of it once more")
step("a running server: what rules write is read by others")

# ---- Asked of Varve, into a data directory of its own ----
done = replay(plain, f"--url={url}", f"--storage.tsdb.path={d}/apart")
requests = int(done.stdout.splitlines()[-1].split()[0])
check(requests < 160, f"{requests} requests: not ahead")  # 121 of them are for @ start()
apart = Server(data=d + "/apart")
same(made(apart), apart_want, "into another directory")
equal(gone(apart), apart_gone, "the end of a series there")
apart.stop()
step(f"a directory of its own: {requests} requests")

p = subprocess.Popen([VARVE, "rules", "replay", f"--rules={plain}", f"--start={START}", f"--end={END}", f"--url={url}",
                      f"--storage.tsdb.path={d}/halves"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
time.sleep(0.3)
p.send_signal(signal.SIGINT)
out, err = p.communicate(timeout=60)
check(p.returncode in (0, -signal.SIGINT) or p.returncode == 1 and "goes on from there" in err, f"{p.returncode} {out} {err}")
replay(plain, f"--url={url}", f"--storage.tsdb.path={d}/halves")
halves = Server(data=d + "/halves")
same(made(halves), apart_want, "in two parts")
halves.stop()
step(f"interrupted ({p.returncode}), it goes on")

# ---- Asked of Prometheus ----
if shutil.which("prometheus") and shutil.which("promtool"):
    om = put("in.om", "# TYPE requests_total unknown\n" + "".join(
        f'requests_total{{job="shop",instance="{k}"}} {v!r} {t // 1000}\n' for k, s in rows.items() for t, v in s) + "# EOF\n")
    subprocess.run(["promtool", "tsdb", "create-blocks-from", "openmetrics", om, d + "/theirs"], check=True, capture_output=True, timeout=60)
    put("prometheus.yml", "global: {}\n")
    port = free_port()
    log = open(d + "/prometheus.log", "wb")
    start(["prometheus", f"--config.file={d}/prometheus.yml", f"--storage.tsdb.path={d}/theirs", "--storage.tsdb.retention.time=10y",
           f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
    until("prometheus is ready", lambda: get(port, "/-/ready")[0] == 200)
    replay(plain, f"--url=http://127.0.0.1:{port}", f"--storage.tsdb.path={d}/prom")
    from_prom = Server(data=d + "/prom")
    got = made(from_prom)
    equal(sorted(got), sorted(apart_want), "series out of Prometheus")
    for k in apart_want:  # 2.42 counts the sample at the very begin of a range, so rates differ a little
        ours, theirs = dict(map(tuple, apart_want[k])), dict(map(tuple, got[k]))
        equal({t: theirs.get(t) for t in ours} if "shop:rate5m" not in str(k) else ours, ours, f"values of {k}")
        check(len(theirs) - len(ours) <= 1, f"times of {k}")
    subprocess.run(["promtool", "tsdb", "create-blocks-from", "rules", f"--url=http://127.0.0.1:{port}", f"--start={START}", f"--end={END}",
                    "--eval-interval=1m", f"--output-dir={d}/blocks", plain], check=True, capture_output=True, timeout=120)
    os.makedirs(d + "/blocks/wal", exist_ok=True)  # without it promtool's dump refuses
    dump = subprocess.run(["promtool", "tsdb", "dump", d + "/blocks"], capture_output=True, text=True, timeout=60).stdout
    theirs = {}
    for line in dump.splitlines():
        labels, value, ts = line.rsplit(" ", 2)
        theirs.setdefault(labels, {})[int(ts)] = float(value)
    check(len(theirs) >= 9, "promtool made series")
    rate = next(k for k in theirs if "shop:rate5m" in k)
    check('kind="made"' in rate and "gone" not in rate, rate)
    ours = {round(float(t) * 1000): float(v) for t, v in next(v for k, v in got.items() if "shop:rate5m" in str(k))}
    near = [(t, v, ours[min(ours, key=lambda o: abs(o - t))]) for t, v in theirs[rate].items() if START + 600 < t / 1000 < END - 600]
    off = sum(abs(a - b) for _, a, b in near) / max(len(near), 1)
    check(len(near) > 90 and off < 0.5, f"rates as promtool makes them: {len(near)}, off by {off}: {near[:5]} {near[50:55]}")
    from_prom.stop()
    step("Prometheus as the source")

# ---- What goes wrong ----
done = replay(plain, "--url=http://127.0.0.1:1", f"--storage.tsdb.path={d}/none", code=1)
check("error:" in done.stderr and "onnect" in done.stderr and done.stderr.count("rule: ") <= 10, done.stderr)
done = replay(plain, f"--url={url}/nowhere", f"--storage.tsdb.path={d}/none2", code=1)
check("404" in done.stderr, done.stderr)
done = replay(plain, f"--write-url={url}/api/v1/write", code=1)
check("--write-url and --http.config.file are for --url" in done.stderr, done.stderr)


tokens = set()


class Odd(http.server.BaseHTTPRequestHandler):
    answer = b""

    def do_POST(self):
        tokens.add(self.headers["Authorization"])
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.answer)))
        self.end_headers()
        self.wfile.write(self.answer)

    def log_message(self, *args):
        pass


odd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Odd)
threading.Thread(target=odd.serve_forever, daemon=True).start()
for n, (answer, words) in enumerate((
        (b"<html>", "the answer is not that of Prometheus' API"), (b"{}", "rule result is not a vector or scalar"),
        (b'{"data":{"resultType":"vector","result":[{"metric":{},"value":["x","1"]}]}}', "the answer is not that"),
        (b'{"data":{"resultType":"vector","result":[{"metric":{},"value":[1e300,"1"]}]}}', "the answer is not that"),
        (b'{"data":{"resultType":"vector","result":[{"metric":{},"histogram":[1,{}]}]}}', "native histograms"))):
    Odd.answer = answer
    done = replay(plain, f"--url=http://127.0.0.1:{odd.server_port}", f"--storage.tsdb.path={d}/odd{n}", begin=END - 60, code=1)
    check(words in done.stderr, f"{answer}: {done.stderr[:600]}")
token = put("http.yml", "authorization: {credentials: sesame}\n")
tokens.clear()
replay(plain, f"--url=http://127.0.0.1:{odd.server_port}", f"--http.config.file={token}", f"--storage.tsdb.path={d}/odd", begin=END - 60, code=1)
equal(tokens, {"Bearer sesame"}, "credentials")
done = replay(plain, "--url=http://127.0.0.1:1", "--http.config.file=nothere.yml", f"--storage.tsdb.path={d}/odd", code=1)
check("nothere.yml" in done.stderr, done.stderr)
equal(source.stop(), 0, "exit status")
step("servers that are not there, and answers that are none")
