"""The checks of clients.py against Varve: all of them pass. Then every check is run once more for each way in which
a proxy before Varve spoils the answers it looks at: none of them passes.
"""
import gzip
import http.client
import http.server
import json
import sys
import threading

from clients import CHECKS, configuration, failure, have_run, run, send
from lib import Server, equal, step, until


def replace(old, new):
    return lambda a: a.update(body=a["body"].replace(old, new))


def remove(*keys):
    """A key of the answer, below its parents."""
    def spoil(a):
        at = answer = json.loads(a["body"])
        for k in keys[:-1]:
            at = at[k]
        at.pop(keys[-1], None)
        a["body"] = json.dumps(answer).encode()
    return spoil


def change_data(f):
    def spoil(a):
        answer = json.loads(a["body"])
        answer["data"] = f(answer.get("data"))
        a["body"] = json.dumps(answer).encode()
    return spoil


def status(code):
    return lambda a: a.update(status=code)


def header(name, value):
    return lambda a: a["headers"].update({name: value})


def when(condition, spoil):
    return lambda a: spoil(a) if condition(a) else None


def asks(text):
    """The request, its form included, contains the text."""
    return lambda a: text in a["request"]


SPOILS = {  # by number: what must not go unnoticed
    "01": [replace(b'"2"', b"2"), replace(b"[4,", b'["4",'), header("Content-Type", "text/plain")],
    "02": [change_data(lambda d: {**d, "features": {"rules": "true"}}), remove("data", "buildDate"), change_data(lambda d: {**d, "version": 3}),
           change_data(lambda d: {**d, "version": "0.1.0"})],
    "03": [remove("data", "groups"), replace(b'"recording"', b'"record"'), replace(b'"lastEvaluation"', b'"last"'), replace(b'"health"', b'"state2"')],
    "04": [when(asks("query=test"), change_data(lambda d: None)), when(asks("query=test"), status(400)), replace(b'"0.3"', b"0.3")],
    "05": [change_data(lambda d: d[::-1]), change_data(lambda d: d + d[-1:]), change_data(lambda d: [])],
    "06": [change_data(lambda d: d + ["only_here"]), change_data(lambda d: d[1:])],
    "07": [replace(b"A gauge.", b""), change_data(lambda d: {**d, "other": []})],
    "08": [replace(b'"42"', b"42"), change_data(lambda d: {"resultType": "vector", "result": d["result"]}),
           change_data(lambda d: {**d, "result": [{**s, "values": s["values"][1:]} for s in d["result"]]})],
    "09": [when(lambda a: a["method"] == "GET", replace(b'"values"', b' "values"'))],
    "10": [remove("data", "stats"), replace(b'"totalQueryableSamples":', b'"total":')],
    "11": [replace(b".551", b".55")],
    "12": [replace(b'"string"', b'"scalar"'), replace(b'"42"', b"42")],
    "13": [replace(b"[]", b"null"), when(asks("/series"), change_data(lambda d: None))],
    "14": [replace(b'"+Inf"', b'"Inf"'), replace(b'"NaN"', b"null"), replace(b"\\n", b"n")],
    "15": [status(500), replace(b"1:10:", b""), replace(b'"execution"', b'"internal"'), header("Content-Type", "text/html")],
    "16": [when(asks("step=0"), status(200)), when(asks("start=0"), status(422)), replace(b"bad_data", b"internal")],
    "17": [when(asks("900s"), change_data(lambda d: {**d, "result": []})), when(asks("offset"), status(503))],
    "18": [when(lambda a: a["headers_in"].get("Content-Type") == "application/json", status(400)),
           when(asks("__ignore_usage__"), change_data(lambda d: {**d, "result": []}))],
    "19": [remove("warnings"), when(asks("U__http"), status(400)), change_data(lambda d: d[::-1])],
    "20": [status(405), change_data(lambda d: [])],
    "21": [change_data(lambda d: [dict(sorted(s.items(), reverse=True)) for s in d])],
    "22": [when(asks("/alertmanager"), status(200)), when(asks("/search"), status(400)),
           when(asks("/search"), lambda a: a.update(body=b"\n".join(a["body"].splitlines()[:-1])))],
    "23": [when(lambda a: "br" in a["headers_in"].get("Accept-Encoding", ""), header("Content-Encoding", "br")),
           when(lambda a: a["method"] == "POST", replace(b'"2"', b'"3"'))],
    "24": [when(asks("group_limit"), change_data(lambda d: {**d, "groups": []})), when(asks("/alerts"), change_data(lambda d: {"alerts": []})),
           when(asks("/alerts"), replace(b'"1e+00"', b"1"))],
    "25": [when(asks("increase"), change_data(lambda d: {**d, "result": [{**s, "values": [[t, v + str(i)] for i, (t, v) in enumerate(s["values"])]}
                                                                        for s in d["result"]]})),
           when(asks("histogram_quantile"), change_data(lambda d: {**d, "result": []}))],
    "26": [when(lambda a: "X-Grafana-Id" in a["headers_in"], status(431)), when(lambda a: len(a["request"]) > 300000, status(413)),
           when(asks("query=up&time="), change_data(lambda d: {**d, "result": []}))],
}


class Spoiler(http.server.BaseHTTPRequestHandler):
    """Passes requests on to Varve and spoils what comes back."""
    protocol_version = "HTTP/1.1"

    def body_in(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        out = b""
        while True:
            n = int(self.rfile.readline(), 16)
            out += self.rfile.read(n)
            self.rfile.readline()
            if n == 0:
                return out

    def do_GET(self):
        body = self.body_in()
        headers = {k: v for k, v in self.headers.items() if k not in ("Host", "Transfer-Encoding", "Content-Length")}
        c = http.client.HTTPConnection("127.0.0.1", self.server.behind, timeout=30)
        plain = {k: v for k, v in headers.items() if k != "Accept-Encoding"}
        c.request(self.command, self.path, body or (b"" if self.command == "POST" else None), plain)
        r = c.getresponse()
        answer = {"method": self.command, "request": self.path + " " + body.decode("latin-1"), "headers_in": headers,
                  "status": r.status, "headers": {"Content-Type": r.getheader("Content-Type") or ""}, "body": r.read()}
        c.close()
        before = (answer["status"], dict(answer["headers"]), answer["body"])
        try:
            self.server.spoil(answer)
        except (KeyError, ValueError, TypeError):
            pass  # not an answer this one is about
        self.server.spoiled += before != (answer["status"], answer["headers"], answer["body"])
        if "gzip" in headers.get("Accept-Encoding", "") and "Content-Encoding" not in answer["headers"]:
            answer["body"] = gzip.compress(answer["body"], 1)
            answer["headers"]["Content-Encoding"] = "gzip"
        self.send_response(answer["status"])
        for k, v in answer["headers"].items():
            self.send_header(k, v)
        self.send_header("Content-Length", str(len(answer["body"])))
        self.end_headers()
        self.wfile.write(answer["body"])

    do_POST = do_GET

    def log_message(self, *args):
        pass


class Proxy(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


step("against varve")
varve = Server(flags=[f"--config.file={configuration()}"])
send(varve.port)
until("its rules have run", lambda: have_run(varve.port))
bad = run(varve.port, "varve", CHECKS)

step("against varve behind a proxy that spoils its answers")
proxy = Proxy(("127.0.0.1", 0), Spoiler)
proxy.behind = varve.port
threading.Thread(target=proxy.serve_forever, daemon=True).start()
proxy.spoil, proxy.spoiled = (lambda a: None), 0
equal({t: why for t, why in ((t, failure(f, proxy.server_port)) for t, f in CHECKS) if why}, {}, "nothing spoiled")
equal(sorted(SPOILS), sorted(t.split("_")[1] for t, _ in CHECKS), "every check has its spoilers")
blind = []
for title, f in CHECKS:
    for i, spoil in enumerate(SPOILS[title.split("_")[1]]):
        proxy.spoil, proxy.spoiled = spoil, 0
        why = failure(f, proxy.server_port)
        if why is None or proxy.spoiled == 0:
            blind.append(f"{title}: way {i} of spoiling goes unnoticed ({proxy.spoiled} answers spoiled)")
proxy.shutdown()
print(f"  {sum(map(len, SPOILS.values()))} ways of spoiling", flush=True)
for text in [f"{t}: {why}" for t, why in bad.items()] + blind:
    print("FAILED:", text)
if bad or blind:
    sys.exit(1)
equal(varve.stop(), 0, "exit status")
print("ok")
