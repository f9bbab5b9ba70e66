#!/usr/bin/env python3
"""A dashboard that refreshes: the same range queries over the last hour, every 15 s of the data's time, with the result cache and
without (nocache=1); wall and server CPU time of each, and that the answers are equal.

  bench/refresh.py [--varve build/release/varve] [--series 30000] [--refreshes 20] [--full-head]
"""
import argparse
import os
import subprocess
import sys
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "e2e"))
parser = argparse.ArgumentParser()
parser.add_argument("--varve", default="build/release/varve")
parser.add_argument("--series", type=int, default=30000)
parser.add_argument("--refreshes", type=int, default=20)
parser.add_argument("--full-head", action="store_true", help="half an hour in the head's streams rather than ten minutes")
args = parser.parse_args()
sys.argv = [sys.argv[0], args.varve]
from lib import Server, equal  # noqa: E402

LOAD = os.path.join(os.path.dirname(os.path.abspath(args.varve)), "bench", "bench_load")
ALL = '{__name__=~".+"}'
QUERIES = [
    "sum by (namespace) (rate(http_server_requests_seconds_count[5m]))",
    "sum(rate(node_cpu_seconds_total[5m]))",
    "topk(5, sum by (pod) (rate(apiserver_request_total[5m])))",
    "avg by (mode) (process_open_fds)",
    'rate(container_network_receive_bytes_total{namespace=~"team-1.*"}[5m])',
    'go_memstats_heap_alloc_bytes{namespace=~"team-1.*"}',
    f"sum by (namespace) (rate({ALL}[5m]))",  # of no one name: not kept
]
TICK = os.sysconf("SC_CLK_TCK")


def load(server, rounds, end_ms):
    subprocess.run([LOAD, f"--url=127.0.0.1:{server.port}/api/v1/write", f"--series={args.series}", f"--rounds={rounds}",
                    f"--end={end_ms}"], check=True, stdout=subprocess.DEVNULL)


def cpu(server):
    with open(f"/proc/{server.pid()}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def ask(server, query, end_s, nocache):
    pairs = {"query": query, "start": end_s - 3600, "end": end_s, "step": 15}
    url = "/api/v1/query_range?" + urllib.parse.urlencode(pairs | ({"nocache": 1} if nocache else {}))
    begun = time.perf_counter()
    status, _, body = server.request("GET", url)
    took = time.perf_counter() - begun
    equal(status, 200, query)
    return took, body


def main():
    server = Server()
    now = (int(time.time()) - 3600) // 15 * 15
    for minutes in 60, 30:  # each stop cuts the head: half-hour blocks, as they come when time really goes on
        load(server, 120, (now - minutes * 60) * 1000)
        server.stop()
        server = Server(data=server.data)
    if not args.full_head:
        load(server, 80, (now - 600) * 1000)
        server.stop()
        server = Server(data=server.data)
    load(server, 120 if args.full_head else 40, now * 1000)
    ends = []
    for _ in range(args.refreshes):  # as time goes on
        now += 15
        ends.append(now)
    wall, used = {}, {}
    for q in QUERIES:
        ask(server, q, ends[0] - 15, False)
    for end in ends:
        load(server, 1, end * 1000)
        for q in QUERIES:
            answers = []
            for nocache in False, True:
                before = cpu(server)
                took, body = ask(server, q, end, nocache)
                wall[q, nocache] = wall.get((q, nocache), 0) + took
                used[q, nocache] = used.get((q, nocache), 0) + cpu(server) - before
                answers.append(body)
            equal(answers[0] == answers[1], True, f"the same answer: {q}")
    print(f"{'ms a refresh: wall cached':>26} {'not':>7} {'CPU cached':>11} {'not':>7} {'gain':>6}  query")
    for q in QUERIES:
        w, n = (wall[q, k] * 1000 / len(ends) for k in (False, True))
        c, d = (used[q, k] * 1000 / len(ends) for k in (False, True))
        print(f"{w:26.1f} {n:7.1f} {c:11.1f} {d:7.1f} {d / max(c, 0.5):6.1f}  {q}")
    server.stop()


main()
