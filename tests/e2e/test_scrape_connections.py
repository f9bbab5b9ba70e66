"""Connections of scraping: kept ones are used again without libcurl, and whatever a server does on them, results and
errors are those of a first request."""
import gzip
import socket
import threading

from scrape_lib import *

PLAIN = 3  # answers that each path gives before it begins to misbehave
PAGE = b"a 1\nb{c=\"d\"} 2\n# EOF-less\n" + b"".join(b"m{i=\"%d\"} %d\n" % (i, i) for i in range(50))


def head(status="200 OK", version="1.1", **headers):
    lines = "".join(f"{k.replace('_', '-')}: {v}\r\n" for k, v in headers.items())
    return f"HTTP/{version} {status}\r\nContent-Type: text/plain; version=0.0.4\r\n{lines}\r\n".encode()


def whole(page=PAGE, **more):
    return head(Content_Length=len(page), **more) + page


def chunks(page, size):
    out = b"".join(b"%x;e=x\r\n%s\r\n" % (len(page[i:i + size]), page[i:i + size]) for i in range(0, len(page), size))
    return out + b"0\r\nTrailer: x\r\n\r\n"


class Script:
    """A server by hand: `behave(path, count)` is what to send, and what then: "close", "stall", None."""

    def __init__(self, family=socket.AF_INET, address="127.0.0.1"):
        self.connections, self.requests, self.lock = {}, {}, threading.Lock()
        self.open = set()
        self.socket = socket.socket(family)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((address, 0))
        self.port = self.socket.getsockname()[1]
        self.socket.listen(64)
        threading.Thread(target=self.accept, args=(self.socket,), daemon=True).start()

    def accept(self, listener):
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.open.add(peer)
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer):
        seen, data = set(), b""
        try:
            while True:
                while b"\r\n\r\n" not in data:
                    piece = peer.recv(65536)
                    if not piece:
                        return
                    data += piece
                request, data = data.split(b"\r\n\r\n", 1)
                path = request.split(b" ")[1].decode()
                with self.lock:
                    self.requests[path] = count = self.requests.get(path, 0) + 1
                    if path not in seen:
                        self.connections[path] = self.connections.get(path, 0) + 1
                    seen.add(path)
                for piece in behave(path, count):
                    if piece == "close":
                        return
                    if isinstance(piece, float):
                        time.sleep(piece)
                    else:
                        peer.sendall(piece)
        except OSError:
            pass
        finally:
            self.open.discard(peer)
            peer.close()

    def stop(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for peer in list(self.open):
            peer.shutdown(socket.SHUT_RDWR)

    def listen_again(self):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("127.0.0.1", self.port))
        self.socket.listen(64)
        threading.Thread(target=self.accept, args=(self.socket,), daemon=True).start()


# What a path answers, and what it answers from its fourth request on.
GOOD = {
    "/keep": [whole()],
    "/chunked": [head(Transfer_Encoding="chunked") + chunks(PAGE, 7)],
    "/gzip": [head(Transfer_Encoding="chunked", Content_Encoding="gzip") + chunks(gzip.compress(PAGE), 100)],
    "/close": [whole(Connection="close"), "close"],
    "/old": [head(version="1.0") + PAGE, "close"],
    "/interim": [b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + whole()],
    "/pieces": [whole()[:9], 0.01, whole()[9:150], 0.01, whole()[150:400], 0.01, whole()[400:]],
    "/lingers": [whole(), 0.05, "close"],
    "/chatty": [whole() + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nz 1\n"],
    "/fails-at-once": [head("500 Oh No", Content_Length=3) + b"no\n"],
    "/cut-at-once": [whole()[:-10], "close"],
}
BAD = {
    "/leads": [head("302 Found", Location="/keep", Content_Length=0)],
    "/fails": GOOD["/fails-at-once"],
    "/cut": GOOD["/cut-at-once"],
    "/mangled": [head(Transfer_Encoding="chunked") + b"5\r\nabcdefg\r\n"],
    "/stalls": [head(Content_Length=999), 1.5, "close"],
    "/large": [whole(PAGE * 20)],
}


def behave(path, count):
    if path == "/dies" and count % 3 == 0:
        return ["close"]
    return BAD[path] if path in BAD and count > PLAIN else GOOD.get(path, GOOD["/keep"])


UP = ["keep", "chunked", "gzip", "close", "old", "interim", "pieces", "dies", "lingers", "chatty", "leads"]
DOWN = {"fails": "server returned HTTP status 500 Oh No", "cut": "unexpected EOF", "mangled": "malformed chunked encoding",
        "stalls": "context deadline exceeded", "large": "body size limit exceeded",
        "fails-at-once": "server returned HTTP status 500 Oh No", "cut-at-once": "unexpected EOF"}


def scrapes_of(port, name):
    found = raw(port, f'up{{job="{name}"}}')
    return [v for values in found.values() for _, v in values]


def main():
    script = Script()
    failures = os.path.join(folder(), "failures.log")
    text = (f"global: {{scrape_interval: 1s, scrape_timeout: 1s, scrape_failure_log_file: {failures}}}\n"
            "scrape_configs:\n")
    for name in UP:
        text += job(name, script.port, "/" + name)
    for name in DOWN:
        text += job(name, script.port, "/" + name, "  body_size_limit: 4KB\n")
    text += ("- job_name: name\n  metrics_path: /keep\n  static_configs: [{targets: ['localhost:%d']}]\n" % script.port)
    restart = Script()
    text += job("restart", restart.port, "/keep")
    six = None
    if socket.has_ipv6:
        try:
            six = Script(socket.AF_INET6, "::1")
            text += f"- job_name: six\n  metrics_path: /keep\n  static_configs: [{{targets: ['[::1]:{six.port}']}}]\n"
        except OSError:
            pass
    varve = Server(flags=[f"--config.file={config(text)}"])
    good = UP + ["name", "restart"] + (["six"] if six else [])

    step("answers of every form, on kept connections and new ones: all scrapes succeed")
    until("five scrapes of each", lambda: all(scrapes_of(varve.port, n).count("1") >= 5 for n in good), 60)
    until("five scrapes of each", lambda: all(len(scrapes_of(varve.port, n)) >= 5 for n in DOWN), 60)
    failed = open(failures).read().splitlines() if os.path.exists(failures) else []
    for line in failed:  # on a machine that is busy for a moment, a scrape may miss its second
        check("context deadline exceeded" in line or not any(f'"job_name":"{n}"' in line for n in good), line)
    for name in good:
        page = raw(varve.port, f'm{{job="{name}",i="49"}}')
        check([v for values in page.values() for _, v in values][-1:] == ["49"], f"{name}: {page}")

    step("connections are used again")
    check(script.connections["/gzip"] <= 3 and script.connections["/chunked"] <= 3 and script.connections["/pieces"] <= 3,
          f"connections {script.connections} for requests {script.requests}")
    check(script.connections["/close"] >= script.requests["/close"] - 1, "a connection that was to end is not used again")

    step("what goes wrong on a kept connection is reported as on a new one")
    for name, reason in DOWN.items():
        until(f"{name}: {reason}", lambda: reason in targets(varve.port)[name]["lastError"], 20)
        values = scrapes_of(varve.port, name)
        check("0" in values and ("1" in values or name.endswith("-at-once")), f"{name}: {values}")

    step("a server that goes away and comes back")
    restart.stop()
    until("refused", lambda: "connection refused" in targets(varve.port)["restart"]["lastError"], 20)
    restart.listen_again()
    until("up again", lambda: targets(varve.port)["restart"]["health"] == "up", 20)
    before = restart.connections["/keep"], restart.requests["/keep"]
    until("five more scrapes", lambda: restart.requests["/keep"] >= before[1] + 5, 20)
    check(restart.connections["/keep"] <= before[0] + 2, "connections are kept again")
    varve.stop()


main()
