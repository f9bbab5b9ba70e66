"""What Grafana's data source puts on the wire, in its words, asked of Varve and of Debian's Prometheus with the same
data: status, headers and bodies agree. What 2.42 answers otherwise is listed with the reason, and nothing else is let pass.
"""
import gzip
import http.client
import json
import urllib.parse

from clients import E, NOW, S, send
from lib import Server, check, equal, step
from peers import need, prometheus

need("prometheus")
varve = Server()
other = prometheus(flags=["--enable-feature=exemplar-storage"])
for port in (varve.port, other.port):
    send(port)
# Between samples: 2.42 takes ranges as closed on the left.
FROM, TO, HALF = S + 2, E - 3, E - 2.5
HEADERS = {"User-Agent": "Grafana/13.0.0 prometheus/13.2.3", "Accept-Encoding": "gzip", "X-Dashboard-Uid": "abc",
           "X-Panel-Id": "1", "X-Datasource-Uid": "ds", "X-Grafana-Org-Id": "1", "traceparent": "00-1-1-01"}
form = lambda **p: urllib.parse.urlencode({k.rstrip("_"): v for k, v in p.items()}, doseq=True)


def post(path, body="", kind="application/x-www-form-urlencoded"):
    return "POST", "/api/v1/" + path, body, {"Content-Type": kind} if kind else {}


def get(path, **p):
    return "GET", "/api/v1/" + path + ("?" + form(**p) if p else ""), None, {}


def get_match(path, *match, **p):
    return "GET", "/api/v1/" + path + "?" + form(**p) + "".join("&match[]=" + urllib.parse.quote(m) for m in match), None, {}


def post_match(path, *match, **p):
    return post(path, form(**p) + "".join("&match%5B%5D=" + urllib.parse.quote_plus(m) for m in match))


range_ = lambda query, step_s=5, start=FROM, **more: post("query_range", form(end=TO, query=query, start=start, step=step_s, **more))
WIRE = {
    "test data source": post("query", "query=1%2B1&time=4"),
    "rules": get("rules"),
    "exemplar probe in milliseconds": post("query_exemplars", form(query="test", start=NOW * 1000 - 1800000, end=NOW * 1000)),
    "names": get("label/__name__/values", limit=40000, start=S - 60, end=E + 60),
    "metadata of one": get("metadata", metric="up"),
    "label names": post("labels", form(limit=40000, start=S - 60, end=E + 60)),
    "rate": range_("rate(chk_requests_total[20s])"),
    "rate, as a GET": get("query_range", query="rate(chk_requests_total[20s])", start=FROM, end=TO, step=5),
    "the last ten minutes": range_("rate(chk_requests_total[20s])", start=TO - 300),
    "range of Explore": range_("up"),
    "exemplars of Explore": post("query_exemplars", form(end=TO, query="chk_latency_seconds_bucket", start=FROM)),
    "instant of Explore": post("query", form(query="up", time=f"{NOW}.551")),
    "heatmap": range_("sum by (le) (increase(chk_latency_seconds_bucket[20s]))"),
    "range and interval in the query": range_("avg_over_time(up[900s]) + 0*60000 + count_over_time(up[1m])", 60),
    "with timeout": range_("up", timeout="60s"),
    "annotations": range_("chk_requests_total > 100", 60),
    "labels of names like this": post_match("labels", '{__name__=~".*chk_requests.*"}', limit=40000, start=S, end=E),
    "label_values(job)": get("label/job/values", limit=40000, start=S, end=E),
    "label_values(sel, label)": get_match("label/instance/values", 'up{job="chk"}', limit=40000, start=S, end=E),
    "ad hoc with a comma": get_match("label/__name__/values", '{job="chk",}', limit=40000, start=S, end=E),
    "metrics(re)": get_match("label/__name__/values", '{__name__=~"chk_l.*"}', limit=40000, start=S, end=E),
    "query_result": post("query", form(query="topk(1, up)", time=NOW)),
    "series of a variable": post_match("series", 'up{job="chk"}', start=S, end=E),
    "builder labels": post_match("labels", '{__name__=~"chk_requests_total",job="chk"}', limit=40000, start=S, end=E),
    "builder values": get_match("label/code/values", '{__name__=~"chk_requests_total"}', limit=40000, start=S, end=E),
    "completion": get_match("label/__name__/values", '{__name__=~".*req.*"}', limit=1000, start=S, end=E),
    "unknown label": get("label/nothing/values", limit=40000, start=S, end=E),
    "recent metrics": post("query?" + form(query='group by (__name__) ({__name__!=""}) unless (group by (__name__) ({__name__!=""} offset 5m))')),
    "drilldown": range_('avg(up{__ignore_usage__="", })'),
    "empty body, type json": post("query?" + form(query="up", time=E), kind="application/json"),
    "everything": post_match("series", '{__name__!=""}', start=S, end=E, limit=40000),
    "broken query": range_("sum(rate("),
    "broken selector": get_match("label/job/values", "{", start=S, end=E),
    "no query": post("query", ""),
    "many to many": post("query", form(query='chk_gauge * on(job) group_left() {__name__=~"chk_gauge|chk_nan"}', time=E)),
    "too many points": get("query_range", query="up", start=0, end=11001, step=1),
    "no step": get("query_range", query="up", start=S, end=E),
    "step 0": get("query_range", query="up", start=S, end=E, step=0),
    "end before start": get("query_range", query="up", start=E, end=S, step=5),
    "time that is none": get("query", query="up", time="abc"),
    "timeout that is none": get("query", query="up", timeout="abc"),
    "no selector": post("series", form(start=S, end=E)),
    "empty selector": post_match("series", "{}", start=S, end=E),
    "unknown path": get("nothing"),
    "Alertmanager's path": ("GET", "/alertmanager/api/v2/status", None, {}),
    "wrong method": ("PUT", "/api/v1/query", "", {}),
    "method of metadata": ("POST", "/api/v1/metadata", "", {}),
    "values of NaN and infinities": post("query", form(query='{__name__=~"chk_(nan|inf|ninf|esc)"}', time=E)),
    "scalar": post("query", form(query="42", time=E)),
    "string": post("query", form(query='"abc"', time=E)),
    "matrix": post("query", form(query="chk_gauge[12s]", time=HALF)),
    "statistics": post("query_range?max_source_resolution=5m&nocache=1&stats=all", form(query="chk_gauge", start=FROM, end=TO, step=5)),
    "alerts": get("alerts"),
    "healthy": ("GET", "/-/healthy", None, {}),
    "ready": ("GET", "/-/ready", None, {}),
}
# What differs, part by part, and why. Headers: Varve compresses and varies everywhere, and serves HEAD; 2.42 the API alone.
OLDER = "2.42 words it otherwise; 3.14 as Varve does"
DIFFERENCES = {
    ("broken query", "body"): OLDER,
    ("no query", "body"): OLDER,
    ("time that is none", "body"): OLDER,
    ("many to many", "body"): "which of the duplicates is named first is chance there, the first in order here",
    ("statistics", "body"): "times are its own; 3.14 counts samples as Varve does",
    ("Alertmanager's path", "body"): "here it may be one, and says which flag is missing",
    ("Alertmanager's path", "content-type"): "of that API",
    ("wrong method", "allow"): "HEAD",
    ("method of metadata", "allow"): "HEAD",
    ("healthy", "body"): "the name",
    ("ready", "body"): "the name",
}
DIFFERENCES |= {(n, "content-encoding"): "not compressed there: not the API" for n in (
    "unknown path", "Alertmanager's path", "wrong method", "method of metadata", "healthy", "ready")}


def ask(port, request):
    method, path, body, headers = request
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        c.request(method, path, body, {**HEADERS, **headers})
        r = c.getresponse()
        h = {k.lower(): v for k, v in r.getheaders()}
        text = r.read()
        return r.status, h, gzip.decompress(text) if h.get("content-encoding") == "gzip" else text
    finally:
        c.close()


def normal(path, body):
    """Bodies that say the same: series of an instant vector come in no certain order."""
    if not body.startswith(b"{"):
        return body
    answer = json.loads(body)
    data = answer.get("data")
    rows = data.get("result") if isinstance(data, dict) else None
    if isinstance(rows, list) and rows and isinstance(rows[0], dict):
        rows.sort(key=lambda r: json.dumps(r["metric"], sort_keys=True))
        for r in rows:
            for v in r.get("values", [r.get("value")]):
                v[1] = f"{float(v[1]):.12g}" if isinstance(v, list) else v
    elif path.startswith("/api/v1/series") and data:
        data.sort(key=lambda r: json.dumps(r, sort_keys=True))
    return answer


def parts(request, answer):
    """What is compared of an answer."""
    status, headers, body = answer
    named = ("content-type", "content-encoding", "access-control-allow-origin", "allow", "retry-after", "location")
    return {"status": status, "body": normal(request[1], body), **{h: headers.get(h) for h in named}}


step(f"{len(WIRE)} requests")
found = set()
for name, request in WIRE.items():
    ours, theirs = (parts(request, ask(p.port, request)) for p in (varve, other))
    check(ours["status"] < 500 and ours["body"], f"{name}: {ours}")
    for part in ours:
        if ours[part] == theirs[part]:
            continue
        check((name, part) in DIFFERENCES, f"{name}: {part}: {str(ours[part])[:600]}, there {str(theirs[part])[:600]}")
        found.add((name, part))
if "2.42" in json.loads(ask(other.port, get("status/buildinfo"))[2])["data"]["version"]:
    equal(set(DIFFERENCES) - found - {("many to many", "body")}, set(), "differences that are none")
equal(varve.stop(), 0, "exit status")
print("ok")
