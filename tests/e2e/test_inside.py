"""What an operator sees of queries and can do about them: active queries, ending one, traces, top queries, the slow-query
log, usage of metrics, cardinality, /metrics.
"""
import json
import os
import re
import socket
import threading
import time
import urllib.parse

from lib import Server, check, equal, folder, free_port, step, until

T = 1600000000  # start of the data, in seconds
s = Server(flags=["--query.timeout=60s", "--query.max-concurrency=3"])
for part in range(4):
    s.write([({"__name__": "big", "i": str(i)}, [((T + 15 * k) * 1000, i * 7919 + k * 31 & 1023)
                                                 for k in range(500 * part, 500 * part + 500)]) for i in range(200)])
s.write([({"__name__": f"m{n}", "job": "j"}, [(T * 1000, 1)]) for n in range(5)])
HEAVY = {"query": "sum(mad_over_time(big[1h]))", "start": T, "end": T + 11000, "step": 1}
GRAFANA = {"User-Agent": "Grafana/13.2", "X-Dashboard-Uid": "d<1>", "X-Panel-Id": "7", "X-Grafana-Org-Id": "1",
           "X-Panel-Title": "CPU"}


def cpu_seconds(server=s):
    with open(f"/proc/{server.pid()}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Ask(threading.Thread):
    """A request in the background."""

    def __init__(self, path, params, headers=None, server=s):
        super().__init__(daemon=True)
        self.server, self.headers, self.answer = server, headers, None
        self.url = f"/api/v1/{path}?" + urllib.parse.urlencode(params)
        self.start()

    def run(self):
        self.answer = self.server.request("GET", self.url, headers=self.headers)
        self.ended = time.time()


def active(kind=None, server=s):
    status, answer = server.api("status/active_queries")
    equal((status, answer["status"]), (200, "success"), "active queries")
    return [q for q in answer["data"] if kind in (None, q["kind"])]


def cancel(query_id, server=s):
    return server.api(f"status/active_queries/{query_id}/cancel", method="POST")


step("active queries: what runs, for whom, how far it is")
equal(active(), [], "active queries of an idle server")
asked = Ask("query_range", HEAVY, GRAFANA)
q = until("the query is listed with progress", lambda: next((q for q in active() if q["samples"] > 0), None))
equal((q["query"], q["kind"], q["state"]), (HEAVY["query"], "query_range", "running"), "query")
equal((q["start"], q["end"], q["step"]), (T * 1000, (T + 11000) * 1000, 1000), "times in milliseconds")
equal((q["remote_addr"], q["userAgent"], q["dashboardUid"], q["panelId"], q["grafanaOrgId"], q["panelTitle"]),
      ("127.0.0.1", "Grafana/13.2", "d<1>", "7", "1", "CPU"), "origin")
check(len(q["id"]) == 16 and q["duration"].endswith("s") and q["elapsedSeconds"] > 0, f"times of {q}")
equal(q["series"], 200, "series selected")
check(q["bytes"] > 0 and q["memoryBytes"] > 0, f"bytes of {q}")

step("cancel: 503 with upstream's text, the processor is free within 200 ms")
begun = time.time()
equal(cancel(q["id"]), (200, {"status": "success", "data": {"id": q["id"]}}), "cancel")
asked.join(10)
took = asked.ended - begun
equal(asked.answer[0], 503, "status for the canceled client")
equal(json.loads(asked.answer[2])["errorType"], "canceled", "type of error")
equal(json.loads(asked.answer[2])["error"], "query was canceled in query execution", "text")
check(took < 0.2, f"canceling took {took:.3f} s")
before = cpu_seconds()
time.sleep(0.3)
check(cpu_seconds() - before < 0.1, "the processor is still busy")
until("its entry is gone", lambda: not active())

step("cancel: refusals")
status, answer = cancel(q["id"])
equal((status, answer["errorType"]), (404, "not_found"), "a query that has ended")
for bad in ("x", "123", "G" * 16, "0" * 17):
    equal(cancel(bad)[0], 400, f"id {bad}")
equal(s.api(f"status/active_queries/{q['id']}/cancel")[0], 405, "GET does not cancel")
plain = Server(admin=False)
status, answer = cancel("0" * 16, plain)
equal(answer["error"], "admin APIs disabled", "without --web.enable-admin-api")
equal(plain.stop(), 0, "exit status")

step("what waits for a worker is queued, and can be canceled there")
unknown = {**HEAVY, "query": HEAVY["query"] + " + 0"}  # the first may be remembered as heavy, which waits for fewer workers
running = [Ask("query_range", unknown) for _ in range(3)]
until("three run", lambda: sum(q["state"] == "running" for q in active()) == 3)
waiting = Ask("query", {"query": "vector(42)"})
q = until("one waits", lambda: next((q for q in active("query") if q["state"] == "queued"), None))
equal(cancel(q["id"])[0], 200, "cancel of what waits")
for q in active("query_range"):
    cancel(q["id"])
for a in (*running, waiting):
    a.join(10)
    equal(a.answer[0], 503, "status of a canceled query")
    check(json.loads(a.answer[2])["error"].startswith("query was canceled in "), f"text: {a.answer[2]}")
until("all have ended", lambda: not active())

step("an answer that is being sent is cut off; other requests that read are listed too")
c = socket.create_connection(("127.0.0.1", s.port))
c.sendall(f"GET /api/v1/query?{urllib.parse.urlencode({'query': 'big[1d]', 'time': T + 30000})} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
q = until("it is sent", lambda: next((q for q in active("query") if q["state"] == "sending"), None))
equal(cancel(q["id"])[0], 200, "cancel of what is sent")
taken = b""
c.settimeout(20)
while piece := c.recv(1 << 20):
    taken += piece
check(taken.startswith(b"HTTP/1.1 200") and not taken.endswith(b"0\r\n\r\n"), f"an answer that ends well: {taken[-50:]}")
c.close()
until("its entry is gone", lambda: not active())
c = socket.create_connection(("127.0.0.1", s.port))
c.sendall(f"GET /api/v1/series?{urllib.parse.urlencode({'match[]': ['big', 'm1']}, True)} HTTP/1.1\r\nHost: x\r\n".encode())
equal(active(), [], "a request that has not arrived is no query")
c.close()

step("a client that leaves frees the processor, and its query is gone")
c = socket.create_connection(("127.0.0.1", s.port))
c.sendall(f"GET /api/v1/query_range?{urllib.parse.urlencode(HEAVY)} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
until("it runs", lambda: active("query_range"))
c.close()
begun = time.time()
until("its entry is gone", lambda: not active(), period=0.01)
took = time.time() - begun
check(took < 0.5, f"a disconnected client's query ended after {took:.3f} s")
print(f"  ended {1000 * took:.0f} ms after the client left")

step("trace=1: where the time went, in VictoriaMetrics' shape with fields")


def walk(node, depth=0):
    check(node["duration_msec"] >= 0 and node["message"], f"node {node}")
    children = node.get("children", [])
    if "self_msec" in node:
        inner = sum(c["duration_msec"] for c in children)
        check(abs(node["duration_msec"] - inner - node["self_msec"]) < 0.01 * (1 + len(children)), f"self time of {node}")
    yield depth, node
    for c in children:
        yield from walk(c, depth + 1)


RANGE = {"query": "sum by (i) (rate(big[5m])) + on (i) group_left big", "start": T, "end": T + 600, "step": 60}
plain = s.api("query_range", **RANGE)[1]
check("trace" not in plain, "a trace that nobody asked for")
traced = s.api("query_range", **RANGE, trace="1")[1]
equal(traced["data"], plain["data"], "data with and without trace")
nodes = [n for _, n in walk(traced["trace"])]
equal([n["operation"] for n in traced["trace"]["children"]],
      ["wait for a worker", "parse", "plan", "execute", "write the answer"], "stages")
reads = [n for n in nodes if n["operation"] == "read and evaluate"]
equal([n["series"] for n in reads], [200, 200], "series of each pass")
check(all(n["samples"] > 0 and n["chunks"] > 0 and n["bytes"] > 0 and "cache_hits" in n and n["threads"] > 0
          for n in reads), f"counters of {reads}")
equal(sum(n["samples"] for n in reads), traced["trace"]["samples"], "samples of the parts are those of the whole")
check(any(n.get("expr") == "sum by (i) (rate(big[5m]))" for n in nodes), "a node of the aggregation")
for headers in ({"X-Query-Trace": "1"}, {"X-Thanos-Force-Tracing": "true"}):
    check("trace" in json.loads(s.request("GET", "/api/v1/query?query=1", headers=headers)[2]), f"trace for {headers}")
check("trace" not in json.loads(s.request("GET", "/api/v1/query?query=1&trace=0", headers={"X-Query-Trace": "0"})[2]), "0")
status, failed = s.api("query", query="big + on () big", time=T, trace="true")
equal((status, failed["errorType"]), (422, "execution"), "an error with a trace")
check("execute" in [n["operation"] for _, n in walk(failed["trace"])], "the trace of a failed query")

step("top queries: by count, duration, samples and memory; of the last ones; normalised")
busy = Server(flags=["--query.log-slow-queries=30ms"])
busy.write([({"__name__": f"m{n}", "job": "j"}, [(T * 1000, 1)]) for n in range(5)])


def top(server=busy, **params):
    status, answer = server.api("status/top_queries", **params)
    equal((status, answer["status"]), (200, "success"), f"top queries {params}")
    return answer


for _ in range(5):
    check(busy.request("GET", f"/api/v1/query?query=sum(m1)%20by(job)&time={T}", headers=GRAFANA)[0] == 200, "query")
    busy.query("  sum by (job)( m1 )", T)
busy.api("query_range", query="m0", start=T, end=T + 100, step=10)
busy.api("query", query="m0 + on () {job='j'}", time=T)
busy.api("query", query="m0 +", time=T)
answer = top()
equal([(q["query"], q["count"], q["timeRangeSeconds"]) for q in answer["topByCount"]],
      [("sum by (job) (m1)", 10, 0), ("m0", 1, 100), ('m0 + on () {job="j"}', 1, 0)], "top by count")
for key in ("topByAvgDuration", "topBySumDuration", "topBySumSamples", "topByAvgMemoryUsage"):
    equal(len(answer[key]), 3, key)
    weights = [q[{"topByAvgDuration": "avgDurationSeconds", "topBySumDuration": "sumDurationSeconds",
                  "topBySumSamples": "sumSamples", "topByAvgMemoryUsage": "avgMemoryBytes"}[key]] for q in answer[key]]
    equal(weights, sorted(weights, reverse=True), f"order of {key}")
equal(answer["topByCount"][2]["failedCount"], 1, "failures")
equal([q["query"] for q in top(topN=1)["topByCount"]], ["sum by (job) (m1)"], "topN")
equal((top()["maxLifetime"], top(maxLifetime="1h")["maxLifetime"]), ("10m", "1h"), "maxLifetime")
time.sleep(0.05)
equal(top(maxLifetime="0.001")["topByCount"], [], "nothing is so young")
for bad in ({"topN": 0}, {"topN": "x"}, {"maxLifetime": "x"}):
    equal(busy.api("status/top_queries", **bad)[0], 400, f"refused {bad}")
busy.request("GET", f"/api/v1/query?query=m3&time={T}", headers=GRAFANA)
q = next(q for q in top()["topByCount"] if q["query"] == "m3")
equal((q["dashboardUid"], q["panelId"], q["userAgent"]), ("d<1>", "7", "Grafana/13.2"), "who asked last")

step("usage of metrics: counted by query, unused ones too; selectors without a name")


def usage(server=busy, **params):
    status, answer = server.api("status/metric_names_stats", **params)
    equal((status, answer["status"]), (200, "success"), f"metric_names_stats {params}")
    return answer, {m["metricName"]: m["requestsCount"] for m in answer["records"]}


answer, counts = usage()
equal(counts, {"m0": 2 + 1, "m1": 10 + 1, "m2": 1, "m3": 1 + 1, "m4": 1}, "requests by metric")
equal([m["requestsCount"] for m in answer["records"]], sorted(counts.values()), "fewest first")
check(abs(answer["records"][0]["lastRequestTimestamp"] - time.time()) < 60, "last request")
busy.write([({"__name__": "unused"}, [(T * 1000, 1)])])
equal(usage(le=0)[1], {"unused": 0}, "unused metrics")
equal(usage(limit=2)[1], {"unused": 0, "m2": 1}, "limit")
equal(set(usage(match_pattern="[34]")[1]), {"m3", "m4"}, "pattern")
busy.request("GET", "/federate?match[]=unused")
equal(usage(match_pattern="^unused$")[1], {"unused": 1}, "federation asks for metrics too")
for bad in ({"limit": 0}, {"le": "x"}, {"le": "-1"}, {"match_pattern": "("}):
    equal(busy.api("status/metric_names_stats", **bad)[0], 400, f"refused {bad}")

step("statistics survive a restart; reset forgets")
before = top()["topByCount"], usage()[1]
equal(busy.stop(), 0, "exit status")
busy = Server(data=busy.data, flags=["--query.log-slow-queries=30ms"])
equal((top(busy)["topByCount"], usage(busy)[1]), before, "after a restart")
equal(busy.api("admin/status/metric_names_stats/reset", method="POST")[0], 204, "reset")
equal(set(usage(busy)[1].values()), {0}, "after a reset")

step("slow queries are logged with who asked")
slow = {"query": "sum_over_time((sum_over_time(vector(1)[9h:1s]))[9h:1s])", "time": T}
check("slow query" not in busy.log(), "no slow query yet")
begun = time.time()
busy.request("GET", "/api/v1/query?" + urllib.parse.urlencode(slow), headers=GRAFANA)
took = time.time() - begun
check(took > 0.04, f"the slow query took {took:.3f} s only")
line = until("the log has the slow query", lambda: next((x for x in busy.log().splitlines() if "slow query" in x), None))
for text in ("level=warn", "sum_over_time", "duration_s=", "client=127.0.0.1", "dashboardUid=", "panelId=7",
             'panelTitle=CPU', "kind=query"):
    check(text in line, f"{text} in {line}")
equal(busy.stop(), 0, "exit status")

step("cardinality: of the head as upstream, of any time, selector and label")
wide = Server()
now = int(time.time())
wide.write([({"__name__": "old", "pod": f"p{i}", "job": "b"}, [(T * 1000, 1)]) for i in range(50)])
equal(wide.stop(), 0, "exit status")  # writes the head as blocks
wide = Server(data=wide.data)
wide.write([({"__name__": f"now{i % 4}", "pod": f"p{i}", "job": "a"}, [(now * 1000, 1)]) for i in range(100)])


def tsdb(**params):
    status, answer = wide.api("status/tsdb", **params)
    equal((status, answer["status"]), (200, "success"), f"status/tsdb {params}: {answer}")
    return answer["data"]


pairs = lambda items: [(i["name"], i["value"]) for i in items]
head = tsdb(limit=2)
equal(list(head), ["headStats", "seriesCountByMetricName", "labelValueCountByLabelName", "memoryInBytesByLabelName",
                   "seriesCountByLabelValuePair"], "keys of upstream")
equal(pairs(head["seriesCountByMetricName"]), [("now0", 25), ("now1", 25)], "heaviest metrics")
equal(pairs(tsdb(topN=1)["seriesCountByLabelValuePair"]), [("job=a", 100)], "topN")
equal(tsdb(**{"match[]": "{pod=~'p1.'}"})["totalSeries"], 10, "a selector: series of the head's time")
equal(pairs(tsdb(**{"match[]": "{pod=~'p1.'}"}, start=0)["seriesCountByMetricName"])[0], ("old", 10), "and of all times")
day = tsdb(date=time.strftime("%Y-%m-%d", time.gmtime(T)), focusLabel="pod", limit=3)
equal((day["totalSeries"], day["totalLabelNames"], day["totalLabelValuePairs"]), (50, 3, 52), "totals of a day")
equal(pairs(day["seriesCountByMetricName"]), [("old", 50)], "metrics of a day")
equal(pairs(day["seriesCountByFocusLabelValue"]), [("p0", 1), ("p1", 1), ("p10", 1)], "values of the focus label")
recent = tsdb(start=now - 60)
equal((recent["totalSeries"], pairs(recent["seriesCountByLabelName"])), (100, [("__name__", 100), ("job", 100), ("pod", 100)]),
      "what is recent")
both = tsdb(start=T - 1, end=now, **{"match[]": ["{job='a'}", "{pod='p1'}"]})
equal(both["totalSeries"], 101, "a union")
for bad in ({"date": "2020-1-1"}, {"date": "2020-01-01", "start": 1}, {"start": "x"}, {"match[]": "{"}, {"match[]": "{}"},
            {"limit": 0}, {"topN": 10001}):
    equal(wide.api("status/tsdb", **bad)[0], 400, f"refused {bad}")
equal(wide.stop(), 0, "exit status")

step("the query log: a line of JSON for each query, opened again with each reload")
home = folder()
log, moved, config = (os.path.join(home, n) for n in ("query.log", "query.old", "prometheus.yml"))
with open(config, "w") as f:
    f.write(f"global:\n  query_log_file: {log}\n")
logged = Server(flags=[f"--config.file={config}"])


def entries(path):
    with open(path) as g:
        return [json.loads(x) for x in g]


logged.request("GET", f"/api/v1/query_range?query=up&start={T}&end={T + 10}.5&step=5", headers=GRAFANA)
logged.query("up", T)
logged.api("query", query="up +", time=T)  # cannot be parsed: is no query
logged.api("query", query="up * on () up", time=T)
got = entries(log)
equal([e["params"] for e in got[:1]], [{"query": "up", "start": "2020-09-13T12:26:40.000Z", "end": "2020-09-13T12:26:50.500Z",
                                       "step": 5}], "parameters")
equal([e["params"]["query"] for e in got], ["up", "up", "up * on () up"], "queries")
equal(got[0]["httpRequest"], {"clientIP": "127.0.0.1", "method": "GET", "path": "/api/v1/query_range"}, "request")
equal((got[0]["dashboardUid"], got[0]["panelId"]), ("d<1>", "7"), "dashboard and panel")
check(got[0]["stats"]["timings"]["execTotalTime"] > 0 and got[0]["ts"].endswith("Z"), f"entry {got[0]}")
equal(logged.request("GET", "/metrics")[2].count(b"\nprometheus_engine_query_log_enabled 1\n"), 1, "metric")
os.rename(log, moved)
logged.query("after", T)
equal(len(entries(moved)), 4, "a file that was renamed is written until the reload")
equal(logged.request("POST", "/-/reload")[0], 200, "reload")
logged.query("reopened", T)
equal([e["params"]["query"] for e in entries(log)], ["reopened"], "after the reload")
with open(config, "w") as f:
    f.write("global:\n  query_log_file: /nonexistent/log\n")
check(logged.request("POST", "/-/reload")[0] != 200, "a file that cannot be opened is refused")
logged.query("still", T)
equal([e["params"]["query"] for e in entries(log)], ["reopened", "still"], "and nothing has changed")
equal(logged.stop(), 0, "exit status")

step("/metrics: each is in docs/metrics.md, and the other way round; stages are measured")
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
with open(os.path.join(ROOT, "docs", "metrics.md")) as f:
    section = re.search(r"\n## All metrics\n(.*?)\n## ", f.read(), re.S)[1]
documented = dict(re.findall(r"^\| `([a-z_]+)` \| (\w+) \|", section, re.M))
with open(os.path.join(folder(), "web.yml"), "w") as f:
    f.write("http_server_config:\n  http2: true\n")
port = free_port()
scraping = os.path.join(folder(), "prometheus.yml")
with open(scraping, "w") as g:
    g.write("global: {scrape_interval: 1s, scrape_timeout: 1s}\nrule_files: [rules.yml]\nscrape_configs:\n- job_name: self\n"
            f"  static_configs: [{{targets: ['127.0.0.1:{port}']}}]\n"
            "  file_sd_configs: [{files: [found.json]}]\n  http_sd_configs: [{url: 'http://127.0.0.1:1/'}]\n"
            "alerting: {alertmanagers: [{static_configs: [{targets: ['127.0.0.1:1']}]}]}\n")
with open(os.path.join(os.path.dirname(scraping), "found.json"), "w") as h:
    h.write("[]")
with open(os.path.join(os.path.dirname(scraping), "rules.yml"), "w") as h:
    h.write("groups: [{name: g, rules: [{record: r, expr: up}]}]\n")
alertmanager, ladder = (os.path.join(folder(), name) for name in ("alertmanager.yml", "extensions.yml"))
with open(alertmanager, "w") as h:
    h.write("route: {receiver: none}\nreceivers: [{name: none}]\n")
with open(ladder, "w") as h:
    h.write("escalation_policies: [{name: p, levels: [{}]}]\nhistory: {webhook_url: 'http://127.0.0.1:1/'}\n")
guarded = Server(flags=[f"--web.config.file={f.name}", f"--config.file={scraping}", f"--alertmanager.config-file={alertmanager}",
                        f"--alertmanager.extensions-file={ladder}"], port=port)
until("two scrapes", lambda: b"interval_length_seconds_count" in guarded.request("GET", "/metrics")[2])
guarded.write([({"__name__": "m"}, [(T * 1000, 1)])])
guarded.query("m", T)
guarded.api("label/x/values")
text = until("the last request is counted", lambda: (lambda t: t if ":name/values" in t else None)(
    guarded.request("GET", "/metrics")[2].decode()))
types = dict(re.findall(r"^# TYPE (\S+) (\S+)", text, re.M))
helps = dict(re.findall(r"^# HELP (\S+) (.*)", text, re.M))
for name in types.keys() - documented.keys():
    print(f"row that is missing: | `{name}` | {types[name]} |  | {helps[name]} |")
equal((sorted(types.items() - documented.items()), sorted(documented.items() - types.items())), ([], []),
      "metrics that docs/metrics.md has not, and the other way round")
lines = dict(re.match(r"(.+) (\S+)$", x).groups() for x in text.splitlines() if not x.startswith("#"))
check(all(re.fullmatch(r"[a-zA-Z_]+(\{.*\})?", x) for x in lines), "names")
for name in ('varve_commit_stage_duration_seconds_count{stage="sync"}', 'varve_commit_stage_duration_seconds_count{stage="queue"}',
             'varve_remote_write_stage_duration_seconds_count{stage="decode"}',
             'varve_remote_write_stage_duration_seconds_count{stage="commit"}', "prometheus_tsdb_wal_fsync_duration_seconds_count",
             'prometheus_engine_query_duration_seconds_count{slice="inner_eval"}',
             'prometheus_engine_query_duration_seconds_count{slice="queue_time"}',
             'prometheus_engine_query_duration_seconds{slice="prepare_time",quantile="0.9"}',
             'varve_query_stage_duration_seconds_count{stage="answer"}', 'varve_query_stage_duration_seconds_count{stage="parse"}',
             'prometheus_http_requests_total{code="200",handler="/api/v1/query"}',
             'prometheus_http_requests_total{code="200",handler="/api/v1/label/:name/values"}',
             'prometheus_http_request_duration_seconds_bucket{handler="/api/v1/write",le="+Inf"}'):
    check(float(lines[name]) > 0, f"{name} is {lines.get(name)}")
equal(guarded.stop(), 0, "exit status")

equal(s.stop(), 0, "exit status")
