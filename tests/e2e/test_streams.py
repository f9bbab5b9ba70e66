"""Long answers: what comes after the first piece is made by threads of their own, not by those that serve all
connections; clients that read slowly, leave early or are still reading when the server ends do no harm.
"""
import gzip
import json
import os
import random
import signal
import socket
import struct
import time
import urllib.parse
import zlib

from lib import Server, check, equal, field, integer, snappy, step, write

random.seed(7)
T0 = int(time.time() * 1000) // 1000 * 1000 - 86400000
SERIES, SAMPLES = 100, 2500
ROWS = [({"__name__": "long", "n": f"{n:03}"}, [(T0 + i * 1000, random.random()) for i in range(SAMPLES)]) for n in range(SERIES)]
varve = Server()
for i in range(0, SERIES, 20):
    write(varve, ROWS[i:i + 20])
END_S = T0 / 1000 + SAMPLES
QUERY = "/api/v1/query?" + urllib.parse.urlencode({"query": f"long[{SAMPLES}s]", "time": END_S - 1})
matcher = field(3, field(2, b"__name__") + field(3, b"long"))
READ = snappy(field(1, integer(1, T0) + integer(2, T0 + SAMPLES * 1000) + matcher) + field(2, b"\x01"))


def cpu_ns():
    """CPU time of the server's threads: {True: those that make pieces, False: those that serve connections}."""
    out = {True: 0, False: 0}
    task = f"/proc/{varve.pid()}/task"
    for t in os.listdir(task):
        with open(f"{task}/{t}/comm") as f:
            name = f.read().strip()
        if name.startswith("pieces") or name.startswith("MHD") or name == "varve":
            with open(f"{task}/{t}/schedstat") as f:
                out[name.startswith("pieces")] += int(f.read().split()[0])
    return out


def used(ask):
    before = cpu_ns()
    answer = ask()
    after = cpu_ns()
    return answer, after[True] - before[True], after[False] - before[False]


def query_is_whole(body):
    got = {s["metric"]["n"]: [float(v) for _, v in s["values"]] for s in json.loads(body)["data"]["result"]}
    equal(got == {l["n"]: [v for _, v in s] for l, s in ROWS}, True, "every sample")


step("a query: plain and compressed")
for coding, decode in ((None, bytes), ("gzip", gzip.decompress), ("deflate", zlib.decompress)):
    (status, headers, body), pieces, serving = used(
        lambda: varve.request("GET", QUERY, headers={"Accept-Encoding": coding} if coding else {}))
    equal((status, headers.get("content-encoding")), (200, coding), "status, encoding")
    check(len(body) > 1 << 20, f"{len(body)} bytes are too few pieces to tell")
    query_is_whole(decode(body))
    print(f"  {coding}: {len(body)} bytes, {pieces / 1e6:.1f} ms CPU making pieces, {serving / 1e6:.1f} ms serving", flush=True)
    check(pieces > serving, f"{coding}: {pieces} ns making pieces, {serving} ns serving")

step("remote read")
(status, headers, body), pieces, serving = used(lambda: varve.request("POST", "/api/v1/read", READ))
equal(status, 200, "status")
check(len(body) > 1 << 20, f"{len(body)} bytes are too few pieces to tell")
frames, at = 0, 0
while at < len(body):
    n = shift = 0
    while True:
        b = body[at]
        n, shift, at = n | (b & 0x7F) << shift, shift + 7, at + 1
        if b < 0x80:
            break
    at, frames = at + 4 + n, frames + 1
equal((at, frames), (len(body), SERIES), "whole frames")
print(f"  {len(body)} bytes, {pieces / 1e6:.1f} ms CPU making pieces, {serving / 1e6:.1f} ms serving", flush=True)
check(pieces > serving, f"{pieces} ns making pieces, {serving} ns serving")


def open_stream():
    """A request whose answer is not read yet, with a small window."""
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
    s.settimeout(30)
    s.connect(("127.0.0.1", varve.port))
    s.sendall(f"GET {QUERY} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    return s


def read_chunked(s):
    """The body; a failed check when the connection ends before it does."""
    data = bytearray()
    while not data.endswith(b"\r\n0\r\n\r\n"):
        more = s.recv(1 << 20)
        check(more, "the answer is cut short")
        data += more
    at, out = data.index(b"\r\n\r\n") + 4, []
    while True:
        end = data.index(b"\r\n", at)
        n, at = int(data[at:end], 16), end + 2
        if n == 0:
            return b"".join(out)
        out.append(bytes(data[at:at + n]))
        at += n + 2


step("more slow readers than threads; others are served meanwhile")
slow = [open_stream() for _ in range(24)]
time.sleep(0.3)
began = time.time()
equal(varve.request("GET", "/api/v1/query?query=1")[0], 200, "another query")
print(f"  another query took {(time.time() - began) * 1e3:.1f} ms", flush=True)
for s in slow[:3]:
    query_is_whole(read_chunked(s))

step("readers that leave")
for s in slow[3:]:
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()
status, _, body = varve.request("GET", QUERY)
query_is_whole(body)

step("the server ends while answers are read: whoever reads gets them whole")
reading = [open_stream() for _ in range(8)]
first = [s.recv(1) for s in reading]
check(all(b == b"H" for b in first), "the answers have begun")
began = time.time()
varve.send_signal(signal.SIGTERM)
for s in reading[:4]:
    query_is_whole(read_chunked(s))
taken = time.time() - began
equal(varve.stop(), 0, "exit status")  # the other four never read
print(f"  taken after {taken:.1f} s, ended after {time.time() - began:.1f} s", flush=True)
check(time.time() - began < 15, f"the end took {time.time() - began:.1f} s")
for s in reading:
    s.close()
print("ok")
