#!/usr/bin/env python3
"""Queries over many series stay within their budget or say so with 422 (D11), whatever shape they have;
memory of the server grows with the answer and its groups, not with the series; others are served
meanwhile.

    test_heavy_queries.py VARVE
"""
import json
import threading
import time
import urllib.parse

from lib import Server, check, equal, folder, step

SERIES, STEPS, T = 100000, 1000, 1790000000
MB = 1 << 20


def memory(server, field):
    """VmRSS or VmHWM in bytes."""
    with open(f"/proc/{server.pid()}/status") as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith(field + ":"))


def reset_peak(server):
    with open(f"/proc/{server.pid()}/clear_refs", "w") as f:
        f.write("5")


def ask(server, query, path="query_range", **more):
    """Status and answer of a query over STEPS steps, and by how much the server's memory peaked."""
    params = {"query": query, "start": T, "end": T + STEPS - 1, "step": 1} if path == "query_range" else \
        {"query": query, "time": T}
    reset_peak(server)
    before = memory(server, "VmRSS")
    status, _, body = server.request("GET", f"/api/v1/{path}?" + urllib.parse.urlencode({**params, **more}))
    return status, json.loads(body), memory(server, "VmHWM") - before


def limited(server, query, path="query_range", rise_max=400 * MB, **more):
    """The query is refused with 422 in the words of a limit, and memory stays bounded."""
    begun = time.time()
    status, answer, rise = ask(server, query, path, **more)
    took = time.time() - begun
    check(status == 422 and answer["errorType"] == "execution", f"{query}: {status} {str(answer)[:300]}")
    words = ("too many samples", "limit of", "exceed", "more than", "steps", "memory", "too long", "labels")
    check(any(w in answer["error"] for w in words), f"{query}: {answer['error']}")
    check(rise < rise_max, f"{query}: memory rose by {rise / MB:.0f} MB")
    check(took < 20, f"{query}: refused after {took:.1f} s")


FLAGS = ["--query.max-memory=268435456", "--query.max-samples=400000000", "--query.timeout=60s"]
s = Server(data=folder(), flags=FLAGS)

step(f"{SERIES} series")
for first in range(0, SERIES, 5000):
    s.write([({"__name__": "wide", "group": str(i % 50), "i": str(i)}, [((T - 1) * 1000, i % 7)])
             for i in range(first, first + 5000)])
status, answer, _ = ask(s, "count(wide)", "query")
equal(answer["data"]["result"][0]["value"][1], str(SERIES), "series")

step(f"aggregations over {SERIES} series and {STEPS} steps hold groups, not series")
whole = "last_over_time(wide[1h])"
for query, rows in ((f"sum({whole})", 1), (f"sum by (group) ({whole})", 50), (f"max by (group) ({whole} * 2)", 50),
                    (f"avg({whole})", 1), (f"count by (group) (rate(wide[1h]) or {whole} < -1)", None)):
    status, answer, rise = ask(s, query)
    if rows is None:
        check(status in (200, 422), f"{query}: {status}")
        continue
    equal(status, 200, f"{query}: {str(answer)[:300]}")
    equal(len(answer["data"]["result"]), rows, query)
    equal(len(answer["data"]["result"][0]["values"]), STEPS, query)
    # Labels of all series (some 300 bytes each) and the groups; rows would take 800 MB.
    check(rise < 150 * MB, f"{query}: memory rose by {rise / MB:.0f} MB")

step("what would need every row is refused for its memory")
for query in (whole, f"sort({whole})", f"topk(1e18, {whole})", f"quantile(0.5, {whole})",
              f"count_values('v', {whole})", f"{whole} + {whole}", f"{whole} and on (i) {whole}",
              f"label_replace({whole}, 'x', '$1$1$1$1$1$1$1$1', 'i', '(.*)')",
              f"sum_over_time({whole}[5m:1s])"):
    limited(s, query)

step("with fewer samples allowed than the query looks at, it is refused as Prometheus does")
equal(s.stop(), 0, "exit status")
small = Server(data=s.data, flags=["--query.max-samples=20000000"])
for query in (whole, f"sum({whole})", f"sum by (group) ({whole})"):
    limited(small, query)
equal(small.stop(), 0, "exit status")
s = Server(data=s.data, flags=FLAGS)

step("subqueries of a year, cross joins, growing labels")
limited(s, 'count_over_time({__name__=~".+"}[1y:1s])', "query")
limited(s, "sum_over_time(vector(1)[10y:1s])", "query")
for query in ("wide * on (group) group_left () wide", "wide + on () group_left () wide"):
    status, answer, rise = ask(s, query, "query")
    check(status == 422, f"{query}: {status} {str(answer)[:200]}")
    check(rise < 400 * MB, f"{query}: memory rose by {rise / MB:.0f} MB")
grown = "wide"
for _ in range(12):  # 4 KB of label a series and more
    grown = f"label_replace({grown}, 'x', '$1$1', 'x', '(.*)')" if grown != "wide" else \
        "label_replace(wide, 'x', '12345678', '', '')"
status, answer, rise = ask(s, grown, "query")
check(status == 422 or rise < 400 * MB, f"growing labels: {status}, memory rose by {rise / MB:.0f} MB")

step("others are served while a heavy query runs")
done = []
heavy = threading.Thread(target=lambda: done.append(ask(s, f"sum(stddev_over_time({whole}[60s:1s]))", timeout="15s")[0]))
light = threading.Thread(target=lambda: done.append(ask(s, f"sum by (i) ({whole})")[0]))
for t in (heavy, light):
    t.start()
worst = 0
for _ in range(20):
    begun = time.time()
    equal(ask(s, "vector(1)", "query")[0], 200, "a small query")
    worst = max(worst, time.time() - begun)
    time.sleep(0.02)
for t in (heavy, light):
    t.join()
check(all(status in (200, 422, 503) for status in done), f"{done}")
check(worst < 2, f"a small query took {worst:.2f} s beside heavy ones")
status, answer, _ = ask(s, "count(wide)", "query")
equal((status, answer["data"]["result"][0]["value"][1]), (200, str(SERIES)), "the server goes on")
equal(s.stop(), 0, "exit status")
print("ok")
