"""Remote read: both answer types against what was written and, byte for byte, against Prometheus.

The same samples are remote-written to Varve and to Debian's Prometheus; both are then read as
SAMPLES and as STREAMED_XOR_CHUNKS. At last a Prometheus reads through Varve.
"""
import http.client
import json
import os
import shutil
import struct
import sys
import time
import urllib.parse
import urllib.request

from lib import (STALE, V1, Server, check, equal, f64, field, folder, free_port, integer, post_write, snappy, start, step,
                 time_series, until, varint, write, zigzag)
from read_lib import fields, labels_of, post, read_samples, read_varint, request

T0 = int(time.time()) // 7200 * 7200 * 1000 - 7200_000 + 600_000  # all within two hours: one block range


# ---- Wire ----

def crc32c(data):
    c = 0xFFFFFFFF
    for b in data:
        c ^= b
        for _ in range(8):
            c = (c >> 1) ^ (0x82F63B78 if c & 1 else 0)
    return c ^ 0xFFFFFFFF


def read_chunks(port, *args, **kwargs):
    """[(query index, labels, [(min, max, type, data)])], one for each frame"""
    status, headers, body = post(port, request(*args, **kwargs, types=[1]))
    equal(status, 200, f"chunks {body[:200]}")
    equal(headers["content-type"], "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse", "type")
    out, i = [], 0
    while i < len(body):
        n, i = read_varint(body, i)
        crc, i = struct.unpack(">I", body[i:i + 4])[0], i + 4
        message, i = body[i:i + n], i + n
        equal(len(message), n, "frame is whole")
        equal(crc32c(message), crc, "checksum")
        index, labels, chunks = 0, [], []
        for k, v in fields(message):
            if k == 2:
                index = v
                continue
            for k2, v2 in fields(v):
                if k2 == 1:
                    labels.append(labels_of(v2))
                else:
                    d = dict(fields(v2))
                    chunks.append((d.get(1, 0), d.get(2, 0), d[3], d[4]))
        out.append((index, tuple(labels), chunks))
    return out


# ---- XOR chunks ----

class Bits:
    def __init__(self, data):
        self.v, self.left = int.from_bytes(data, "big"), len(data) * 8

    def get(self, n):
        self.left -= n
        return self.v >> self.left & ((1 << n) - 1)

    def varint(self):
        v = shift = 0
        while True:
            b = self.get(8)
            v |= (b & 0x7F) << shift
            shift += 7
            if b < 0x80:
                return v


def decode_xor(data):
    b = Bits(data)
    n = b.get(16)
    t = b.varint()
    t = (t >> 1) ^ -(t & 1)
    v, out, delta, leading, trailing = b.get(64), [], 0, 0, 0
    out.append((t, struct.pack("<Q", v)))
    for k in range(1, n):
        if k == 1:
            delta = b.varint()
        else:
            size = 0
            for size in (0, 14, 17, 20, 64):
                if size == 64 or b.get(1) == 0:
                    break
            if size:
                dod = b.get(size)
                delta += dod - (1 << size) if dod > 1 << (size - 1) else dod
        t += delta
        if b.get(1):
            if b.get(1):
                leading, significant = b.get(5), b.get(6) or 64
                trailing = 64 - leading - significant
            v ^= b.get(64 - leading - trailing) << trailing
        out.append((t, struct.pack("<Q", v)))
    return out


# ---- Native histograms for remote write ----

def span(offset, length):
    return field(1, b"") and varint(1 << 3) + zigzag(offset) + integer(2, length)


def histogram(ts_ms, count, total, spans, deltas, zero=0, hint=0, negative=None, counts=None):
    """Field 4 of a TimeSeries; `counts` makes it one of floats."""
    h = f64(2, float(count)) if counts else integer(1, count)
    h += f64(3, total) + varint(4 << 3) + zigzag(1) + f64(5, 2.0 ** -128)
    h += f64(7, float(zero)) if counts else integer(6, zero)
    for s in (negative or ([], []))[0]:
        h += field(8, span(*s))
    if negative:
        h += field(9, b"".join(zigzag(d) for d in negative[1]))
    for s in spans:
        h += field(11, span(*s))
    if counts:
        h += field(13, b"".join(struct.pack("<d", c) for c in counts))
    else:
        h += field(12, b"".join(zigzag(d) for d in deltas))
    return field(4, h + (integer(14, hint) if hint else b"") + integer(15, ts_ms))


# ---- Data: at most 25 samples of a series, which Prometheus keeps in one chunk ----

NAN = struct.pack("<Q", 0x7FF8000000000001)
VALUES = [1.0, 1.0, 2.5, -0.0, 0.0, 1e300, 5e-324, float("inf"), -float("inf"), NAN, STALE, 0.1, 0.2, 3, 3, 1e9, 7.25, 8, 9, 10]
FLOATS = [({"__name__": "read_special"}, [(T0 + i * 15000 + (i * i * 977 % 5000 if i % 4 == 0 else 0), v) for i, v in enumerate(VALUES)])]
FLOATS += [({"__name__": "read_counter", "job": f"j{k:02}", "z": "ä"}, [(T0 + i * 1000, float(i * (k + 1))) for i in range(25)])
           for k in range(12)]


def histogram_series(name, items):
    return field(1, b"".join(field(1, field(1, n.encode()) + field(2, v.encode())) for n, v in [("__name__", name)]) + b"".join(items))


HISTOGRAMS = {
    # counts grow, a bucket joins, then a reset
    "read_h_counter": [histogram(T0 + i * 15000, 3 * i + 6, 1.5 * i, [(0, 2)], [i + 1, 1], zero=i + 3) for i in range(8)] +
                      [histogram(T0 + i * 15000, 4 * i + 20, 1.5 * i, [(0, 2), (1, 1)], [i + 2, 1, i], zero=i + 15 - 0) for i in range(8, 12)] +
                      [histogram(T0 + i * 15000, 3, 0.25, [(0, 2)], [1, 0], zero=1) for i in range(12, 14)],
    "read_h_gauge": [histogram(T0 + i * 15000, 4 + i % 3, 0.5 * i, [(0, 1), (2, 1)], [1 + i % 3, 1 - i % 3], zero=0, hint=3,
                               negative=([(0, 1)], [2 - 0])) for i in range(10)],
    "read_h_float": [histogram(T0 + i * 15000, 2.5 * (i + 1), 0.5 * i, [(-1, 2)], None, zero=0.5 * (i + 1), counts=[i + 1.0, i + 1.0])
                     for i in range(10)],
}


def fix_counts():
    """Each count is the sum of its buckets, as receivers check."""
    for i in range(8):
        HISTOGRAMS["read_h_counter"][i] = histogram(T0 + i * 15000, (i + 1) + (i + 2) + (i + 3), 1.5 * i, [(0, 2)], [i + 1, 1], zero=i + 3)
    for i in range(8, 12):
        HISTOGRAMS["read_h_counter"][i] = histogram(T0 + i * 15000, (i + 2) + (i + 3) + (2 * i + 3) + i + 15, 1.5 * i,
                                                    [(0, 2), (1, 1)], [i + 2, 1, i], zero=i + 15)
    for i in range(10):
        HISTOGRAMS["read_h_gauge"][i] = histogram(T0 + i * 15000, (1 + i % 3) + 2 + 2, 0.5 * i, [(0, 1), (2, 1)], [1 + i % 3, 1 - i % 3],
                                                  hint=3, negative=([(0, 1)], [2]))


fix_counts()
ALL = [(2, "__name__", "read_.+")]
varve = Server()
write(varve, FLOATS)
message = b"".join(histogram_series(n, items) for n, items in HISTOGRAMS.items())
status, _, body = post_write(varve, message)
equal(status, 204, f"histograms {body}")

step("floats come back bit for bit, sorted, in both types")
as_bytes = lambda v: v if isinstance(v, bytes) else struct.pack("<d", v)
want = sorted((tuple(sorted(l.items())), [(t, struct.pack("<Q", 0x7FF0000000000002) if v is STALE else as_bytes(v)) for t, v in s])
              for l, s in FLOATS)
only_floats = [(2, "__name__", "read_(special|counter)")]
got = read_samples(varve.port, only_floats, T0, T0 + 3600_000)
equal([(l, s) for l, s, h in got], want, "samples")
got = read_chunks(varve.port, only_floats, T0, T0 + 3600_000)
equal([(l, [p for c in cs for p in decode_xor(c[3])]) for _, l, cs in got], want, "chunks")
check(all(c[0] == decode_xor(c[3])[0][0] and c[1] == decode_xor(c[3])[-1][0] for _, _, cs in got for c in cs), "chunk times")

step("native histograms as samples")
for name, items in HISTOGRAMS.items():
    got = read_samples(varve.port, [(0, "__name__", name)], T0, T0 + 3600_000)
    equal(len(got), 1, name)
    times = [dict(fields(h))[15] for h in got[0][2]]
    equal(times, [dict(fields(dict(fields(x))[4]))[15] for x in items], f"{name}: times")
    sums = [dict(fields(h)).get(3, bytes(8)) for h in got[0][2]]
    equal(sums, [dict(fields(dict(fields(x))[4]))[3] for x in items], f"{name}: sums")

step("ranges, matchers, hints, several queries")
got = read_samples(varve.port, [(0, "__name__", "read_counter"), (0, "job", "j03")], T0 + 2000, T0 + 4000)
equal([t - T0 for t, _ in got[0][1]], [2000, 3000, 4000], "range")
equal(len(read_samples(varve.port, [(0, "__name__", "read_counter"), (1, "job", "j03")], T0, T0 + 4000)), 11, "not equal")
equal(len(read_samples(varve.port, [(0, "__name__", "read_counter"), (3, "job", "j0.")], T0, T0 + 4000)), 2, "not regex")
got = read_samples(varve.port, [(0, "__name__", "read_counter")], T0, T0 + 9000, hints=integer(3, T0 + 5000) + integer(4, T0 + 6000))
equal([len(s) for _, s, _ in got], [2] * 12, "hints narrow")
got = read_samples(varve.port, [(0, "__name__", "read_counter")], T0, T0 + 9000, hints=field(2, b"series"))
equal([len(s) for _, s, _ in got], [0] * 12, "series alone")
second = integer(1, T0) + integer(2, T0 + 1000) + field(3, field(2, b"job") + field(3, b"j05"))
got = read_chunks(varve.port, [(0, "__name__", "read_special")], T0, T0 + 1000, index_extra=[second])
equal([(i, dict(l)["__name__"]) for i, l, _ in got], [(0, "read_special"), (1, "read_counter")], "two queries")
equal(read_chunks(varve.port, [(0, "__name__", "nothing")], T0, T0 + 1000), [], "nothing found")

step("what is refused")
equal(post(varve.port, b"\xff\xff\xff\xff\xff", compress=False)[0], 400, "not snappy")
equal(post(varve.port, b"\x0a\xff")[0], 400, "not protobuf")
equal(post(varve.port, request(ALL, 0, 1, types=[7]))[0], 400, "no type of ours")
equal(post(varve.port, request(ALL, T0, T0 + 1000, types=[7, 1]))[1]["content-type"][:30], "application/x-streamed-protobu", "second type")
equal(post(varve.port, request([(2, "a", "(")], 0, 1))[0], 500, "bad regex, as upstream")
equal(varve.request("GET", "/api/v1/read")[0], 405, "GET")

step("limits: samples of an answer, bytes of a frame, long series in chunks of 120")
small = Server(flags=["--storage.remote.read-sample-limit=100", "--storage.remote.read-max-bytes-in-frame=1000"])
long = [(T0 + i * 1000, i * 1.37) for i in range(2000)]
write(small, [({"__name__": "read_long"}, long)])
status, _, body = post(small.port, request([(0, "__name__", "read_long")], T0, T0 + 3600_000))
equal((status, body), (400, b"exceeded sample limit (100)\n"), "sample limit")
got = read_chunks(small.port, [(0, "__name__", "read_long")], T0, T0 + 3600_000)
check(len(got) > 5, f"{len(got)} frames")
equal([struct.unpack(">H", c[3][:2])[0] for _, _, cs in got for c in cs], [120] * 16 + [80], "samples of chunks")
equal([p for _, _, cs in got for c in cs for p in decode_xor(c[3])], [(t, struct.pack("<d", v)) for t, v in long], "long series")
small.stop()

if shutil.which("prometheus"):
    step("the same bytes as Prometheus' own answers")
    d, port, reader = folder(), free_port(), free_port()
    quiet = {"stdout": open(os.path.join(d, "log"), "wb"), "stderr": -2}
    with open(os.path.join(d, "a.yml"), "w") as f:
        f.write("global: {}\n")
    with open(os.path.join(d, "b.yml"), "w") as f:
        f.write(f"remote_read:\n- url: http://127.0.0.1:{varve.port}/api/v1/read\n  read_recent: true\n")
    start(["prometheus", f"--config.file={d}/a.yml", f"--storage.tsdb.path={d}/a", f"--web.listen-address=127.0.0.1:{port}",
           "--web.enable-remote-write-receiver", "--enable-feature=native-histograms"], **quiet)
    start(["prometheus", f"--config.file={d}/b.yml", f"--storage.tsdb.path={d}/b", f"--web.listen-address=127.0.0.1:{reader}",
           "--enable-feature=native-histograms"], **quiet)

    def ready(p):
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{p}/-/ready").status == 200
        except OSError:
            return False

    until("both are ready", lambda: ready(port) and ready(reader))
    for m in [b"".join(time_series(l, s) for l, s in FLOATS), message]:
        c = http.client.HTTPConnection("127.0.0.1", port)
        c.request("POST", "/api/v1/write", snappy(m), V1)
        r = c.getresponse()
        equal(r.status, 204, f"prometheus takes it too: {r.read()}")
    for name in ["read_special", "read_counter", *HISTOGRAMS]:
        args = [(0, "__name__", name)], T0, T0 + 3600_000
        if name == "read_h_gauge":  # 2.42 fails to read its own
            equal([c[3][2] for _, _, cs in read_chunks(varve.port, *args) for c in cs], [0xC0], "one chunk of gauges")
            continue
        ours, theirs = read_chunks(varve.port, *args), read_chunks(port, *args)
        equal([(l, [c[2] for c in cs]) for _, l, cs in ours], [(l, [c[2] for c in cs]) for _, l, cs in theirs], f"{name}: chunks")
        # Writers as old as 2.42 may leave an empty byte at the end, and do not say that a chunk begins with a reset.
        header = lambda c: c[2:3] if name != "read_h_counter" else b""
        strip = lambda cs: [(c[0], c[1], c[3][:2] + header(c[3]) + c[3][3:].rstrip(bytes(1))) for c in cs]
        equal([strip(cs) for _, _, cs in ours], [strip(cs) for _, _, cs in theirs], f"{name}: bytes")
        if name.startswith("read_h"):
            continue
        no_sign = lambda r: [(l, [(t, bytes(8) if v == bytes(7) + b"\x80" else v) for t, v in s], h) for l, s, h in r]
        equal(no_sign(read_samples(varve.port, *args)), read_samples(port, *args), f"{name}: samples")  # theirs loses the sign of -0

    step("queries through Prometheus equal queries at Varve")

    def ask(p, **params):
        url = f"http://127.0.0.1:{p}/api/v1/query_range?{urllib.parse.urlencode(params)}"
        try:
            with urllib.request.urlopen(url) as r:
                data = json.load(r)["data"]["result"]
        except urllib.error.HTTPError as e:
            check(False, f"{params['query']}: {e.read()}")
        return sorted((sorted(x["metric"].items()), x.get("values"), x.get("histograms")) for x in data)

    for q in ["read_counter", "rate(read_counter[10s])", "sum by (job) (read_counter)", "read_special", "count_over_time(read_special[1m])"]:
        params = {"query": q, "start": T0 / 1000 + 0.5, "end": T0 / 1000 + 240, "step": 7}
        a, b = ask(varve.port, **params), ask(reader, **params)
        check(a, f"{q}: no answer")
        equal(a, b, q)
varve.stop()
step("done")
