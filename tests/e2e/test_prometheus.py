"""The same data in Varve and in Debian's Prometheus gives the same answers.

Prometheus scrapes itself and node_exporter and remote-writes everything to Varve; then hundreds of
queries are asked of both. Debian's Prometheus is 2.42, whose ranges are closed on the left; all
times asked for lie off the samples' times, where both rules agree.
"""
import json
import math
import os
import time
import urllib.parse
import urllib.request

from lib import Server, check, equal, folder, free_port, start, step

SCRAPES = 40  # at one a second

varve = Server()
node, prometheus = free_port(), free_port()
d = folder()
with open(os.path.join(d, "prometheus.yml"), "w") as f:
    f.write(f"""
global: {{scrape_interval: 1s, external_labels: {{}}}}
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


step(f"{SCRAPES} scrapes a second apart, remote-written to varve")
deadline = time.time() + SCRAPES + 60
while time.time() < deadline:
    try:
        r = ask(prometheus, "query", query='min(count_over_time(up[10m]))')["data"]["result"]
        if r and float(r[0]["value"][1]) >= SCRAPES:
            break
    except OSError:
        pass
    time.sleep(1)
else:
    check(False, "prometheus did not scrape")
up = ask(prometheus, "query", query="up[10m]")["data"]["result"]
end = min(float(v["values"][-1][0]) for v in up) - 3
begin = max(float(v["values"][0][0]) for v in up)
deadline = time.time() + 30  # the sender is behind by its batch deadline
while time.time() < deadline:
    r = ask(varve.port, "query", query="max(timestamp(up))", time=time.time())["data"]["result"]
    if r and float(r[0]["value"][1]) > end + 1:
        break
    time.sleep(0.5)


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
RANGES = ["5s", "10s", "30s"]
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
    queries += [f"avg({g})", f"round({g}, 0.5)", f"clamp({g}, 1, 100)", f"bottomk(1, {g})", f"{g} @ {end:.0f}.123",
                f"{g} * on (instance) group_left (job) up", f"{g} / ignoring (device, fstype, mountpoint) group_left up"]
for phi in (0.1, 0.5, 0.9, 0.99, 1.5):
    queries += [f"histogram_quantile({phi}, sum by (le, handler) (rate(prometheus_http_request_duration_seconds_bucket[30s])))",
                f"histogram_quantile({phi}, prometheus_http_request_duration_seconds_bucket)"]
queries += ["time()", "vector(3)", "scalar(sum(up))", "1 + 2 * 3 ^ 2", "up + up", "up * on (job, instance) up",
            "node_cpu_seconds_total + node_cpu_seconds_total", "up == 1", "up unless up", "1 / 0", "-1 / 0", "0 / 0",
            'up{job="none"}', '{job=~"no.*",__name__=~"node_network.*"}', '{__name__="up",job!~"pro.*"}',
            "sum(up) by (job) > on (job) group_left sum(up) by (job)", "rate(up)", "up[5s", "sum(up) by", "foo bar",
            "up + on (job) node_cpu_seconds_total", 'count by (__name__) ({job="node"})']

step(f"{len(queries)} queries, instant and range")
inner = begin + 32  # behind the longest range
at = [round(inner + (end - inner) * k / 2) + 0.777 for k in (1, 2)]
wrong = []
for q in queries:
    for t in at:
        p, v = (ask(port, "query", query=q, time=f"{t:.3f}") for port in (prometheus, varve.port))
        diff = difference(p, v)
        if diff:
            wrong.append((f"{q} at {t}", diff))
    params = {"query": q, "start": f"{inner:.3f}", "end": f"{end:.3f}", "step": "1.3"}
    p, v = (ask(port, "query_range", **params) for port in (prometheus, varve.port))
    diff = difference(p, v)
    if diff:
        wrong.append((f"{q} as range", diff))
for q, diff in wrong[:20]:
    print(f"  {q}\n    {diff}")
equal(len(wrong), 0, "different answers")

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
