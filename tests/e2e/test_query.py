"""The query API over HTTP: envelopes, parameters, every refusal with its status and text, formats of numbers,
compression, limits, deadlines, clients that leave.
"""
import gzip
import json
import os
import socket
import threading
import time
import urllib.parse
import zlib

from lib import (V2, Server, check, equal, f64, field, folder, integer, post_write, step, until, v2_request, v2_series,
                 varint)

T = 1600000000  # start of the data, in seconds
s = Server(flags=["--query.max-samples=1000000", "--query.timeout=20s"])
s.write([({"__name__": "m", "i": str(i)}, [((T + 15 * k) * 1000, 10 * i + k) for k in range(20)]) for i in range(3)])
s.write([({"__name__": "fine"}, [(T * 1000 + 50, 0.1), (T * 1000 + 1000, 1e21), (T * 1000 + 2007, 1e-7)]),
         ({"__name__": "odd <b>", "x": 'a"<&>\\\n\x01\u00e9\u2028'}, [(T * 1000, 1)]),
         ({"__name__": "http.status", "a.b": "dotted"}, [(T * 1000, 1)])])


def cpu_seconds(server=s):
    with open(f"/proc/{server.pid()}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def get(path, params=(), method="GET", headers=None, server=s):
    """(status, headers, text)"""
    query = urllib.parse.urlencode(params, doseq=True)
    status, got, body = server.request(method, path + ("?" + query if query else ""), headers=headers)
    return status, got, body.decode(errors="replace")


def data(path, **params):
    status, _, text = get("/api/v1/" + path, params)
    answer = json.loads(text) if text else None
    check(status == 200 and answer["status"] == "success", f"{path} {params}: {status} {text}")
    return answer["data"]


def raw(query, time_s, path="query", **more):
    """The text of a successful answer."""
    status, _, text = get("/api/v1/" + path, {"query": query, "time": time_s, **more})
    equal(status, 200, f"{query}: {text}")
    return text


def refused(path, params, status, kind, text):
    got, headers, body = get("/api/v1/" + path, params)
    equal(headers["content-type"], "application/json", f"content type of {path} {params}: {body[:200]}")
    answer = json.loads(body)
    equal((got, answer["status"], answer["errorType"]), (status, "error", kind), f"{path} {params}: {body[:300]}")
    check(answer["error"] == text if isinstance(text, str) else text(answer["error"]), f"{path} {params}: {answer}")


step("paths and methods")
for path in ("/nope", "/api/v1/nope", "/api/v1/query/", "//api/v1/query?query=1", "/api/v1/%2e%2e/v1/query?query=1",
             "/api/v1/label//values", "/api/v1/label/values", "/api/v1/label/a/b/values", "/api/v1/QUERY"):
    status, headers, text = get(path)
    equal((status, text), (404, "404 page not found\n"), path)
equal(get("/api/v1/query%00?query=1")[0], 400, "NUL in the path")
for broken in ("%", "%4", "%zz", "1&x=%f"):
    status, headers, text = get("/api/v1/query?query=" + broken)
    check(status == 400 and json.loads(text)["error"].startswith("error parsing form values: invalid URL escape "),
          f"broken escape {broken}: {status} {text}")
status, headers, text = get("/api/v1/query?query=1%002")
check(status == 400 and "unexpected character: '\\\\x00'" in text, f"NUL in a query: {status} {text}")
equal(get("/api/v1/query?query=1", headers={"X-Long": "a" * (100 << 10)})[0], 200, "100 KiB of headers")
equal(get("/api/v1/query?query=1", headers={"X-Long": "a" * (130 << 10)})[0], 431, "130 KiB of headers")
for path, method, allow in (("query", "DELETE", "GET, HEAD, OPTIONS, POST"), ("write", "GET", "OPTIONS, POST"),
                            ("status/buildinfo", "POST", "GET, HEAD, OPTIONS"),
                            ("admin/tsdb/snapshot", "GET", "OPTIONS, POST, PUT"),
                            ("query", "PROPFIND", "GET, HEAD, OPTIONS, POST")):
    status, headers, text = get("/api/v1/" + path, method=method)
    equal((status, headers["allow"], text), (405, allow, "Method Not Allowed\n"), f"{method} {path}")
for path in ("query", "series", "nope"):
    status, headers, text = get("/api/v1/" + path, method="OPTIONS", headers={"Origin": "http://grafana"})
    equal((status, text, headers["access-control-allow-origin"]), (204, "", "*"), f"OPTIONS {path}")
    equal(headers["access-control-allow-methods"], "GET, POST, OPTIONS", "CORS methods")
    equal(headers["access-control-allow-headers"], "Accept, Authorization, Content-Type, Origin", "CORS headers")
    equal(headers["access-control-expose-headers"], "Date", "CORS exposed")
headers = get("/api/v1/labels")[1]
check("access-control-allow-origin" not in headers and "Origin" in headers["vary"], "no Origin, no CORS headers")
equal(s.request("HEAD", "/api/v1/labels")[::2], (200, b""), "HEAD")

step("envelopes and empty results")
for path, params, want in (
        ("query", {"query": "nope", "time": T}, '{"status":"success","data":{"resultType":"vector","result":[]}}'),
        ("query", {"query": "nope[5m]", "time": T}, '{"status":"success","data":{"resultType":"matrix","result":[]}}'),
        ("query_range", {"query": "nope", "start": T, "end": T, "step": 1},
         '{"status":"success","data":{"resultType":"matrix","result":[]}}'),
        ("series", {"match[]": "nope"}, '{"status":"success","data":[]}'),
        ("series", {"match[]": "m", "start": 2, "end": 1}, '{"status":"success","data":[]}'),
        ("labels", {"match[]": "nope"}, '{"status":"success","data":[]}'),
        ("labels", {"start": 2, "end": 1}, '{"status":"success","data":[]}'),
        ("label/nope/values", {}, '{"status":"success","data":[]}'),
        ("query_exemplars", {"query": "m"}, '{"status":"success","data":[]}'),
        ("metadata", {}, '{"status":"success","data":{}}')):
    status, headers, text = get("/api/v1/" + path, params)
    equal((status, text, headers["content-type"]), (200, want, "application/json"), f"{path} {params}")
equal(get("/api/v1/query_exemplars", {"query": "1"})[::2], (204, ""), "exemplars of a query without selectors")

step("values, times and strings as upstream writes them")
vector = '{"status":"success","data":{"resultType":"vector","result":['
equal(raw("m", T), vector + ",".join(f'{{"metric":{{"__name__":"m","i":"{i}"}},"value":[{T},"{10 * i}"]}}'
                                     for i in range(3)) + "]}}", "a vector")
for query, at, want in (
        ("fine", f"{T}.05", f'[{T}.050,"0.1"]'), ("fine", T + 1, f'[{T + 1},"1e+21"]'),
        ("fine", f"{T + 2}.5", f'[{T + 2}.500,"1e-07"]'), ("-m * 0", T, f'[{T},"-0"]'), ("m / 0", T + 15, f'[{T + 15},"+Inf"]'),
        ("-1 - m / 0", T + 15, f'[{T + 15},"-Inf"]'), ("m * NaN", T, f'[{T},"NaN"]'), ("vector(-1)", "-1.5", '[-1.500,"-1"]'),
        ("vector(123456789012345678901)", 1, '[1,"123456789012345680000"]'),
        ("1e21", "1.050", '[1.05,"1000000000000000000000"]'), ("1e-7", 1, '[1,"0.0000001"]'), ('"a<b\\n"', 2, '[2,"a\\u003cb\\n"]'),
        ("fine[1s]", T + 1, f'"values":[[{T}.050,"0.1"],[{T + 1},"1e+21"]]')):
    check(want in raw(query, at), f"{query} at {at}: {raw(query, at)} lacks {want}")
check(r'{"__name__":"odd <b>","x":"a\"<&>\\\n\u0001' + '\u00e9\u2028"}' in raw('{"odd <b>"}', T),
      f"labels of a metric: {raw(chr(123) + chr(34) + 'odd <b>' + chr(34) + chr(125), T)}")
equal(data("label/x/values"), ['a"<&>\\\n\x01\u00e9\u2028'], "a label value")
check("\\u003c\\u0026\\u003e\\\\\\n\\u0001\u00e9\\u2028" in get("/api/v1/label/x/values")[2], "lists of strings are HTML-safe")
equal(data("query_range", query="1", start=0, end=2, step=1),
      {"resultType": "matrix", "result": [{"metric": {}, "values": [[0, "1"], [1, "1"], [2, "1"]]}]}, "a scalar's range")
equal([v for _, v in data("query_range", query='m{i="0"}', start=T, end=T + 30, step=15)["result"][0]["values"]],
      ["0", "1", "2"], "a range")
for at in ("2020-09-13T12:26:40Z", "2020-09-13T13:26:40.000+01:00", "1.6e9", str(T)):
    check(f"[{T}," in raw("m", at), f"time {at}")

step("bad parameters of query")
for params, text in (
        ({}, 'invalid parameter "query": unknown position: parse error: no expression found in input'),
        ({"query": "m[5m"}, lambda e: e.startswith('invalid parameter "query": 1:5: parse error: ')),
        ({"query": "("}, 'invalid parameter "query": 1:2: parse error: unclosed left parenthesis'),
        ({"query": "1", "time": "x"},
         'invalid parameter "time": invalid time value for \'time\': cannot parse "x" to a valid timestamp'),
        ({"query": "1", "timeout": "x"}, 'invalid parameter "timeout": cannot parse "x" to a valid duration'),
        ({"query": "1", "lookback_delta": "x"}, 'invalid parameter "lookback_delta": cannot parse "x" to a valid duration'),
        ({"query": "1", "limit": "-1"}, 'invalid parameter "limit": limit must be non-negative'),
        ({"query": "1", "limit": "x"}, 'invalid parameter "limit": strconv.Atoi: parsing "x": invalid syntax'),
        ({"query": "<"}, 'invalid parameter "query": 1:1: parse error: unexpected <op:<>')):
    refused("query", params, 400, "bad_data", text)
check("<" not in get("/api/v1/query", {"query": "<"})[2], "errors are HTML-safe")
for at in ("NaN", "Inf", "1e300", "2020-13-01T00:00:00Z", "0x10", " 1"):
    refused("query", {"query": "1", "time": at}, 400, "bad_data", lambda e: "to a valid timestamp" in e)

step("bad parameters of query_range (D13)")
positive = ('invalid parameter "step": zero or negative query resolution step widths are not accepted. '
            "Try a positive integer")
resolution = ("exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution "
              "(?step=XX)")
for change, text in (
        ({"start": ""}, 'invalid parameter "start": cannot parse "" to a valid timestamp'),
        ({"end": "x"}, 'invalid parameter "end": cannot parse "x" to a valid timestamp'),
        ({"start": 11}, 'invalid parameter "end": end timestamp must not be before start time'),
        ({"step": ""}, 'invalid parameter "step": cannot parse "" to a valid duration'),
        ({"step": "0"}, positive), ({"step": "-1"}, positive), ({"step": "0.0000001"}, positive),
        ({"step": "1ns"}, 'invalid parameter "step": cannot parse "1ns" to a valid duration'),
        ({"step": "NaN"}, lambda e: e.startswith('invalid parameter "step": ')),
        ({"step": "1e30"}, 'invalid parameter "step": cannot parse "1e30" to a valid duration. It overflows int64'),
        ({"step": "99999999999d"}, 'invalid parameter "step": cannot parse "99999999999d" to a valid duration'),
        ({"end": 11001}, resolution), ({"end": 4e9, "step": "1ms"}, resolution), ({"step": "0.001", "end": 11.001}, resolution),
        ({"query": "m[5m]"}, 'invalid parameter "query": invalid expression type "range vector" for range query, '
         "must be Scalar or instant Vector"),
        ({"query": '"x"'}, 'invalid parameter "query": invalid expression type "string" for range query, '
         "must be Scalar or instant Vector"),
        ({"query": "m{"}, 'invalid parameter "query": 1:3: parse error: unexpected end of input inside braces')):
    refused("query_range", {"query": "1", "start": 0, "end": 10, "step": 1, **change}, 400, "bad_data", text)
equal(len(data("query_range", query="1", start=0, end=11000, step=1)["result"][0]["values"]), 11001, "points that may be")

step("bad parameters of series, labels, values, exemplars, metadata, formatting")
empty = "match[] must contain at least one non-empty matcher"
bad_time = 'invalid parameter "start": invalid time value for \'start\': cannot parse "x" to a valid timestamp'
for path, params, text in (
        ("series", {}, "no match[] parameter provided"), ("series", {"match[]": "{}"}, f'invalid parameter "match[]": {empty}'),
        ("series", {"match[]": ["m", '{a=~".*"}']}, f'invalid parameter "match[]": {empty}'),
        ("series", {"match[]": "m["}, 'invalid parameter "match[]": 1:2: parse error: unexpected "["'),
        ("labels", {"match[]": "{}"}, empty), ("label/i/values", {"match[]": '{a!="x"}'}, empty),
        ("labels", {"match[]": "m["}, '1:2: parse error: unexpected "["'),
        ("series", {"match[]": "m", "start": "x"}, bad_time), ("labels", {"start": "x"}, bad_time),
        ("label/i/values", {"start": "x"}, bad_time), ("query_exemplars", {"query": "m", "start": "x"}, bad_time),
        ("labels", {"limit": "-1"}, 'invalid parameter "limit": limit must be non-negative'),
        ("query_exemplars", {"query": "m", "start": 2, "end": 1}, "end timestamp must not be before start timestamp"),
        ("query_exemplars", {"query": "("}, "1:2: parse error: unclosed left parenthesis"),
        ("format_query", {"query": "("}, 'invalid parameter "query": 1:2: parse error: unclosed left parenthesis'),
        ("metadata", {"limit": "x"}, "limit must be a number"),
        ("label/%ff/values", {}, 'invalid label name: "\\xff"')):
    refused(path, params, 400, "bad_data", text)

step("labels, series, limits with their warning, escaped names")
equal(data("labels"), ["__name__", "a.b", "i", "x"], "label names")
equal(data("label/i/values"), ["0", "1", "2"], "values")
equal(data("label/U__a_2e_b/values"), ["dotted"], "an escaped label name")
equal(data("label/__name__/values", **{"match[]": ['{i="1"}', "fine"]}), ["fine", "m"], "values of two selectors")
equal(data("series", **{"match[]": ['m{i=~"1|2"}', 'm{i="1"}', '{"http.status"}']}),
      [{"__name__": "http.status", "a.b": "dotted"}, {"__name__": "m", "i": "1"}, {"__name__": "m", "i": "2"}], "series")
cut = ["results truncated due to limit"]
for path, params, rows in (("labels", {}, 4), ("label/i/values", {}, 3), ("series", {"match[]": "m"}, 3),
                           ("query", {"query": "m", "time": T}, 3), ("query", {"query": "m[1m]", "time": T}, 3),
                           ("query_range", {"query": "m", "start": T, "end": T, "step": 1}, 3)):
    for limit in (0, rows - 1, rows, rows + 1):
        answer = json.loads(get("/api/v1/" + path, {**params, "limit": limit})[2])
        got = answer["data"] if isinstance(answer["data"], list) else answer["data"]["result"]
        truncated = limit == rows - 1
        equal((len(got), answer.get("warnings", [])), (limit if truncated else rows, cut if truncated else []),
              f"{path} with limit {limit}")

step("POST forms, parameters of URL and body, compression")
form = {"Content-Type": "application/x-www-form-urlencoded"}
for path in ("query", "query_range", "series", "labels", "format_query", "query_exemplars"):
    params = urllib.parse.urlencode({"query": "m", "match[]": "m", "time": T, "start": T, "end": T, "step": 1})
    posted, got = s.request("POST", "/api/v1/" + path, params, form), s.request("GET", f"/api/v1/{path}?{params}")
    equal(posted[::2], got[::2], f"POST {path}")
status, _, body = s.request("POST", "/api/v1/query?query=2&time=7", "query=1", form)
equal(json.loads(body)["data"]["result"], [7, "1"], "the body goes before the URL, both count")
long = "m{" + ",".join(f'j!="{k}"' for k in range(4000)) + "}"
check(len(long) > 30000, "length")
equal(len(json.loads(s.request("POST", "/api/v1/query", urllib.parse.urlencode({"query": long, "time": T}), form)[2])
          ["data"]["result"]), 3, "a long query by POST")
params = {"query": "m", "start": T, "end": T + 300, "step": 1}
plain = get("/api/v1/query_range", params)[2].encode()
for accept in ("gzip", "br, gzip;q=0.5, deflate", "GZIP"):
    status, headers, body = s.request("GET", "/api/v1/query_range?" + urllib.parse.urlencode(params),
                                      headers={"Accept-Encoding": accept})
    equal(headers.get("content-encoding"), "gzip", f"encoding for {accept}")
    check(gzip.decompress(body) == plain and len(body) < len(plain) / 3, "gzip body")
    check("Accept-Encoding" in headers["vary"], "Vary")
_, headers, body = s.request("GET", "/api/v1/query_range?" + urllib.parse.urlencode(params),
                             headers={"Accept-Encoding": "deflate, gzip"})
check(headers.get("content-encoding") == "deflate" and zlib.decompress(body) == plain, "deflate is zlib's format")
for accept in ("", "identity", "gzip;q=0", "br"):
    headers = get("/api/v1/query_range", params, headers={"Accept-Encoding": accept})[1]
    check("content-encoding" not in headers, f"no encoding for {accept!r}")

step("format_query, exemplars, stats, lookback")
equal(data("format_query", query="foo/on(x)bar"), "foo / on (x) bar", "format_query")
equal(data("format_query", query="sum by(a)(rate(m[5m]))>bool 1"), "sum by (a) (rate(m[5m])) > bool 1", "format_query")
symbols = ["", "__name__", "ex", "trace_id", "abc"]
exemplar = field(4, field(1, varint(3) + varint(4)) + f64(2, 6) + integer(3, T * 1000 + 479))
equal(post_write(s, v2_request(symbols, [v2_series([1, 2], [(T * 1000 + 500, 1)], exemplar)]), V2)[0], 204, "exemplar")
equal(data("query_exemplars", query="rate(ex[5m]) + m", start=T, end=T + 1),
      [{"seriesLabels": {"__name__": "ex"}, "exemplars": [{"labels": {"trace_id": "abc"}, "value": "6",
                                                           "timestamp": T + 0.479}]}], "query_exemplars")
check(f'"timestamp":{T}.479' in get("/api/v1/query_exemplars", {"query": "ex"})[2], "milliseconds of an exemplar")
equal(data("query_exemplars", query="ex", start=T + 1), [], "exemplars of another time")
for value, warned in (("all", False), ("true", False), ("1", True)):
    answer = json.loads(raw("sum(m)", T, stats=value))
    equal(sorted(answer["data"]["stats"]), ["samples", "timings"], "stats")
    equal(sorted(answer["data"]["stats"]["timings"]), ["evalTotalTime", "execQueueTime", "execTotalTime", "innerEvalTime",
                                                       "queryPreparationTime", "resultSortTime"], "timings")
    equal(answer["data"]["stats"]["samples"]["totalQueryableSamples"], 3, "samples")
    equal("warnings" in answer, warned, f"warning for stats={value}")
check("stats" not in json.loads(raw("sum(m)", T))["data"], "stats unasked")
equal([len(json.loads(raw("m", T + 500, lookback_delta=d))["data"]["result"]) for d in ("1m", "10m", "0")], [0, 3, 3],
      "lookback_delta")

step("errors of evaluation are 422, warnings and infos are not")
for query, text in (("m + on() m", "found duplicate series for the match group {} on the right hand-side of the operation"),
                    ('label_replace(m, "i", "x", "i", ".*")', "vector cannot contain metrics with the same labelset"),
                    ("sum_over_time(m[10y:1s])", "subquery")):
    refused("query", {"query": query, "time": T}, 422, "execution", lambda e: text in e)
answer = json.loads(raw("quantile(2, m)", T))
check(answer["warnings"] == ["PromQL warning: quantile value should be between 0 and 1, got 2 (1:10)"], f"{answer}")
answer = json.loads(raw("rate(fine[10s])", T + 5))
check("might not be a counter" in answer["infos"][0] and "warnings" not in answer, f"{answer}")
many = json.loads(raw(" or ".join(f"quantile({k}, m)" for k in range(2, 15)), T))["warnings"]
equal((len(many), many[-1]), (11, "3 more warning annotations omitted"), "at most ten warnings")

step("hostile queries (D10, D12) are refused at once, with a stack of 256 KiB too")
small = Server(wrapper=["prlimit", "--stack=262144"])
for server in (s, small):
    for what, query, limit in (
            ("parentheses", "(" * 100000 + "1" + ")" * 100000, 100000), ("30,000 parentheses", "(" * 30000 + "1" + ")" * 30000, 0),
            ("unary", "-" * 100000 + "1", 0), ("30,000 unary", "-" * 30000 + "1", 0), ("functions", "abs(" * 15000 + "m" + ")" * 15000, 0),
            ("a+a+a", "+".join(["a"] * 100000), 0), ("30,000 a+a+a", "+".join(["a"] * 30000), 0), ("powers", "^".join(["1"] * 30000), 0),
            ("subqueries", "m" + "[1m:1s]" * 9000, 0), ("aggregations", "sum(" * 15000 + "m" + ")" * 15000, 0),
            ("braces", "{" * 60000, 0), ("brackets", "m" + "[" * 60000, 0), ("string", '"' + "x" * 1100000 + '"', 0), ("a+a+a of 1 MB", "+".join(["a"] * 500000), 0),
            ("300,000 matchers", "m{" + "a=''," * 170000 + "}", 0), ("1 MB of groups", 'm{i=~"' + "(" * 500000 + '"}', 0),
            ("nested quantifiers", 'm{i=~"(((a{100}){100}){100}){100}"}', 0), ("repeats", 'm{i=~"x{1000}{1000}"}', 0),
            ("bad UTF-8", b'm{i=~"\xff\xfe"}', 0), ("NUL", "m\0", 0), ("open groups", 'm{i=~"' + "(" * 30000 + '"}', 0)):
        body = "query=" + urllib.parse.quote(query) + f"&time={T}"
        begun = cpu_seconds(server)
        status, _, got = server.request("POST", "/api/v1/query", body, form)
        took = cpu_seconds(server) - begun
        check(status == 400 and json.loads(got)["errorType"] == "bad_data", f"{what}: {status} {got[:300]!r}")
        check(took < 0.25, f"{what}: took {took:.2f} s of the processor")
    begun = cpu_seconds(server)
    alternatives = "|".join(f"{k:x}" for k in range(11000))
    status, _, got = server.request("POST", "/api/v1/query", "query=" + urllib.parse.quote(f'm{{i=~"{alternatives}"}}') +
                                    f"&time={T}", form)
    equal(status, 200, f"many alternatives: {got[:300]!r}")
    check(cpu_seconds(server) - begun < 0.5, "many alternatives take long")
equal(small.stop(), 0, "exit status of the server with the small stack")

step("limits of samples and time: 422 and 503 (D11)")
for part in range(4):
    s.write([({"__name__": "big", "i": str(i)}, [((T + 15 * k) * 1000, i * 7919 + k * 31 & 1023)
                                                 for k in range(500 * part, 500 * part + 500)]) for i in range(200)])
too_many = "query processing would load too many samples into memory in query execution"
equal(len(data("query", query="big[1d]", time=T + 30000)["result"]), 200, "400,000 samples are within the limit")
for query in ("big", "big + on (i) group_left big", "sort(big)", "label_replace(big, 'x', 'y', '', '')"):
    refused("query_range", {"query": query, "start": T, "end": T + 30000, "step": 3}, 422, "execution", too_many)
heavy = {"query": "mad_over_time(big[1h])", "start": T, "end": T + 11000, "step": 1, "limit": 1}
begun = time.time()
refused("query_range", {**heavy, "query": "sum(" + heavy["query"] + ")", "timeout": "300ms"}, 503, "timeout",
        lambda e: e.startswith("query timed out in "))
check(time.time() - begun < 5, f"a timeout of 0.3 s took {time.time() - begun:.2f} s")
refused("query", {"query": "1", "timeout": "0"}, 503, "timeout", "query timed out in query queue")


def leaving_client(method):
    """Send the heavy query and keep the socket."""
    c = socket.create_connection(("127.0.0.1", s.port))
    params = urllib.parse.urlencode({**heavy, "query": "sum(" + heavy["query"] + ")"})
    if method == "GET":
        c.sendall(f"GET /api/v1/query_range?{params} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    else:
        c.sendall(f"POST /api/v1/query_range HTTP/1.1\r\nHost: x\r\nContent-Type: {form['Content-Type']}\r\n"
                  f"Content-Length: {len(params)}\r\n\r\n{params}".encode())
    return c


step("a client that leaves frees the processor (E4)")
for method in ("GET", "POST"):
    before = cpu_seconds()
    c = leaving_client(method)
    until("the query runs", lambda: cpu_seconds() > before + 0.2)
    c.close()
    until("the processor is free", lambda: (a := cpu_seconds(), time.sleep(0.3), cpu_seconds() - a < 0.1)[2], seconds=5)

step("heavy queries do not keep others waiting; too many are refused with Retry-After (E5)")
clients = [leaving_client("GET") for _ in range(4)]
begun = time.time()
for _ in range(5):
    raw("sum(m)", T)
check(time.time() - begun < 10, f"5 small queries beside heavy ones took {time.time() - begun:.2f} s")
for c in clients:
    c.close()
one = Server(data=folder(), flags=["--query.max-concurrency=1", "--query.timeout=2s"])
answers = []


def ask():
    try:
        answers.append(one.request("GET", "/api/v1/query?" + urllib.parse.urlencode(
            {"query": "sum_over_time((sum_over_time(vector(1)[3h:1s]))[3h:1s])", "time": T})))
    except OSError as e:
        answers.append((0, {}, str(e).encode()))


threads = [threading.Thread(target=ask) for _ in range(150)]
for t in threads:
    t.start()
for t in threads:
    t.join()
for status, headers, body in answers:
    check(status in (200, 503), f"{status} {body!r}")
    check(status == 200 or headers.get("retry-after") or b"query timed out in query " in body, f"{headers} {body!r}")
check(any(h.get("retry-after") for _, h, _ in answers), "150 queries at once are never too many")
equal(one.stop(), 0, "exit status")
equal(s.stop(), 0, "exit status")
print("ok")
