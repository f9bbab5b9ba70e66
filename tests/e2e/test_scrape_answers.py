"""Answers of every form that HTTP allows, and some that it does not: each target is up or down, with the same samples, as in
Debian's Prometheus, and where it is down the reason names the same thing."""
import gzip
import re
import socket
import threading
import zlib

from scrape_lib import *

if PROMETHEUS is None:
    skip("this needs prometheus")
PAGE = b"a 1\nb{c=\"d\"} 2\n" + b"".join(b"m{i=\"%d\"} %d\n" % (i, i) for i in range(20))
KIND = b"Content-Type: text/plain; version=0.0.4\r\n"
ZIP = gzip.compress(PAGE)


def answer(body, headers=b"", status=b"200 OK", version=b"HTTP/1.1", kind=KIND, length=True):
    out = version + b" " + status + b"\r\n" + kind + headers
    return out + (b"Content-Length: %d\r\n" % len(body) if length else b"") + b"\r\n" + body


def chunks(*pieces, end=b"0\r\n\r\n"):
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + end


def chunked(body, headers=b""):
    return answer(body, b"Transfer-Encoding: chunked\r\n" + headers, length=False)


ENCODED = b"Content-Encoding: gzip\r\n"
# What is sent, and a piece of the reason (None: it is up). A list: sent piece by piece.
ANSWERS = {
    "plain": (answer(PAGE), None),
    "pieces": ([answer(PAGE)[i:i + 7] for i in range(0, len(answer(PAGE)), 7)], None),
    "http10": (answer(PAGE, version=b"HTTP/1.0", length=False), None),
    "until_close": (answer(PAGE, b"Connection: close\r\n", length=False), None),
    "chunked": (chunked(chunks(PAGE[:50], PAGE[50:])), None),
    "chunk_extension": (chunked(b"5;x=y\r\na 1\nb\r\n6\r\n{} 2\n\n\r\n0\r\n\r\n"), None),
    "trailers": (chunked(chunks(PAGE, end=b"0\r\nX-Sum: 1\r\n\r\n"), b"Trailer: X-Sum\r\n"), None),
    "chunk_cut": (chunked(chunks(PAGE, end=b"100\r\nabc")), "EOF"),
    "chunks_without_end": (chunked(chunks(PAGE, end=b"")), "EOF"),
    "chunk_size_wrong": (chunked(b"zz\r\nabc\r\n0\r\n\r\n"), "chunk"),
    "gzip": (answer(ZIP, ENCODED), None),
    "gzip_chunked": (chunked(chunks(ZIP[:20], ZIP[20:]), ENCODED), None),
    "gzip_twice": (answer(gzip.compress(PAGE) + gzip.compress(b"z 1\n"), ENCODED), None),
    "gzip_cut": (answer(ZIP[:-12], ENCODED), "gzip: invalid"),
    "gzip_no_trailer": (answer(ZIP[:-4], ENCODED), "gzip: invalid"),
    "gzip_checksum": (answer(ZIP[:-8] + b"\0" * 8, ENCODED), "gzip: invalid"),
    "gzip_empty": (answer(b"", ENCODED), "gzip: invalid"),
    "gzip_of_nothing": (answer(gzip.compress(b""), ENCODED), None),
    "gzip_rubbish_behind": (answer(ZIP + b"rubbish that is long enough", ENCODED), "gzip: invalid header"),
    "gzip_unsaid": (answer(ZIP), "expected a valid start token"),
    "gzip_in_capitals": (answer(ZIP, b"Content-Encoding: GZIP\r\n"), "expected a valid start token"),
    "identity": (answer(PAGE, b"Content-Encoding: identity\r\n"), None),
    "deflate": (answer(zlib.compress(PAGE), b"Content-Encoding: deflate\r\n"), "invalid syntax"),
    "empty": (answer(b""), None),
    "empty_without_type": (answer(b"", kind=b""), None),
    "no_content": (answer(b"", status=b"204 No Content", length=False), "server returned HTTP status 204 No Content"),
    "created": (answer(PAGE, status=b"201 Created"), "server returned HTTP status 201 Created"),
    "partial": (answer(PAGE, status=b"206 Partial Content"), "server returned HTTP status 206 Partial Content"),
    "not_modified": (answer(b"", status=b"304 Not Modified", length=False), "server returned HTTP status 304 Not Modified"),
    "unauthorized": (answer(b"no", b"WWW-Authenticate: Basic\r\n", status=b"401 Unauthorized"), "server returned HTTP status 401 Unauthorized"),
    "teapot": (answer(b"no", status=b"418 I'm short"), "server returned HTTP status 418 I'm short"),
    "no_reason": (answer(b"no", status=b"503 "), "server returned HTTP status 503"),
    "odd_status": (answer(b"no", status=b"999 Odd"), "server returned HTTP status 999 Odd"),
    "continue": (b"HTTP/1.1 100 Continue\r\n\r\n" + answer(PAGE), None),
    "early_hints": (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + answer(PAGE), None),
    "hints_forever": (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 20 + answer(PAGE), ""),
    "redirect_301": (answer(b"", b"Location: /plain\r\n", status=b"301 Moved Permanently"), None),
    "redirect_303": (answer(b"x", b"Location: plain\r\n", status=b"303 See Other"), None),
    "redirect_307": (answer(b"", b"Location: ./plain?x#y\r\n", status=b"307 Temporary Redirect"), None),
    "redirect_308": (answer(b"", b"Location: //127.0.0.1:PORT/plain\r\n", status=b"308 Permanent Redirect"), None),
    "redirect_nowhere": (answer(b"", status=b"302 Found"), "server returned HTTP status 302 Found"),
    "redirect_ftp": (answer(b"", b"Location: ftp://127.0.0.1/x\r\n", status=b"302 Found"), 'unsupported protocol scheme "ftp"'),
    "redirect_file": (answer(b"", b"Location: file:///etc/passwd\r\n", status=b"302 Found"), 'unsupported protocol scheme "file"'),
    "redirect_broken": (answer(b"", b"Location: http://[::1\r\n", status=b"302 Found"), "no http or https URL"),
    "redirect_unwanted": (answer(b"", b"Location: /plain\r\n", status=b"302 Found"), "server returned HTTP status 302 Found"),
    "multiple_choices": (answer(PAGE, b"Location: /plain\r\n", status=b"300 Multiple Choices"), "server returned HTTP status 300 Multiple Choices"),
    "length_long": (answer(PAGE).replace(b"\r\n\r\n", b"\r\nX: y\r\n\r\n").replace(b"Content-Length: ", b"Content-Length: 9"), "unexpected EOF"),
    "length_negative": (answer(PAGE).replace(b"Content-Length: ", b"Content-Length: -"), "Content-Length"),
    "length_words": (answer(PAGE).replace(b"Content-Length: ", b"Content-Length: many"), "Content-Length"),
    "lengths_equal": (answer(PAGE, b"Content-Length: %d\r\n" % len(PAGE)), None),
    "header_folded": (answer(PAGE, b"X-A: b\r\n c\r\n"), None),
    "header_no_colon": (answer(PAGE, b"nonsense\r\n"), "Header without colon"),
    "lf_only": (answer(PAGE).replace(b"\r\n", b"\n"), None),
    "type_in_capitals": (answer(PAGE, kind=b"CONTENT-TYPE: TEXT/PLAIN; VERSION=0.0.4\r\n"), None),
    "type_twice": (answer(PAGE, kind=KIND + b"Content-Type: text/html\r\n"), None),
    "nothing": (b"", "EOF"),
    "half_a_line": (b"HTTP/1.1 2", "EOF"),
    "half_headers": (b"HTTP/1.1 200 OK\r\nContent-Ty", "EOF"),
    "version_2": (answer(PAGE, version=b"HTTP/2.0"), ""),
    "version_odd": (answer(PAGE, version=b"HTTQ/1.1"), ""),
    "utf8_mark": (answer(b"\xef\xbb\xbf" + PAGE), "expected a valid start token"),
}
MORE = {"redirect_unwanted": "  follow_redirects: false\n"}
SETTLED = ("hints_forever", "version_2")  # libcurl and Go have limits of their own: up in one of them


def serve(peer, port):
    peer.settimeout(10)
    try:
        with peer:
            request = b""
            while b"\r\n\r\n" not in request:
                piece = peer.recv(65536)
                if not piece:
                    return
                request += piece
            name = re.match(rb"GET /(\w+)", request).group(1).decode()
            said = ANSWERS[name][0]
            for piece in said if isinstance(said, list) else [said]:
                peer.sendall(piece.replace(b"PORT", b"%d" % port))
            peer.shutdown(socket.SHUT_WR)
            while peer.recv(65536):
                pass
    except OSError:
        pass


def listen(family, address):
    s = socket.socket(family)
    s.bind((address, 0))
    s.listen(256)
    port = s.getsockname()[1]

    def accept():
        while True:
            threading.Thread(target=serve, args=(s.accept()[0], port), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return port


port = listen(socket.AF_INET, "127.0.0.1")
text = "global: {scrape_interval: 2s, scrape_timeout: 2s}\nscrape_configs:\n"
text += "".join(job(name, port, f"/{name}", MORE.get(name, "")) for name in ANSWERS)
try:
    v6 = listen(socket.AF_INET6, "::1")
    text += f"- job_name: v6\n  metrics_path: /plain\n  static_configs: [{{targets: ['[::1]:{v6}']}}]\n"
except OSError as e:
    v6 = None
    print(f"  no IPv6 here: {e}")
path = config(text)
prom, varve = Prom(path), Server(flags=[f"--config.file={path}"])
for s in (prom, varve):
    until("each was asked", lambda: len(targets(s.port)) >= len(ANSWERS) and all(t["health"] != "unknown" for t in targets(s.port).values()), 60, 0.2)
mine, theirs = targets(varve.port), targets(prom.port)
wrong = []
for name, (_, reason) in ANSWERS.items():
    a, b = mine[name], theirs[name]
    settled = name in SETTLED or (a["health"] == b["health"] and (a["health"] == "up") == (reason is None))
    if not settled or (reason or "") not in a["lastError"]:
        wrong.append(f"{name}: {a['health']} {a['lastError']!r}, Prometheus {b['health']} {b['lastError']!r}, wanted {reason!r}")
OWN = 'job!="",__name__!~"scrape_duration_seconds|scrape_series_added|scrape_sam.*"'
have, want = series(varve.port, "{" + OWN + "}"), series(prom.port, "{" + OWN + "}")
for key in sorted(set(have) | set(want)):
    if have.get(key) != want.get(key) and dict(key)["job"] not in SETTLED:
        wrong.append(f"{key}: {have.get(key)}, Prometheus {want.get(key)}")
check(not wrong, "\n".join(wrong))
step("done")
