"""What Grafana and its kin need: checks of whole requests, in the forms such clients send.

test_clients.py runs them against Varve, and against a Varve whose answers are spoiled on the way, to see that each check
can fail; test_clients_peer.py runs them against Debian's Prometheus, to see that they ask nothing odd. The data comes by
remote write; the rules are those of configuration().
"""
import gzip
import http.client
import json
import os
import re
import threading
import time
import urllib.parse

from lib import V1, field, f64, folder, integer, label, snappy, time_series

NOW = int(time.time())
STEP = 5
E = NOW - NOW % STEP - 10
S = E - 600
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
BASE = {"job": "chk", "instance": "127.0.0.1:19599"}
ODD = 'a"b\\c\nd \u00e9 \u6f22'
EXEMPLAR_MS = E * 1000 - 7488
METADATA = {"chk_gauge": (2, "A gauge."), "chk_requests_total": (1, "Requests."), "chk_latency_seconds": (3, "Latency.")}


def data():
    times = range(E - 3900, E + 1, STEP)
    rows = [("chk_gauge", {"k": "x"}, lambda i: 42), ("chk_gauge", {"k": "y"}, lambda i: 7.5),
            ("chk_nan", {}, lambda i: float("nan")), ("chk_inf", {}, lambda i: float("inf")),
            ("chk_ninf", {}, lambda i: float("-inf")), ("chk_esc", {"v": ODD}, lambda i: 1),
            ("chk_requests_total", {"code": "200", "path": "/a"}, lambda i: 3.0 * i),
            ("chk_requests_total", {"code": "500", "path": "/a"}, lambda i: i),
            ("chk_latency_seconds_sum", {}, lambda i: 2.0 * i), ("chk_latency_seconds_count", {}, lambda i: 5 * i)]
    rows += [("chk_latency_seconds_bucket", {"le": le}, lambda i, m=m: m * i)
             for le, m in (("0.1", 1), ("0.5", 3), ("1", 4), ("+Inf", 5))]
    rows += [("up", {}, lambda i: 1), ("other_metric", {"only_here": "1"}, lambda i: i)]
    exemplar = field(3, label("trace_id", "abc146") + f64(2, 0.3) + integer(3, EXEMPLAR_MS))
    out = b"".join(time_series({"__name__": n, **BASE, **ls}, [(t * 1000, f(i)) for i, t in enumerate(times)],
                               exemplar if ls.get("le") == "0.5" else b"") for n, ls, f in rows)
    for name, (kind, text) in METADATA.items():
        out += field(3, integer(1, kind) + field(2, name.encode()) + field(4, text.encode()))
    return out


class Failed(Exception):
    pass


def need(condition, text):
    if not condition:
        raise Failed(text)


def same(got, want, text):
    need(got == want, f"{text}: got {got!r}, want {want!r}")


class Client:
    def __init__(self, port):
        self.port = port

    def raw(self, method, path, body=None, headers=None):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            c.request(method, path, body, {"Accept-Encoding": "gzip", **(headers or {})})
            r = c.getresponse()
            h = {k.lower(): v for k, v in r.getheaders()}
            b = r.read()
            return r.status, h, gzip.decompress(b) if h.get("content-encoding") == "gzip" else b
        finally:
            c.close()

    def ask(self, method, path, params=(), status=200, **more):
        """GET puts the parameters into the URL, POST into a form; the parsed answer."""
        pairs = urllib.parse.urlencode(list(params.items()) if isinstance(params, dict) else params, doseq=True)
        url = "/api/v1/" + path + ("?" + pairs if method == "GET" and pairs else "")
        got, headers, body = self.raw(method, url, pairs if method == "POST" else None,
                                      {**(FORM if method == "POST" else {}), **more})
        same(got, status, f"status of {method} {url} {pairs}: {body[:200]}")
        need(headers.get("content-type", "").startswith("application/json"), f"content type of {url}: {headers}")
        return json.loads(body), body

    def data(self, method, path, params=(), **more):
        answer, _ = self.ask(method, path, params, **more)
        same(answer["status"], "success", path)
        return answer["data"]

    def result(self, query, at=E, **more):
        return self.data("POST", "query", {"query": query, "time": at}, **more)["result"]


# ---- The checks ----

def check_01_save_and_test(c):
    status, headers, body = c.raw("POST", "/api/v1/query", "query=1%2B1&time=4", FORM)
    same((status, body), (200, b'{"status":"success","data":{"resultType":"scalar","result":[4,"2"]}}'), "body")
    need(headers["content-type"].startswith("application/json"), headers)


def check_02_buildinfo(c):
    d = c.data("GET", "status/buildinfo")
    same(sorted(d), sorted(["version", "revision", "branch", "buildUser", "buildDate", "goVersion"]), "keys")
    need(all(isinstance(v, str) for v in d.values()), d)
    numbers = re.match(r"(\d+)\.(\d+)\.(\d+)([-+].*)?$", d["version"])
    need(numbers and (int(numbers[1]), int(numbers[2])) >= (2, 24), f"a version with label queries: {d['version']}")


def check_03_rules(c):
    groups = c.data("GET", "rules")["groups"]
    kinds = set()
    for g in groups:
        need(isinstance(g["name"], str) and isinstance(g["file"], str), g)
        need(isinstance(g["interval"], (int, float)) and g["lastEvaluation"][10] == "T", g)
        for r in g["rules"]:
            kinds.add(r["type"])
            need(all(isinstance(r[k], str) for k in ("name", "query", "health")), r)
            need((r["type"] == "alerting") == ("alerts" in r and "duration" in r), r)
    same(kinds, {"recording", "alerting"}, "kinds of rules")


def check_04_exemplars(c):
    probe = {"query": "test", "start": NOW * 1000 - 1800000, "end": NOW * 1000}  # Grafana's, in milliseconds
    same(c.data("POST", "query_exemplars", probe), [], "none, for times far away")
    got = c.data("POST", "query_exemplars", {"query": "chk_latency_seconds_bucket", "start": S, "end": E})
    same(got, [{"seriesLabels": {"__name__": "chk_latency_seconds_bucket", **BASE, "le": "0.5"},
                "exemplars": [{"labels": {"trace_id": "abc146"}, "value": "0.3", "timestamp": EXEMPLAR_MS / 1000}]}], "exemplars")


def check_05_names_until_the_future(c):
    names = c.data("GET", "label/__name__/values", {"limit": 40000, "start": S - 3600, "end": E + 60})
    need(names == sorted(set(names)) and "chk_gauge" in names, names)


def check_06_labels_of_a_metric(c):
    same(c.data("POST", "labels", {"limit": 40000, "start": S, "end": E, "match[]": '{__name__=~".*chk_requests.*"}'}),
         ["__name__", "code", "instance", "job", "path"], "labels")


def check_07_metadata(c):
    entry = lambda name: [{"type": ("counter", "gauge", "histogram")[METADATA[name][0] - 1], "help": METADATA[name][1], "unit": ""}]
    d = c.data("GET", "metadata", {"limit": 40000})
    same({n: d.get(n) for n in METADATA}, {n: entry(n) for n in METADATA}, "all")
    name = "chk_latency_seconds"
    same(c.data("GET", "metadata", {"metric": name}), {name: entry(name)}, "one")


def check_08_range(c):
    p = [("end", E), ("query", 'chk_gauge{k="x"}'), ("start", E - 60), ("step", 5)]
    d = c.data("POST", "query_range", p)
    same(d["resultType"], "matrix", "type")
    same([s["values"] for s in d["result"]], [[[E - 60 + 5 * i, "42"] for i in range(13)]], "values")


def check_09_get_and_post_agree(c):
    p = [("end", E), ("query", 'chk_gauge{k="x"}'), ("start", E - 60), ("step", 5)]
    same(c.ask("GET", "query_range", p[::-1])[1], c.ask("POST", "query_range", p)[1], "bytes")


def check_10_parameters_in_url_and_body(c):
    d = c.data("POST", "query_range?max_source_resolution=5m&nocache=1&stats=all",
               {"query": "chk_gauge", "start": S, "end": E, "step": 5})
    need(isinstance(d["stats"]["samples"]["totalQueryableSamples"], int), d["stats"])


def check_11_time_with_milliseconds(c):
    same(c.result("vector(1)", f"{NOW}.551")[0]["value"][0], float(f"{NOW}.551"), "time")


def check_12_scalar_and_string(c):
    same(c.data("POST", "query", {"query": "42", "time": E}), {"resultType": "scalar", "result": [E, "42"]}, "scalar")
    same(c.data("POST", "query", {"query": '"abc"', "time": E}), {"resultType": "string", "result": [E, "abc"]}, "string")


def check_13_nothing_is_an_empty_list(c):
    for path, p in (("query", {"query": "nope", "time": E}), ("query_range", {"query": "nope", "start": S, "end": E, "step": 5})):
        same(c.data("POST", path, p)["result"], [], path)
    same(c.data("POST", "series", {"match[]": "nope"}), [], "series")
    same(c.data("GET", "label/nope/values"), [], "values")


def check_14_odd_values_and_labels(c):
    for name, want in (("chk_nan", "NaN"), ("chk_inf", "+Inf"), ("chk_ninf", "-Inf")):
        same(c.result(name)[0]["value"][1], want, name)
    same(c.result("chk_esc")[0]["metric"]["v"], ODD, "label")


def check_15_errors(c):
    e, _ = c.ask("POST", "query_range", {"query": "sum(rate(", "start": S, "end": E, "step": 5}, status=400)
    need(e["errorType"] == "bad_data" and "1:10: parse error" in e["error"], e)
    e, _ = c.ask("POST", "query", {"query": 'chk_gauge * on(job) group_left() {__name__=~"chk_gauge|chk_nan"}', "time": E},
                 status=422)
    same(e["errorType"], "execution", e)


def check_16_refused_ranges(c):
    for start_s, end_s, step_s in ((0, 11001, 1), (S, E, 0), (E, S, 5)):
        e, _ = c.ask("POST", "query_range", {"query": "up", "start": start_s, "end": end_s, "step": step_s}, status=400)
        same(e["errorType"], "bad_data", e)


def check_17_durations_as_go_prints_them(c):
    for query in ("rate(chk_requests_total[1m0s])", "avg_over_time(chk_gauge[900s])", "count_over_time(chk_gauge[1h0m15s])",
                  'group by (__name__) ({__name__!=""}) unless (group by (__name__) ({__name__!=""} offset 24h))'):
        need(c.result(query), query)


def check_18_trailing_commas_and_empty_bodies(c):
    need(c.result('avg(chk_gauge{__ignore_usage__="", })'), "avg")
    need(c.data("GET", "label/k/values", {"match[]": '{job="chk",}'}), "values")
    query = urllib.parse.urlencode({"query": "chk_gauge", "time": E})
    for headers in (FORM, {"Content-Type": "application/json"}, {}):
        status, _, body = c.raw("POST", "/api/v1/query?" + query, b"", headers)
        need(status == 200 and json.loads(body)["data"]["result"], f"{headers}: {status} {body[:200]}")


def check_19_limits_and_escaped_names(c):
    two = [("match[]", 'chk_gauge{k="y"}'), ("match[]", 'chk_gauge{k="x"}')]
    same(c.data("GET", "label/k/values", two), ["x", "y"], "union")
    answer, _ = c.ask("GET", "label/k/values", {"limit": 1})
    same((answer["data"], answer.get("warnings")), (["x"], ["results truncated due to limit"]), "limit")
    same(c.data("GET", "label/U__http_2e_status/values"), [], "escaped name")


def check_20_values_by_post(c):
    status, _, body = c.raw("POST", "/api/v1/label/k/values?" + urllib.parse.urlencode({"match[]": '{job="chk"}'}), b"", FORM)
    same((status, json.loads(body) if status == 200 else body), (200, {"status": "success", "data": ["x", "y"]}), "values")


def check_21_series_sorted(c):
    _, body = c.ask("POST", "series", {"match[]": '{__name__!=""}', "start": S, "end": E, "limit": 40000})
    pairs = json.loads(body, object_pairs_hook=list)
    sets = dict(pairs)["data"]
    need(sets and all([k for k, _ in s] == sorted(k for k, _ in s) for s in sets), "order of labels")


def check_22_probes(c):
    status, headers, body = c.raw("GET", "/api/v1/search/metric_names?limit=10")
    if status != 404:
        need(status == 200 and headers["content-type"].startswith("application/x-ndjson"), f"{status} {headers}")
        need(json.loads(body.splitlines()[-1]).get("status") == "success", body)
    same(c.raw("GET", "/alertmanager/api/v2/status")[0], 404, "Alertmanager's path")


def check_23_codings(c):
    for accept in ("gzip", "br", "zstd", "identity", None):
        conn = http.client.HTTPConnection("127.0.0.1", c.port, timeout=30)
        conn.putrequest("GET", "/api/v1/labels", skip_accept_encoding=True)
        if accept:
            conn.putheader("Accept-Encoding", accept)
        conn.endheaders()
        r = conn.getresponse()
        body = r.read()
        same((r.status, r.getheader("content-encoding")), (200, "gzip" if accept == "gzip" else None), f"{accept}")
        json.loads(gzip.decompress(body) if accept == "gzip" else body)
        conn.close()
    conn = http.client.HTTPConnection("127.0.0.1", c.port, timeout=30)
    conn.request("POST", "/api/v1/query", iter([b"query=1%2", b"B1&ti", b"me=4"]),
                 {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}, encode_chunked=True)
    r = conn.getresponse()
    same((r.status, json.loads(r.read())["data"]["result"]), (200, [4, "2"]), "chunked body")
    conn.close()


def check_24_filters_of_rules(c):
    everything = c.data("GET", "rules")["groups"]
    g = everything[-1]
    p = [("file", g["file"]), ("file[]", g["file"]), ("rule_group", g["name"]), ("rule_group[]", g["name"]),
         ("exclude_alerts", "true"), ("group_limit", 1)]
    same([x["name"] for x in c.data("GET", "rules", p)["groups"]], [g["name"]], "the one group")
    alerts = c.data("GET", "alerts")["alerts"]
    need(alerts, "an alert fires")
    for a in alerts:
        need(isinstance(a["value"], str) and a["activeAt"][10] == "T", a)
        need(isinstance(a["labels"], dict) and isinstance(a["annotations"], dict), a)


def check_25_shared_steps_are_equal(c):
    query = "sum by (le) (increase(chk_latency_seconds_bucket[20s]))"
    one = c.data("POST", "query_range", {"query": query, "start": S, "end": E - 5, "step": 5})["result"]
    two = c.data("POST", "query_range", {"query": query, "start": S + 20, "end": E, "step": 5})["result"]
    same(sorted(s["metric"]["le"] for s in one), sorted(["0.1", "0.5", "1", "+Inf"]), "series")
    for a in one:
        b = next(s for s in two if s["metric"] == a["metric"])
        later = dict((t, v) for t, v in b["values"])
        for t, v in a["values"]:
            need(t < S + 20 or later[t] == v, f"step {t} of {a['metric']}: {v} and {later.get(t)}")
    same(len(c.result("histogram_quantile(0.9, sum by (le) (rate(chk_latency_seconds_bucket[1m0s])))")), 1, "quantile")


def check_26_many_connections_and_large_requests(c):
    failures = []

    def work():
        conn = http.client.HTTPConnection("127.0.0.1", c.port, timeout=30)
        for _ in range(7):
            conn.request("GET", f"/api/v1/query?query=up&time={E}")
            r = conn.getresponse()
            if r.status != 200 or not json.loads(r.read())["data"]["result"]:
                failures.append(r.status)
        conn.close()

    threads = [threading.Thread(target=work) for _ in range(32)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    same(failures, [], "32 connections")
    # the text of a query may be shorter than a request: the rest is blanks here
    status, _, body = c.raw("POST", "/api/v1/query",
                            urllib.parse.urlencode({"query": "up", "time": E, "pad": "x" * 300000}), FORM)
    same(status, 200, body[:200])
    same(c.raw("GET", f"/api/v1/query?query=up&time={E}", headers={"X-Grafana-Id": "j" * 12000})[0], 200, "12 KB header")


CHECKS = sorted((n, f) for n, f in globals().items() if n.startswith("check_"))


def configuration():
    """The path of a prometheus.yml with rules of both kinds."""
    d = folder()
    with open(os.path.join(d, "rules.yml"), "w") as f:
        f.write("""groups:
- {name: one, rules: [{record: 'job:up:sum', expr: sum by (job) (up)}]}
- {name: two, rules: [{alert: AlwaysOn, expr: vector(1), labels: {severity: page}, annotations: {summary: on}}]}
""")
    with open(os.path.join(d, "prometheus.yml"), "w") as f:
        f.write("global: {evaluation_interval: 1s}\nrule_files: [rules.yml]\n")
    return f.name


def have_run(port):
    """Have all rules been evaluated?"""
    groups = Client(port).data("GET", "rules")["groups"]
    return groups and all(r["health"] == "ok" for g in groups for r in g["rules"])


def send(port):
    """The data, by remote write."""
    status, _, body = Client(port).raw("POST", "/api/v1/write", snappy(data()), V1)
    assert status in (200, 204), f"write: {status} {body!r}"


def failure(f, port):
    """What a check finds wrong; None when it passes."""
    try:
        f(Client(port))
    except (Failed, KeyError, ValueError, TypeError, IndexError, StopIteration, AttributeError, OSError) as e:
        return f"{type(e).__name__}: {str(e)[:400]}"
    return None


def run(port, name, checks):
    """{check: what is wrong} of those that fail."""
    failed = {title: why for title, why in ((t, failure(f, port)) for t, f in checks) if why}
    for title, why in failed.items():
        print(f"  {name}: {title}: {why}", flush=True)
    print(f"  {name}: {len(checks) - len(failed)} of {len(checks)} checks pass", flush=True)
    return failed
