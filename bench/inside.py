#!/usr/bin/env python3
"""What it costs to look inside: cardinality of many series in head and block, and a query with its trace.

Usage: bench/inside.py VARVE [SERIES]. Wall times are the best of three; CPU is that of the server, the best of six rounds.
"""
import http.client
import os
import sys
import time

series_count = int(sys.argv.pop(2)) if len(sys.argv) > 2 else 200000
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "e2e"))
from lib import Server, check

now = int(time.time())
s = Server(flags=["--log.level=warn"])


def cardinality(name, **params):
    best = 1e9
    for _ in range(3):
        begun = time.time()
        status, answer = s.api("status/tsdb", **params)
        best = min(best, time.time() - begun)
        check(status == 200, f"{name}: {answer}")
    print(f"{name:42} {best * 1000:8.0f} ms, {answer['data'].get('totalSeries', '')} series", flush=True)


def cpu_us():
    total = 0
    for task in os.listdir(f"/proc/{s.pid()}/task"):
        with open(f"/proc/{s.pid()}/task/{task}/schedstat") as f:
            total += int(f.read().split()[0])
    return total / 1000


def query_cost(path, count=100):
    best = 1e9
    for _ in range(6):
        c = http.client.HTTPConnection("127.0.0.1", s.port)
        begun = cpu_us()
        for _ in range(count):
            c.request("GET", path)
            c.getresponse().read()
        best = min(best, (cpu_us() - begun) / count)
        c.close()
    return best


for first in range(0, series_count, 20000):
    s.write([({"__name__": f"metric_{i % 500}", "pod": f"pod-{i // 500}", "job": f"job{i % 20}", "zone": "abc"[i % 3],
               "instance": f"10.0.{i // 5000 % 256}.{i % 250}:9100"}, [(now * 1000, 1)])
             for i in range(first, min(first + 20000, series_count))])
s.write([({"__name__": "m", "i": str(i)}, [((now - 1500 + 15 * k) * 1000, k) for k in range(100)]) for i in range(500)])
cardinality("head, as upstream")
cardinality("head, all series", start=now - 60)
cardinality("head, one job of 20", **{"match[]": '{job="job3"}'})
url = f"/api/v1/query_range?query=sum(rate(m[1m]))&start={now - 1500}&end={now}&step=15&nocache=1"
print(f"{'query of 500 series, 101 steps: CPU':42} {query_cost(url):8.0f} us, with trace=1 {query_cost(url + '&trace=1'):.0f} us")
check(s.stop() == 0, "exit status")
s = Server(data=s.data, flags=["--log.level=warn"])
cardinality("block, all series", start=now - 60, end=now + 60)
cardinality("block, one job of 20", start=now - 60, end=now + 60, **{"match[]": '{job="job3"}'})
check(s.stop() == 0, "exit status")
