"""The API's paths beyond queries, to the byte (tests/golden/api/answers.txt), and the server around them: requests that
can be read in two ways, prefixes, CORS, live notifications, search, the OpenAPI document.
"""
import http.client
import json
import os
import re
import socket
import subprocess
import threading
import time
import urllib.parse

from lib import VARVE, Server, check, equal, field, folder, free_port, integer, post_write, step, time_series, until

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden", "api", "answers.txt")
T = 1600000000
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def metadata(kind, name, help_text, unit=""):
    return field(3, integer(1, kind) + field(2, name.encode()) + field(4, help_text.encode()) + field(5, unit.encode()))


def load(server):
    rows = [({"__name__": "m", "i": str(i)}, [((T + 15 * k) * 1000, 10 * i + k) for k in range(20)]) for i in range(3)]
    rows += [({"__name__": "http_requests_total", "job": "a", "http.status": "200"}, [(T * 1000, 1)]),
             ({"__name__": "http_requests_total", "job": "b<&>", "http.status": "500"}, [(T * 1000, 2)]),
             ({"__name__": "http_inflight", "job": "a"}, [(T * 1000, 3)]),
             ({"__name__": "node.cpu", "job": "n"}, [(T * 1000, 4)])]
    message = b"".join(time_series(ls, s) for ls, s in rows) + metadata(1, "http_requests_total", "Requests <all>.") + \
        metadata(2, "http_inflight", "", "requests")
    status, _, body = post_write(server, message)
    check(status == 204, f"write: {status} {body!r}")


def exchange(port, request, seconds=5.0):
    """(bytes answered, closed by the server) for bytes as they are."""
    with socket.create_connection(("127.0.0.1", port)) as c:
        c.settimeout(seconds)
        c.sendall(request)
        got = b""
        try:
            while piece := c.recv(65536):
                got += piece
            return got, True
        except socket.timeout:
            return got, False
        except ConnectionResetError:
            return got, True


# ---- Golden answers ----

def blocks():
    """(method, path, body, lines expected) of the golden file."""
    with open(GOLDEN) as f:
        for block in f.read().split("\n\n"):
            lines = [line for line in block.split("\n") if line and not line.startswith("#")]
            if lines:
                method, path, *body = lines[0].split(" ", 2)
                yield lines[0], method, path, body[0] if body else None, lines[1:]


def answer_of(server, method, path, body):
    path = urllib.parse.quote(path, safe="/?&=%+:;[]")
    status, headers, got = server.request(method, path, body, FORM if body is not None else {})
    kind = headers.get("content-type", "-")
    text = got.decode().rstrip("\n")
    return [f"{status} {kind}"] + (text.split("\n") if text else [])


step("golden answers")
s = Server(flags=["--web.page-title=x"], admin=False)
load(s)
if os.environ.get("VARVE_GOLDEN") == "write":  # to be read line by line before it is committed
    out = []
    for first, method, path, body, _ in list(blocks()):
        out.append("\n".join([first] + answer_of(s, method, path, body)))
    with open(GOLDEN) as f:
        head = f.read().split("\n\n")[0]
    with open(GOLDEN, "w") as f:
        f.write("\n\n".join([head] + out) + "\n")
count = 0
for first, method, path, body, want in blocks():
    equal(answer_of(s, method, path, body), want, first)
    count += 1
check(count > 80, f"{count} golden answers")

step("status: config, flags, features, own metrics")
yaml = s.api("status/config")[1]["data"]["yaml"]
check(yaml.startswith("global:\n  scrape_interval: 1m\n  scrape_timeout: 10s\n"), "defaults are printed")
check("\nruntime:\n  gogc: 75\n" in yaml and "\notlp:\n" in yaml, "all of them")
flags = s.api("status/flags")[1]["data"]
check(list(flags) == sorted(flags) and flags["web.page-title"] == "x", "flags")
features = s.api("features")[1]["data"]
equal(list(features), ["api", "otlp_receiver", "prometheus", "promql", "promql_functions", "promql_operators", "rules",
                       "scrape", "service_discovery_providers", "templating_functions", "tsdb", "ui"], "categories")
check(all(list(c) == sorted(c) and all(isinstance(v, bool) for v in c.values()) for c in features.values()), "sorted booleans")
equal([len(features[c]) for c in ("api", "promql", "promql_functions", "promql_operators", "service_discovery_providers",
                                  "templating_functions", "tsdb")], [15, 21, 90, 35, 37, 29, 8], "names")
check(not features["api"]["admin"] and features["promql_functions"]["rate"], "the admin API is off, rate() always on")


def announced(server):
    """Do features and parser agree?"""
    told = server.api("features")[1]["data"]
    for query, on in (("max_of(1, 2)", told["promql_functions"]["max_of"]), ("m + fill(0) m", told["promql"]["fill"]),
                      ("limitk(1, m)", told["promql_operators"]["limitk"]), ("rate(m[1m] anchored)", told["promql"]["anchored"])):
        equal(server.api("format_query", query=query)[0], 200 if on else 400, f"{query}, announced: {on}")


announced(s)
families = s.api("status/self_metrics")[1]["data"]
text = s.request("GET", "/metrics")[2].decode()
equal([f["name"] for f in families], re.findall(r"^# TYPE (\S+)", text, re.M), "families")
one = s.api("status/self_metrics", metric_name_pattern="prometheus_engine_query_duration_.*")[1]["data"]
equal([(f["name"], f["type"]) for f in one], [("prometheus_engine_query_duration_seconds", "SUMMARY"),
                                              ("prometheus_engine_query_duration_histogram_seconds", "HISTOGRAM")], "pattern")
equal(s.api("status/self_metrics", metric_name_pattern="(")[0], 400, "bad pattern")

step("search: order, batches, limits, metadata, scores")


def search(kind, **params):
    pairs = [(k, x) for k, v in {"start": T - 60, "end": T + 600, **params}.items()
             for x in (v if isinstance(v, list) else [v])]
    status, headers, body = s.request("GET", f"/api/v1/search/{kind}?" + urllib.parse.urlencode(pairs))
    if status != 200:
        return status, json.loads(body)["error"]
    equal(headers["content-type"], "application/x-ndjson; charset=utf-8", "content type")
    lines = [json.loads(line) for line in body.decode().splitlines()]
    return [line["results"] for line in lines[:-1]], lines[-1]


done, more = {"status": "success", "has_more": False}, {"status": "success", "has_more": True}
names = ["http_inflight", "http_requests_total", "m", "node.cpu"]
equal(search("metric_names"), ([[{"name": n} for n in names]], done), "all names")
equal(search("metric_names", batch_size=3), ([[{"name": n} for n in names[:3]], [{"name": names[3]}]], done), "batches")
equal(search("metric_names", limit=2, sort_by="alpha", sort_dir="dsc"),
      ([[{"name": "node.cpu"}, {"name": "m"}]], more), "descending, limited")
equal(search("metric_names", limit=4), ([[{"name": n} for n in names]], done), "limit reached exactly")
equal(search("metric_names", **{"search[]": "htpreq", "include_metadata": "true"}),
      ([[{"name": "http_requests_total", "type": "counter", "help": "Requests <all>."}]], done), "subsequence, metadata")
equal(search("metric_names", **{"search[]": ["total", "node"], "sort_by": "score", "include_score": "true",
                                "fuzz_alg": "jarowinkler"}),
      ([[{"name": "node.cpu", "score": 1}, {"name": "http_requests_total", "score": 0.9}]], done), "scores")
equal(search("metric_names", **{"search[]": "HTTP", "case_sensitive": "false"})[0],
      [[{"name": n} for n in names[:2]]], "any case")
equal(search("metric_names", **{"match[]": ["m", '{job="n"}']}), ([[{"name": "m"}, {"name": "node.cpu"}]], done), "selectors")
equal(search("metric_names", **{"search[]": "zzz"}), ([[]], done), "nothing")
equal(search("metric_names", start=T + 9000, end=T + 9100)[0], [[]], "nothing at that time")
equal(search("label_names"), ([[{"name": n} for n in ("__name__", "http.status", "i", "job")]], done), "label names")
equal(search("label_values", label="job"), ([[{"value": "a"}, {"value": "b<&>"}, {"value": "n"}]], done), "values")
for params, text in (
        ({"limit": 0}, 'invalid limit "0": must be a positive integer'), ({"limit": "x"}, 'invalid limit "x": must be a positive integer'),
        ({"limit": 10001}, "limit 10001 exceeds the configured maximum (10000, see --web.search.max-limit)"),
        ({"batch_size": -1}, 'invalid batch_size "-1": must be non-negative integer'),
        ({"fuzz_threshold": 101}, 'invalid fuzz_threshold "101": must be 0-100'),
        ({"fuzz_alg": "x"}, 'unsupported fuzz_alg "x": must be one of [subsequence jarowinkler]'),
        ({"case_sensitive": "maybe"}, 'invalid case_sensitive "maybe": must be boolean'),
        ({"sort_dir": "asc"}, "sort_dir is only valid when sort_by is set"),
        ({"sort_by": "alpha", "sort_dir": "up"}, 'invalid sort_dir "up": must be "asc" or "dsc"'),
        ({"sort_by": "score"}, "sort_by=score requires search[] to be set"),
        ({"sort_by": "size"}, 'invalid sort_by "size" for metric_names: must be "alpha" or "score"'),
        ({"search[]": ["t"] * 33}, "too many search[] terms: got 33, maximum is 32"),
        ({"start": 5, "end": 4}, "end timestamp must not be before start timestamp"),
        ({"start": "x"}, "invalid time value for 'start': cannot parse \"x\" to a valid timestamp")):
    equal(search("metric_names", **params), (400, text), str(params))
equal(search("label_values"), (400, 'missing required parameter "label"'), "no label")

step("statistics, at each step too where that is switched on; annotations")
query = {"query": "sum_over_time(m[45s])", "start": T + 30, "end": T + 60, "step": 15}
samples = s.api("query_range", stats="all", **query)[1]["data"]["stats"]["samples"]
equal((sorted(samples), samples["totalQueryableSamples"]), (["peakSamples", "samplesRead", "totalQueryableSamples"], 27), "samples")
timings = s.api("query", query="m", stats="1")[1]
equal((list(timings["data"]["stats"]["timings"]), timings["warnings"]),
      (["evalTotalTime", "resultSortTime", "queryPreparationTime", "innerEvalTime", "execQueueTime", "execTotalTime"],
       ['value "1" for parameter "stats" is deprecated and will be rejected in the next major release, use "true" or "all"']),
      "timings, an old value")
many = " + ".join(f"quantile({k}, m)" for k in range(2, 15))
answer = s.api("query", query=many, time=T, limit=0)[1]
equal((len(answer["warnings"]), answer["warnings"][10]), (11, "3 more warning annotations omitted"), "13 warnings")
status, answer = s.api("query", query="quantile(2, m) * on(i) (m * on() m)", time=T)
check(status == 422 and "warnings" not in answer, f"an error comes without warnings: {status} {answer}")
detailed = Server(flags=["--enable-feature=promql-per-step-stats,promql-experimental-functions,promql-binop-fill-modifiers,"
                         "promql-extended-range-selectors"])
load(detailed)
samples = detailed.api("query_range", stats="all", **query)[1]["data"]["stats"]["samples"]
equal((samples["totalQueryableSamplesPerStep"], samples["samplesReadPerStep"]),
      ([[T + 30, 9], [T + 45, 9], [T + 60, 9]], [[T + 30, 9], [T + 45, 3], [T + 60, 3]]), "by step")
check("samplesReadPerStep" not in detailed.api("query_range", stats="true", **query)[1]["data"]["stats"]["samples"], "only for all")
equal(detailed.api("features")[1]["data"]["promql"]["per_step_stats"], True, "feature")
announced(detailed)
equal(detailed.stop(), 0, "exit status")

step("the OpenAPI document is YAML and refers to what it defines")
for version in ("3.1", "3.2"):
    status, headers, body = s.request("GET", "/api/v1/openapi.yaml?openapi_version=" + version)
    text = body.decode()
    check(status == 200 and headers["content-type"] == "application/yaml; charset=utf-8" and
          text.startswith(f"openapi: {version}.0\n"), f"{version}: {status} {headers}")
    defined = set(re.findall(r"^    (\w+):$", text[text.index("\ncomponents:"):], re.M))
    used = set(re.findall(r"#/components/\w+/(\w+)", text))
    check(used <= defined, f"not defined: {used - defined}")
    try:
        import yaml as parser
    except ImportError:
        continue
    ids = [op["operationId"] for p in parser.safe_load(text)["paths"].values() for m, op in p.items() if m != "servers"]
    equal(len(ids), len(set(ids)), "operation ids are unique")

step("requests that can be read in two ways are refused, and the connection closed (E3)")
HOST, POST = b"Host: x\r\n", b"POST /api/v1/query HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
for what, request, want in (
        ("two lengths", POST + b"Content-Length: 7\r\nContent-Length: 7\r\n\r\nquery=1", 400),
        ("two different lengths", POST + b"Content-Length: 7\r\nContent-Length: 5\r\n\r\nquery=1", 400),
        ("length and chunks", POST + b"Content-Length: 7\r\n" + CHUNKED + b"\r\n7\r\nquery=1\r\n0\r\n\r\n", 400),
        ("chunks and length", POST + CHUNKED + b"Content-Length: 7\r\n\r\n7\r\nquery=1\r\n0\r\n\r\n", 400),
        ("two encodings", POST + CHUNKED + CHUNKED + b"\r\n0\r\n\r\n", 400),
        ("another encoding", POST + b"Transfer-Encoding: gzip\r\n\r\n", 501),
        ("nearly chunked", POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
        ("a list of encodings", POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        ("chunks in 1.0", POST.replace(b"1.1", b"1.0") + CHUNKED + b"\r\n0\r\n\r\n", 400),
        ("negative length", POST + b"Content-Length: -7\r\n\r\n", 400), ("signed length", POST + b"Content-Length: +7\r\n\r\n", 400),
        ("a list of lengths", POST + b"Content-Length: 7, 7\r\n\r\nquery=1", 400),
        ("hexadecimal length", POST + b"Content-Length: 0x7\r\n\r\n", 400),
        ("no length", POST + b"Content-Length: \r\n\r\n", 400),
        ("overflowing length", POST + b"Content-Length: 99999999999999999999\r\n\r\n", 413),
        ("overflowing chunk", POST + CHUNKED + b"\r\nFFFFFFFFFFFFFFFFF\r\nx\r\n0\r\n\r\n", 413),
        ("no chunk size", POST + CHUNKED + b"\r\nzz\r\nx\r\n", 400), ("negative chunk", POST + CHUNKED + b"\r\n-1\r\nx\r\n", 400),
        ("no host", b"GET /-/healthy HTTP/1.1\r\n\r\n", 400), ("two hosts", b"GET /-/healthy HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("HTTP/0.9", b"GET /-/healthy\r\n\r\n", 400), ("HTTP/1.2", b"GET /-/healthy HTTP/1.2\r\n" + HOST + b"\r\n", 505),
        ("HTTP/2.0", b"GET /-/healthy HTTP/2.0\r\n" + HOST + b"\r\n", 505),
        ("a blank before the colon", POST + b"Content-Length : 7\r\n\r\nquery=1", 400),
        ("a folded length", b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nX: a\r\n Content-Length: 7\r\n\r\n", 400),
        ("a bare CR", b"GET /-/healthy HTTP/1.1\r\nHost: x\rX: y\r\n\r\n", 400),
        ("no colon", b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nfoo\r\n\r\n", 400),
        ("8-bit header name", b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nX\xff: y\r\n\r\n", 400),
        ("a blank in the target", b"GET /-/healthy x HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        ("a broken escape in the path", b"GET /api/v1/%zz HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        ("no path", b"GET nope HTTP/1.1\r\n" + HOST + b"\r\n", 400)):
    got, closed = exchange(s.port, request)
    check(closed and got.startswith(f"HTTP/1.1 {want} ".encode()), f"{what}: closed {closed}, {got[:300]!r}")
for what, request, want in (
        ("HTTP/1.0 without host", b"GET /-/healthy HTTP/1.0\r\n\r\n", 200),
        ("an absolute target", b"GET http://x:1/-/healthy HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n", 200),
        ("an escaped letter", b"GET /%2d/healthy HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n", 200),
        ("an escaped slash", b"GET /-%2fhealthy HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n", 404),
        ("dots", b"GET /x/..%2f-/healthy HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n", 404),
        ("two slashes", b"GET //-/healthy HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n", 404),
        ("all of the server", b"OPTIONS * HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n", 204),
        ("chunks", POST + b"Connection: close\r\n" + CHUNKED + b"\r\n7\r\nquery=1\r\n0\r\n\r\n", 200)):
    got, closed = exchange(s.port, request)
    check(closed and got.startswith(f"HTTP/1.1 {want} ".encode()), f"{what}: {got[:300]!r}")
# what follows a refused request on the connection is not answered
got, closed = exchange(s.port, POST + b"Content-Length: 7\r\n" + CHUNKED + b"\r\n0\r\n\r\nGET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
check(closed and b"Healthy" not in got, f"smuggled: {got[:500]!r}")

step("multipart fields are parameters behind those of the URL")
form = b'--b\r\nContent-Disposition: form-data; name="query"\r\n\r\n2\r\n--b--\r\n'
kind = {"Content-Type": "multipart/form-data; boundary=b"}
result = lambda url: json.loads(s.request("POST", url, form, kind)[2])["data"]["result"]
equal(result("/api/v1/query?time=5"), [5, "2"], "a field")
equal(result("/api/v1/query?time=5&query=1"), [5, "1"], "the URL goes first")
equal(s.request("POST", "/api/v1/query", form[:-4], kind)[0], 400, "cut short")

step("small answers are compressed too; lines of search and events are not")
for path, coding in (("/api/v1/query?query=1", "gzip"), ("/-/healthy", "gzip"), ("/api/v1/search/metric_names", None)):
    equal(s.request("GET", path, headers={"Accept-Encoding": "gzip"})[1].get("content-encoding"), coding, path)

step("live notifications: what is, what becomes, and the end of the server")


class Events:
    """A listener; `lines` grows as events come."""

    def __init__(self, port):
        self.lines, self.ended = [], False
        self.c = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.c.request("GET", "/api/v1/notifications/live", headers={"Accept-Encoding": "gzip"})
        self.sock = self.c.sock
        self.r = self.c.getresponse()
        self.thread = threading.Thread(target=self.read, daemon=True)
        if self.r.status == 200:
            self.thread.start()

    def read(self):
        try:
            while line := self.r.readline():
                if line.startswith(b"data: "):
                    self.lines.append(json.loads(line[6:]))
        except (OSError, http.client.HTTPException, ValueError, AttributeError):
            pass
        self.ended = True

    def texts(self):
        return [(e["text"], e["active"]) for e in self.lines]


d = folder()
with open(d + "/varve.yml", "w") as f:
    f.write("global: {}\n")
live = Server(flags=[f"--config.file={d}/varve.yml", "--web.max-notifications-subscribers=2"])
first, second = Events(live.port), Events(live.port)
equal((first.r.status, first.r.getheader("content-type"), first.r.getheader("content-encoding")), (200, "text/event-stream", None), "head")
equal(Events(live.port).r.status, 204, "one more than allowed")
with open(d + "/varve.yml", "w") as f:
    f.write("nope: [\n")
equal(live.request("POST", "/-/reload")[0], 500, "reload of a broken file")
failed = "Configuration reload has failed."
until("the event", lambda: first.texts() == second.texts() == [(failed, True)], seconds=5)
current = live.api("notifications")[1]["data"]
equal([(n["text"], n["active"]) for n in current], [(failed, True)], "the list")
second.sock.shutdown(socket.SHUT_RDWR)
third = until("the place is free again", lambda: (e := Events(live.port)).r.status == 200 and e, seconds=5)
until("what is active comes first", lambda: third.texts() == [(failed, True)], seconds=5)
with open(d + "/varve.yml", "w") as f:
    f.write("global: {evaluation_interval: 30s}\n")
equal(live.request("POST", "/-/reload")[0], 200, "reload")
until("it is taken back", lambda: first.texts() == [(failed, True), (failed, False)], seconds=5)
check("evaluation_interval: 30s" in live.api("status/config")[1]["data"]["yaml"], "the new configuration")
begun = time.time()
equal(live.stop(), 0, "exit status")
check(time.time() - begun < 5, "listeners delay the end")
until("the streams end", lambda: first.ended and third.ended, seconds=5)
equal(first.texts()[-1], ("Prometheus is shutting down and gracefully stopping all operations.", True), "the last event")

step("the end of a server that is busy: requests are answered or refused, none is torn")
for _ in range(3):
    busy, seen = Server(), []

    def keep_asking():
        c = http.client.HTTPConnection("127.0.0.1", busy.port, timeout=10)
        try:
            while True:
                c.request("GET", "/api/v1/query?query=vector(1)")
                seen.append(c.getresponse().read()[:20])
                c.request("POST", "/api/v1/query", "query=1", FORM)
                seen.append(c.getresponse().read()[:20])
        except (OSError, http.client.HTTPException):
            pass

    threads = [threading.Thread(target=keep_asking) for _ in range(8)]
    for t in threads:
        t.start()
    until("they are answered", lambda: len(seen) > 200)
    equal(busy.stop(), 0, f"exit status under load: {busy.log()[-500:]}")
    for t in threads:
        t.join()
    equal(set(seen) - {b'{"status":"success",', b"Service Unavailable"}, set(), "answers")

step("CORS")
equal(s.request("GET", "/api/v1/labels", headers={"Origin": "http://a.b"})[1]["access-control-allow-origin"], "*", "any origin")
check("access-control-allow-origin" not in s.request("GET", "/-/healthy", headers={"Origin": "http://a.b"})[1], "only the API")
cors = Server(flags=["--web.cors.origin=https?://(one|two)[.]example"])
for origin, want in (("https://one.example", "https://one.example"), ("http://two.example", "http://two.example"),
                     ("https://one.example.evil", None), ("https://three.example", None)):
    headers = cors.request("GET", "/api/v1/labels", headers={"Origin": origin})[1]
    equal(headers.get("access-control-allow-origin"), want, origin)
    check("Origin" in headers["vary"] and headers["access-control-expose-headers"] == "Date", f"{headers}")
equal(cors.stop(), 0, "exit status")

step("a request that drips in, and a connection that sends none, are cut (E1)")
slow = Server(flags=["--web.read-timeout=500ms"])


def drip(head, piece):
    """Seconds until the server closes."""
    begun = time.time()
    with socket.create_connection(("127.0.0.1", slow.port)) as c:
        c.settimeout(0.05)
        c.sendall(head)
        while time.time() - begun < 5:
            try:
                if piece:
                    c.sendall(piece)
                if not c.recv(4096):
                    break
            except socket.timeout:
                pass
            except OSError:
                break
    return time.time() - begun


for what, head, piece in (("headers", b"GET / HTTP/1.1\r\nHost: x\r\nX: ", b"a"), ("nothing", b"", b""),
                          ("a body", POST + b"Content-Length: 1000\r\n\r\n", b"a"),
                          ("no second request", b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n", b"")):
    check(0.4 < drip(head, piece) < 2, f"{what}: not cut in time")
equal(slow.request("GET", "/api/v1/query?query=" + urllib.parse.quote("sum_over_time(vector(1)[1000000s:1s])"))[0], 200, "a query")
until("no connection is left", lambda: re.search(rb"varve_http_connections 1\n", slow.request("GET", "/metrics")[2]), seconds=5)
equal(slow.stop(), 0, "exit status")

step("external URL and route prefix")


def ready(server, prefix):
    try:
        return server.request("GET", prefix + "/-/ready")[0] == 200
    except OSError:
        return False


for flags, prefix, location in ((["--web.external-url=http://h/a/b/"], "/a/b", "/a/b/query"),
                                (["--web.external-url=http://h/a", "--web.route-prefix=/"], "", "/a/query"),
                                (["--web.route-prefix=x/"], "/x", "/query")):
    below = Server(flags=flags, wait=False)
    until("it is ready", lambda: ready(below, prefix))
    equal(below.request("GET", prefix + "/api/v1/query?query=1&time=4")[0], 200, f"{flags}")
    status, headers, _ = below.request("GET", prefix + "/")
    equal((status, headers["location"]), (302, location), f"{flags}: /")
    status, headers, _ = below.request("GET", prefix + "/graph?g0.expr=up")
    equal((status, headers["location"]), (302, location + "?g0.expr=up"), f"{flags}: /graph")
    status, headers, page = below.request("GET", prefix + "/query?g0.expr=a%3C%22b%22&g1.expr=up")
    equal((status, headers["content-type"]), (200, "text/html; charset=utf-8"), f"{flags}: /query")
    check("default-src 'none'" in headers["content-security-policy"], f"{headers}")
    for part in (f'"{location[:-6]}/metrics"', f'"{location[:-6]}/api/v1/query?query=a%3C%22b%22"', "<code>a&#60;&#34;b", "<code>up</code>"):
        check(part in page.decode(), f"{flags}: no {part} in {page.decode()}")
    if prefix:
        equal(below.request("GET", "/api/v1/query?query=1")[0], 404, f"{flags}: outside")
        equal(below.request("GET", prefix + "x/-/healthy")[0], 404, f"{flags}: beside")
        status, headers, _ = below.request("GET", "/")
        equal((status, headers["location"]), (302, prefix), f"{flags}: / outside")
    check(f'url: "{location[:-6]}/api/v1"' in below.request("GET", prefix + "/api/v1/openapi.yaml")[2].decode(), "server of the document")
    equal(below.stop(), 0, "exit status")
for flag in ("--web.external-url='http://h'", "--web.external-url=ftp://h", "--web.cors.origin=("):
    p = subprocess.run([VARVE, "serve", f"--storage.tsdb.path={folder()}", f"--web.listen-address=127.0.0.1:{free_port()}", flag],
                       capture_output=True, text=True, timeout=20, check=False)
    check(p.returncode != 0 and "error:" in p.stderr, f"{flag}: {p.returncode} {p.stderr}")
equal(s.stop(), 0, "exit status")
print("ok")
