"""What the end-to-end tests share: starting servers, remote write without dependencies, queries.

Every test file is a program: `test_x.py VARVE`. It prints what it checks and exits 1 on the first
failed check. Servers listen on free ports of 127.0.0.1 and die with the test.
"""
import atexit
import ctypes
import http.client
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.parse

VARVE = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else "build/release/varve"
STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
_running, _folders, _begun = [], [], time.time()
_libc = ctypes.CDLL(None, use_errno=True)


def children(pid):
    """Process ids of the direct children of a process."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            return [int(c) for c in f.read().split()]
    except OSError:
        return []


def _kill_tree(pid):
    for c in children(pid):
        _kill_tree(c)
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def _cleanup():
    for p in _running:
        if p.poll() is None:
            _kill_tree(p.pid)
            p.wait()
    for d in reversed(_folders):
        if os.path.ismount(d):
            subprocess.run(["umount", "-l", d], check=False)
        if os.path.isdir(d):
            shutil.rmtree(d, ignore_errors=True)
        elif os.path.exists(d):
            os.unlink(d)


def _die_with_parent():
    _libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def private_mounts():
    """From here on, what this test mounts is seen by it alone and goes with it. False: not allowed."""
    if _libc.unshare(0x00020000) != 0:  # CLONE_NEWNS
        return False
    return subprocess.run(["mount", "--make-rprivate", "/"], check=False).returncode == 0


atexit.register(_cleanup)


def check(condition, text):
    """One assertion of a test."""
    if not condition:
        print("FAILED:", text, flush=True)
        sys.exit(1)


def equal(got, want, text):
    check(got == want, f"{text}: got {got!r}, want {want!r}")


def skip(text):
    """End the test as skipped (ctest: SKIP_RETURN_CODE): it has proved nothing."""
    print("SKIPPED:", text, flush=True)
    sys.exit(77)


def step(text):
    print(f"- [{time.time() - _begun:4.1f} s] {text}", flush=True)


def until(text, probe, seconds=20, period=0.02):
    """Ask until the probe gives a true value, and return it; a failed check when it never does."""
    deadline = time.time() + seconds
    while True:
        value = probe()
        if value:
            return value
        check(time.time() < deadline, f"not within {seconds} s: {text}")
        time.sleep(period)


def folder():
    d = tempfile.mkdtemp(prefix="varve-e2e-")
    _folders.append(d)
    return d


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start(argv, **kwargs):
    """A child process that ends with the test."""
    p = subprocess.Popen(argv, preexec_fn=_die_with_parent, **kwargs)
    _running.append(p)
    return p


class Server:
    """A varve process on a data folder."""

    def __init__(self, data=None, flags=(), wrapper=(), wait=True, port=None, log_path=None, admin=True):
        self.data = data or folder()
        self.wrapped = bool(wrapper)
        self.port = port or free_port()
        self.log_path = log_path or self.data.rstrip("/") + ".log"
        _folders.append(self.log_path)
        self.argv = [*wrapper, VARVE, "serve", f"--storage.tsdb.path={self.data}",
                     f"--web.listen-address=127.0.0.1:{self.port}",
                     *(["--web.enable-admin-api", "--web.enable-lifecycle"] if admin else []), *flags]
        if not any("retention.time" in f for f in flags):
            self.argv.append("--storage.tsdb.retention.time=0s")
        with open(self.log_path, "ab") as log:
            self.process = start(self.argv, stdout=log, stderr=log)
        if wait:
            self.wait_ready()

    def wait_ready(self, seconds=60):
        deadline = time.time() + seconds
        while time.time() < deadline:
            if self.process.poll() is not None:
                check(False, f"server ended with {self.process.returncode}:\n{self.log()}")
            try:
                if self.request("GET", "/-/ready")[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.02)
        check(False, f"server not ready after {seconds} s:\n{self.log()}")

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()[-4000:]

    def request(self, method, path, body=None, headers=None, timeout=60):
        """(status, headers, body bytes)"""
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            c.request(method, path, body=body, headers=headers or {})
            r = c.getresponse()
            return r.status, {k.lower(): v for k, v in r.getheaders()}, r.read()
        finally:
            c.close()

    def api(self, path, method="GET", **params):
        """(status, parsed JSON or None for a text); parameters in the URL, lists repeat."""
        pairs = [(k, x) for k, v in params.items() for x in (v if isinstance(v, list) else [v])]
        url = "/api/v1/" + path + ("?" + urllib.parse.urlencode(pairs) if pairs else "")
        status, headers, body = self.request(method, url)
        return status, json.loads(body) if headers.get("content-type") == "application/json" and body else None

    def query(self, query, time_s):
        status, answer = self.api("query", query=query, time=time_s)
        check(status == 200, f"{query}: {status} {answer}")
        return answer["data"]["result"]

    def count(self, selector, time_s, range_text="30d"):
        """Samples of all matching series up to time_s."""
        r = self.query(f"sum(count_over_time({selector}[{range_text}]))", time_s)
        return int(r[0]["value"][1]) if r else 0

    def write(self, series, **kwargs):
        return write(self, series, **kwargs)

    def pid(self):
        """Of varve itself, also when it runs under strace; None when it has ended."""
        if self.process.poll() is not None:
            return None
        inner = children(self.process.pid) if self.wrapped else []
        return inner[0] if inner else self.process.pid

    def send_signal(self, sig):
        pid = self.pid()
        if pid is not None:
            os.kill(pid, sig)

    def stop(self, sig=signal.SIGTERM, seconds=60):
        """Returns the exit status."""
        self.send_signal(sig)
        try:
            return self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            check(False, f"server did not end within {seconds} s:\n{self.log()}")

    def kill(self):
        return self.stop(signal.SIGKILL)


# ---- Remote write ----

def varint(n):
    n &= (1 << 64) - 1
    out = b""
    while n >= 0x80:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def zigzag(n):
    return varint((n << 1) ^ (n >> 63))


def field(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def f64(number, v):
    return varint(number << 3 | 1) + (v if isinstance(v, bytes) else struct.pack("<d", v))


def integer(number, v):
    return varint(number << 3) + varint(v)


def snappy(data):
    """The snappy block format with literals only: valid, not small."""
    out = varint(len(data))
    for i in range(0, len(data), 65536):
        piece = data[i:i + 65536]
        out += bytes([61 << 2]) + struct.pack("<H", len(piece) - 1) + piece
    return out


def label(name, value):
    as_bytes = lambda s: s if isinstance(s, bytes) else s.encode()
    return field(1, field(1, as_bytes(name)) + field(2, as_bytes(value)))


def sample(value, ts_ms):
    return field(2, f64(1, value) + integer(2, ts_ms))


def time_series(labels, samples, extra=b""):
    items = sorted(labels.items()) if isinstance(labels, dict) else labels
    return field(1, b"".join(label(n, v) for n, v in items) +
                 b"".join(sample(v, t) for t, v in samples) + extra)


V1 = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy",
      "X-Prometheus-Remote-Write-Version": "0.1.0"}
V2 = {"Content-Type": "application/x-protobuf;proto=io.prometheus.write.v2.Request",
      "Content-Encoding": "snappy", "X-Prometheus-Remote-Write-Version": "2.0.0"}


def post_write(server, message, headers=None, compress=True, path="/api/v1/write"):
    return server.request("POST", path, snappy(message) if compress else message, headers or V1)


def write(server, series, expect=204):
    """series: [(labels, [(ts_ms, value), ...]), ...] as remote write 1.0."""
    status, _, body = post_write(server, b"".join(time_series(l, s) for l, s in series))
    check(expect is None or status == expect, f"write: {status} {body!r}, want {expect}")
    return status, body.decode()


def v2_request(symbols, series):
    """symbols: list of str; series: encoded TimeSeries messages."""
    return b"".join(field(4, s.encode()) for s in symbols) + b"".join(field(5, s) for s in series)


def v2_series(refs, samples=(), extra=b""):
    out = field(1, b"".join(varint(r) for r in refs))
    for ts, v, *start in samples:
        out += field(2, f64(1, v) + integer(2, ts) + (integer(3, start[0]) if start else b""))
    return out + extra
