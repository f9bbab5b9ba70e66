"""Targets that mean harm (D9): lines and pages without end, bytes that are no text, bodies that grow when unpacked, too
many series, drips, wrong lengths, redirects in circles. Each fails alone, with its reason on /api/v1/targets, in bounded
memory and time; a good target beside them never misses a scrape."""
import re
import socket
import struct
import threading
import zlib

from scrape_lib import *

LIMIT_MB = 1500  # of the server: a few pages of at most 256 MiB at a time, and what unpacking takes
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n"
GOOD = b"good 1\n"
MANY = b"".join(b"m%d 1\n" % i for i in range(1_049_000))


def bomb(megabytes):
    """gzip of so many megabytes, made quickly: one compressed piece over and over."""
    piece, deflate, crc = b"y" * (1 << 20), zlib.compressobj(1, zlib.DEFLATED, -15), 0
    block = deflate.compress(piece) + deflate.flush(zlib.Z_FULL_FLUSH)
    for _ in range(megabytes):
        crc = zlib.crc32(piece, crc)
    size = (megabytes << 20) & 0xffffffff
    return b"\x1f\x8b\x08" + b"\0" * 6 + b"\xff" + block * megabytes + b"\x03\0" + struct.pack("<II", crc, size)


BOMB = bomb(260)


def endless(sock, piece):
    sock.sendall(OK + b"\r\n")
    while True:
        sock.sendall(piece)


def drip(sock):
    sock.sendall(OK + b"Content-Length: 100000\r\n\r\n")
    for i in range(10000):
        sock.sendall(b"a")
        time.sleep(0.05)


def whole(body, more=b"", length=None):
    return OK + more + b"Content-Length: %d\r\n\r\n" % (len(body) if length is None else length) + body


ANSWERS = {
    "good": lambda s: s.sendall(whole(GOOD)),
    "no_newline": lambda s: s.sendall(whole(b"bare 1")),
    "endless_line": lambda s: endless(s, b"a" * 65536),
    "endless_lines": lambda s: endless(s, b"a{b=\"c\"} 1\n" * 6000),
    "endless_headers": lambda s: [s.sendall(b"HTTP/1.1 200 OK\r\n")] + [s.sendall(b"X-%d: y\r\n" % i) for i in range(10 ** 7)],
    "binary": lambda s: s.sendall(whole(bytes(range(256)) * 64)),
    "html": lambda s: s.sendall(whole(b"<!DOCTYPE html><html><body>503</body></html>\n")),
    "many": lambda s: s.sendall(whole(MANY)),
    "drip": drip,
    "bomb": lambda s: s.sendall(whole(BOMB, b"Content-Encoding: gzip\r\n")),
    "not_gzip": lambda s: s.sendall(whole(b"a 1\n" * 100, b"Content-Encoding: gzip\r\n")),
    "long_length": lambda s: (s.sendall(whole(GOOD, length=1000)), s.shutdown(socket.SHUT_WR)),
    "short_length": lambda s: (s.sendall(whole(b"short 1\nshort 2\n", length=8)), s.shutdown(socket.SHUT_WR)),
    "two_lengths": lambda s: s.sendall(OK + b"Content-Length: 7\r\nContent-Length: 9\r\n\r\n" + GOOD),
    "circle": lambda s: s.sendall(b"HTTP/1.1 302 Found\r\nLocation: /circle\r\nContent-Length: 0\r\n\r\n"),
    "no_http": lambda s: s.sendall(b"SSH-2.0-OpenSSH_9.2p1\r\n" + b"\0" * 100),
    "silent": lambda s: s.shutdown(socket.SHUT_WR),
    "long_value": lambda s: s.sendall(whole(b'a{b="' + b"v" * (20 << 20) + b'"} 1\n')),
    "many_labels": lambda s: s.sendall(whole(b"a{" + b",".join(b'l%d="v"' % i for i in range(5000)) + b"} 1\n")),
}
# What the reason holds; None: it is up. A NUL ends a page, upstream too.
LATE = "context deadline exceeded"
REASONS = {
    "good": None, "no_newline": None, "short_length": None, "binary": None,
    "endless_line": (LATE, "body size limit exceeded"), "endless_lines": (LATE, "body size limit exceeded"),
    "endless_headers": "Too large response headers", "html": 'expected a valid start token, got "<"',
    "many": "more than 1048576 samples in one scrape", "drip": LATE, "bomb": "body size limit exceeded",
    "not_gzip": "gzip: invalid header", "long_length": "unexpected EOF", "two_lengths": LATE,
    "circle": "stopped after 10 redirects", "no_http": "HTTP/0.9 when not allowed", "silent": "EOF",
    "long_value": "a label of 20971520 bytes, at most 1048576 can be stored",
    "many_labels": "more than 4096 labels in one line",
}


class Target:
    def __init__(self, answer):
        self.answer = answer
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(16)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            peer = self.socket.accept()[0]
            threading.Thread(target=self.one, args=(peer,), daemon=True).start()

    def one(self, peer):
        peer.settimeout(20)
        try:
            with peer:
                while True:
                    request = b""
                    while b"\r\n\r\n" not in request:
                        piece = peer.recv(4096)
                        if not piece:
                            return
                        request += piece
                    self.answer(peer)
                    if self.answer is not ANSWERS["good"]:
                        peer.recv(1 << 20)
                        return
        except OSError:
            pass


def peak_mb(server):
    with open(f"/proc/{server.pid()}/status") as f:
        return int(re.search(r"VmHWM:\s+(\d+)", f.read()).group(1)) // 1024


all_targets = {name: Target(answer) for name, answer in ANSWERS.items()}
text = "global: {scrape_interval: 2s, scrape_timeout: 2s}\nscrape_configs:\n"
text += "".join(job(name, t.port, f"/{name}") for name, t in all_targets.items())
varve = Server(flags=[f"--config.file={config(text)}"])
step(f"{len(ANSWERS)} targets, one of them good")
until("everybody was asked", lambda: len(raw(varve.port, "up")) == len(ANSWERS) and all(
    t["health"] != "unknown" for t in targets(varve.port).values()), 60)
found = targets(varve.port)
for name, reason in REASONS.items():
    health, why = found[name]["health"], found[name]["lastError"]
    if reason is None:
        equal((health, why), ("up", ""), name)
    else:
        wanted = (reason,) if isinstance(reason, str) else reason
        check(health == "down" and any(w in why for w in wanted), f"{name}: {health} {why!r}, wanted {wanted}")
step("each alone is down, with its reason")
for query, want in (("good", {"1"}), ('up{job="good"}', {"1"}), ("bare", {"1"}), ("short", {"1"})):
    values = {v for samples in raw(varve.port, query).values() for _, v in samples}
    equal(values, want, f"{query}: the good ones never miss")
equal(raw(varve.port, '{__name__=~"m[0-9]+|a|b"}'), {}, "nothing of the others is stored")
peak = peak_mb(varve)
print(f"  peak {peak} MB", flush=True)
check(peak < LIMIT_MB, f"memory is bounded: {peak} MB")
begin = time.monotonic()
equal(varve.query("vector(1)", time.time())[0]["value"][1], "1", "the server answers")
check(time.monotonic() - begin < 2, "at once")
varve.stop()
