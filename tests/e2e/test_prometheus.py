"""The same data in Varve and in Debian's Prometheus gives the same answers.

Prometheus scrapes itself and node_exporter and remote-writes everything to Varve; then hundreds of
queries are asked of both. Debian's Prometheus is 2.42, whose ranges are closed on the left; all
times asked for lie off the samples' times (to the millisecond), where both rules agree.
"""
import json
import math
import os
import shutil
import time
import urllib.parse
import urllib.request

from lib import Server, check, equal, folder, free_port, skip, start, step, until

SCRAPES = 40  # two a second

if not shutil.which("prometheus") or not shutil.which("prometheus-node-exporter"):
    skip("this needs prometheus and prometheus-node-exporter")

varve = Server(flags=["--storage.head.window=4s"])  # blocks of part of the data, before it is asked for
node, prometheus = free_port(), free_port()
d = folder()
with open(os.path.join(d, "prometheus.yml"), "w") as f:
    f.write(f"""
global: {{scrape_interval: 500ms, scrape_timeout: 500ms, external_labels: {{}}}}
scrape_configs:
- {{job_name: prometheus, static_configs: [{{targets: ['127.0.0.1:{prometheus}']}}]}}
- {{job_name: node, static_configs: [{{targets: ['127.0.0.1:{node}']}}]}}
remote_write:
- url: http://127.0.0.1:{varve.port}/api/v1/write
  queue_config: {{batch_send_deadline: 1s}}
""")
quiet = {"stdout": open(os.path.join(d, "log"), "wb"), "stderr": -2}
start(["prometheus-node-exporter", f"--web.listen-address=127.0.0.1:{node}"], **quiet)
start(["prometheus", f"--config.file={d}/prometheus.yml", f"--storage.tsdb.path={d}/data",
       f"--web.listen-address=127.0.0.1:{prometheus}"], **quiet)


def ask(port, path, **params):
    url = f"http://127.0.0.1:{port}/api/v1/{path}?{urllib.parse.urlencode(params, doseq=True)}"
    try:
        with urllib.request.urlopen(url, timeout=60) as r:
            return json.load(r)
    except urllib.error.HTTPError as e:
        return json.load(e)


def first_value(port, query):
    try:
        r = ask(port, "query", query=query)["data"]["result"]
        return float(r[0]["value"][1]) if r else 0
    except OSError:
        return 0


step(f"{SCRAPES} scrapes of two targets, remote-written to varve")
until("scrapes", lambda: first_value(prometheus, "min(count_over_time(up[10m]) and up == 1)") >= SCRAPES and
      first_value(prometheus, "count(up == 1)") == 2, seconds=90, period=0.5)
up = ask(prometheus, "query", query="up[10m]")["data"]["result"]
end = min(float(v["values"][-1][0]) for v in up) - 3
begin = max(float(v["values"][0][0]) for v in up)
until("the sender catches up", lambda: first_value(varve.port, "min(timestamp(up))") > end + 1, seconds=30)

# Ranges and steps are multiples of 100 ms (subqueries look at such times): a time whose distance from every sample is none stays off them all.
taken = {round(float(t) * 1000) % 100 for v in up for t, _ in v["values"]}
off = max(set(range(1, 100)) - taken, key=lambda ms: min(min((ms - t) % 100, (t - ms) % 100) for t in taken))
off_time = lambda t: math.floor(t * 10) / 10 + off / 1000


def close(a, b):
    if a == b:
        return True
    x, y = float(a), float(b)
    return (math.isnan(x) and math.isnan(y)) or math.isclose(x, y, rel_tol=1e-10, abs_tol=1e-12)


def same_points(p, q):
    return len(p) == len(q) and all(abs(float(a[0]) - float(b[0])) < 0.0011 and close(a[1], b[1])
                                    for a, b in zip(p, q))


def difference(p, v):
    """None, or what differs between two answers."""
    if p["status"] != v["status"]:
        return f"{p.get('error', 'success')} against {v.get('error', 'success')}"
    if p["status"] == "error":
        return None
    p, v = p["data"], v["data"]
    if p["resultType"] != v["resultType"]:
        return f"{p['resultType']} against {v['resultType']}"
    if p["resultType"] in ("scalar", "string"):
        return None if close(p["result"][1], v["result"][1]) else f"{p['result']} against {v['result']}"
    index = lambda rs: {json.dumps(r["metric"], sort_keys=True): r.get("values") or [r["value"]] for r in rs}
    a, b = index(p["result"]), index(v["result"])
    if a.keys() != b.keys():
        return f"series only in one: {sorted(a.keys() ^ b.keys())[:3]}"
    for k in a:
        if not same_points(a[k], b[k]):
            return f"{k}: {a[k][:4]} against {b[k][:4]}"
    return None


COUNTERS = ["node_cpu_seconds_total", "prometheus_http_requests_total", "process_cpu_seconds_total",
            "node_network_receive_bytes_total", "prometheus_tsdb_head_samples_appended_total"]
GAUGES = ["node_memory_MemFree_bytes", "go_goroutines", "node_load1", "up", "go_memstats_alloc_bytes",
          "node_filesystem_avail_bytes"]
RANGES = ["2s", "5s", "10s"]
queries = []
for m in COUNTERS:
    for r in RANGES:
        queries += [f"rate({m}[{r}])", f"increase({m}[{r}])", f"sum by (job) (rate({m}[{r}]))", f"irate({m}[{r}])"]
    queries += [f"sum without (instance) ({m})", f"count({m})", f"topk(2, sum by (instance, job) ({m}))",
                f"quantile(0.5, {m})", f"{m} > 1", f"{m} > bool 1", f"{m} offset 5s", f"-{m}",
                f"abs(ceil({m} / 3) - floor({m}))", f"max({m}) - min({m})"]
for g in GAUGES:
    for r in RANGES:
        queries += [f"{f}_over_time({g}[{r}])" for f in ("sum", "avg", "min", "max", "count", "last")]
        queries += [f"delta({g}[{r}])"]
    queries += [f"avg({g})", f"round({g}, 0.5)", f"clamp({g}, 1, 100)", f"{g} @ {off_time(end):.3f}",
                f"{g} * on (instance) group_left (job) up", f"{g} / ignoring (device, fstype, mountpoint) group_left up"]
for phi in (0.1, 0.5, 0.9, 0.99, 1.5):
    queries += [f"histogram_quantile({phi}, sum by (le, handler) (rate(prometheus_http_request_duration_seconds_bucket[10s])))",
                f"histogram_quantile({phi}, prometheus_http_request_duration_seconds_bucket)"]
for f in ("sgn", "sqrt", "exp", "ln", "log2", "log10", "sin", "cosh", "atan", "deg", "rad", "timestamp", "absent",
          "sort", "sort_desc", "day_of_month", "days_in_month", "hour", "scalar", "year"):
    queries.append(f"{f}(node_memory_MemFree_bytes)")
for f in ("stddev_over_time", "stdvar_over_time", "deriv", "changes", "resets", "idelta", "present_over_time",
          "absent_over_time"):
    queries.append(f"{f}(go_memstats_alloc_bytes[5s])")
for f in ("stddev", "stdvar", "group", "avg"):
    queries.append(f"{f} by (job) ({{__name__=~'process_.*'}})")
queries += ["quantile_over_time(0.3, go_goroutines[5s])", "predict_linear(go_memstats_alloc_bytes[5s], 60)",
            "max_over_time(rate(process_cpu_seconds_total[5s])[4s:500ms])", "sum_over_time(up[5s:1s] offset 1s)",
            "avg_over_time(sum by (job) (up)[3s:700ms])", 'count_values("v", up)', "up or node_load1",
            "node_load1 and on (instance) up", "go_goroutines % 7", "2 ^ up", "atan2(up, 2)",
            'label_replace(up, "host", "$1:$2", "instance", "(.*):(.*)")', 'label_join(up, "x", "-", "job", "instance")',
            "clamp_min(go_goroutines, 30)", "clamp_max(go_goroutines, 30)", "sum(go_goroutines offset -1s)", "minute()",
            "bottomk(1, go_memstats_alloc_bytes)", "topk(1, node_load1)", "sum(rate(node_cpu_seconds_total[5s])) by (mode) > 0.001", "vector(1) > bool 0"]
queries += ["time()", "vector(3)", "scalar(sum(up))", "1 + 2 * 3 ^ 2", "up + up", "up * on (job, instance) up",
            "node_cpu_seconds_total + node_cpu_seconds_total", "up == 1", "up unless up", "1 / 0", "-1 / 0", "0 / 0",
            'up{job="none"}', '{job=~"no.*",__name__=~"node_network.*"}', '{__name__="up",job!~"pro.*"}',
            "sum(up) by (job) > on (job) group_left sum(up) by (job)", "rate(up)", "up[5s", "sum(up) by", "foo bar",
            "up + on (job) node_cpu_seconds_total", 'count by (__name__) ({job="node"})']

inner = off_time(begin + 11)  # behind the longest range
at = [off_time(inner + (end - inner) * k / 2) for k in (1, 2)]

def compare(where):
    step(f"{len(queries)} queries, instant and range, {where}")
    wrong = []
    for q in queries:
        asked = [("query", {"query": q, "time": f"{t:.3f}"}) for t in at]
        asked.append(("query_range", {"query": q, "start": f"{inner:.3f}", "end": f"{end:.3f}", "step": "1.3"}))
        for path, params in asked:
            key = (path, *params.values())
            if key not in answers:
                answers[key] = ask(prometheus, path, **params)
            diff = difference(answers[key], ask(varve.port, path, **params))
            if diff:
                wrong.append((key, diff))
    for key, diff in wrong[:20]:
        print(f"  {key}\n    {diff}")
    equal(len(wrong), 0, f"different answers {where}")


answers = {}  # of Prometheus
compare("over head and blocks")
varve.stop()
varve = Server(data=varve.data)
compare("over blocks")

step("series, labels and values")
span = {"start": f"{begin:.3f}", "end": f"{end:.3f}"}
for path, params in (("labels", {}), ("label/__name__/values", {}), ("label/mode/values", {}),
                     ("label/job/values", {"match[]": "up"}), ("labels", {"match[]": '{job="node"}'})):
    p, v = (ask(port, path, **span, **params)["data"] for port in (prometheus, varve.port))
    equal(sorted(v), sorted(p), path)
key = lambda s: sorted(s.items())
p, v = (ask(port, "series", **span, **{"match[]": ['{job="node"}', "up"]})["data"] for port in (prometheus, varve.port))
equal(sorted(v, key=key), sorted(p, key=key), "series")
print("ok")
