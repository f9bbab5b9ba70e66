"""The result cache: a dashboard that refreshes gets, to the byte, what it would get without; late samples, deletions and cuts
included. That it is used, that it can be switched off, and that its memory is bounded.
"""
import json
import random
import re
import urllib.parse

from lib import Server, check, equal, step

T = 1600000200  # start of the data, in seconds; a multiple of 60
rng = random.Random(20261123)
QUERIES = [
    "sum by (job) (rate(requests_total[1m]))",
    "avg(load)",
    "load",
    "topk(2, sum by (i) (rate(requests_total[2m])))",
    'max by (job) (load) / scalar(count(load{i="1"}))',
    "rate(load[1m])",  # an info: might not be a counter
    "max_over_time(load[2m:30s])",
    "requests_total @ end()",
    "limitk(2, load)",
]
s = Server(flags=["--query.cache-size=1MiB"])
total = [0.0] * 12


def write(seconds, late=False):
    rows = []
    for i in range(12):
        total[i] += rng.random() * 100
        labels = {"i": str(i), "job": f"j{i % 3}"}
        rows.append(({"__name__": "requests_total", **labels}, [(seconds * 1000 + i, total[i])]))
        rows.append(({"__name__": "load", **labels}, [(seconds * 1000 + i, rng.random() * 8 - 4)]))
    s.write(rows if not late else rows[1::8])


def raw(query, start, end, step_s, server=s, **more):
    url = "/api/v1/query_range?" + urllib.parse.urlencode(
        {"query": query, "start": start, "end": end, "step": step_s, **more})
    status, _, body = server.request("GET", url)
    return status, body


def same(query, start, end, step_s=15, server=s):
    got = raw(query, start, end, step_s, server)
    equal(got, raw(query, start, end, step_s, server, nocache=1), f"{query} {start - T}..{end - T}")
    return got


def counters(server=s):
    text = server.request("GET", "/metrics")[2].decode()
    found = {r: int(n) for r, n in re.findall(r'varve_query_cache_queries_total\{result="(\w+)"\} (\d+)', text)}
    for name in "steps_total", "bytes", "entries", "evicted_total":
        value = re.search(rf"^varve_query_cache_{name} (\S+)", text, re.M)
        found[name] = float(value.group(1)) if value else None
    return found


step("refreshes of a dashboard, while samples come, late ones too")
now = T
for k in range(240):
    write(now + 15 * k)
now += 15 * 240
for k in range(40):
    write(now)
    if k % 7 == 3:
        write(now - rng.randrange(30, 1800), late=True)
    if k % 13 == 6:
        equal(s.api("admin/tsdb/delete_series", method="POST", **{
            "match[]": 'load{i="3"}', "start": now - 900 - 10 * k, "end": now - 600})[0], 204, "delete")
    if k == 25:
        equal(s.api("admin/tsdb/snapshot", method="POST")[0], 200, "snapshot (cuts the head)")
    for q in QUERIES:
        same(q, now - 1800, now)
    now += 15
c = counters()
check(c["partial"] > 100 and c["steps_total"] > 10000, f"the cache was used: {c}")
check(c["refused"] >= 2 * 40, f"what is not step-local is refused: {c}")

step("other ranges, steps and phases")
for start, end, step_s in [(-600, -60, 15), (-600, -60, 15), (-900, 0, 15), (-1793, -8, 15), (-1800, 0, 30), (-300, -285, 15),
                           (-1800, -900, 15), (-120, 0, 1)]:
    for q in QUERIES:
        same(q, now + start, now + end, step_s)

step("a trace tells which steps were kept; nocache and stats look at every step")
args = (QUERIES[0], now - 1800, now, 15)
same(*args)
trace = json.loads(raw(*args, trace=1)[1])["trace"]


def find(node, operation):
    if node.get("operation") == operation:
        return node
    return next((f for c in node.get("children", []) if (f := find(c, operation))), None)


node = find(trace, "result cache")
check(node is not None and node["steps"] == node["cache_hits"] > 100, f"trace: {json.dumps(trace)[:600]}")
before = counters()
for more in {"nocache": "true"}, {"stats": "all"}:
    status, body = raw(*args, **more)
    equal(status, 200, "status")
    equal(json.loads(body)["data"]["result"], json.loads(raw(*args, nocache=1)[1])["data"]["result"], "result")
equal({k: v for k, v in counters().items()}, before, "nothing counted, nothing kept")

step("the memory is bounded")
for n in range(60):
    same(f"load * {n + 2} + {n}", now - 1800, now, 5)
c = counters()
check(c["bytes"] <= 1 << 20 and c["evicted_total"] > 0 and c["entries"] > 0, f"bounded: {c}")

step("switched off")
off = Server(flags=["--query.cache-size=0"])
off.write([({"__name__": "m"}, [(T * 1000, 1)])])
status, body = raw("m", T, T + 300, 15, off)
equal(len(json.loads(body)["data"]["result"]), 1, "answer")
check("varve_query_cache" not in off.request("GET", "/metrics")[2].decode(), "no metrics of a cache that is not there")
off.stop()
s.stop()
