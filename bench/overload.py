#!/usr/bin/env python3
"""Does reading slow down writing? Remote write at a modest rate, alone and then while 500 connections ask for a heavy query as fast
as they are answered: times of write requests, each acknowledged after its sync.

  bench/overload.py [--varve build/release/varve] [--rate 20000 (samples/s)] [--queries 500] [--seconds 20] [--stages]
"""
import argparse
import json
import os
import re
import subprocess
import sys
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "e2e"))
parser = argparse.ArgumentParser()
parser.add_argument("--varve", default="build/release/varve")
parser.add_argument("--rate", type=int, default=20000)
parser.add_argument("--queries", type=int, default=500)
parser.add_argument("--seconds", type=int, default=20)
parser.add_argument("--stages", action="store_true", help="also tell where writes spent their time, by the server's clocks")
parser.add_argument("--flag", action="append", default=[], help="for the server, repeatable")
args = parser.parse_args()
sys.argv = [sys.argv[0], args.varve]
from lib import Server  # noqa: E402

BENCH = os.path.join(os.path.dirname(os.path.abspath(args.varve)), "bench")


def load(server, series, rounds, *more):
    out = subprocess.run([f"{BENCH}/bench_load", f"--url=127.0.0.1:{server.port}/api/v1/write", f"--series={series}",
                          f"--rounds={rounds}", *more], check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(out)


def writes(server):
    return load(server, args.rate, args.seconds, "--pace=1", "--per-request=500", "--interval=1s", "--first-target=1000")


STAGES = ("varve_write_duration_seconds", "varve_remote_write_stage_duration_seconds", "varve_commit_stage_duration_seconds")


def stages(server):
    """{(histogram, stage): [(bound, count)]} of the server's own clocks, cumulative."""
    out = {}
    for line in server.request("GET", "/metrics")[2].decode().splitlines():
        name, _, rest = line.partition("_bucket{")
        if name in STAGES and rest:
            labels = dict(re.findall(r'(\w+)="([^"]*)"', rest))
            bound = float(labels["le"].replace("+Inf", "inf"))
            out.setdefault((name, labels.get("stage", "")), []).append((bound, float(line.rsplit(" ", 1)[1])))
    return out


def tell_stages(before, after):
    """Upper bounds of the buckets that the median and p99 of each stage fall into."""
    for key, buckets in after.items():
        counts = [(b, n - dict(before.get(key, [])).get(b, 0)) for b, n in sorted(buckets)]
        total = counts[-1][1]
        at = [next(b for b, n in counts if n >= q * total) * 1000 for q in (0.5, 0.99)] if total else [0, 0]
        print(f"    {key[0]:45}{key[1]:10} p50 <= {at[0]:7.2f} ms  p99 <= {at[1]:7.2f}  ({total:.0f})")


def main():
    server = Server(flags=args.flag)
    end = int(time.time())
    load(server, 30000, 240, f"--end={end * 1000}")
    load(server, args.rate, 1, "--first-target=1000", "--per-request=500")
    marks = [stages(server)]
    quiet = writes(server)
    marks.append(stages(server))
    query = urllib.parse.urlencode({"query": 'sum by (namespace) (rate({__name__=~".+"}[5m]))', "start": end - 3600, "end": end,
                                    "step": 15, "nocache": 1})
    readers = subprocess.Popen([f"{BENCH}/bench_http", f"--url=127.0.0.1:{server.port}/api/v1/query_range?{query}",
                                f"--connections={args.queries}", f"--seconds={args.seconds + 4}"], stdout=subprocess.PIPE, text=True)
    time.sleep(2)
    marks.append(stages(server))
    loaded = writes(server)
    marks.append(stages(server))
    answers = json.loads(readers.communicate()[0])
    for name, r, m in ("alone", quiet, marks[:2]), (f"with {args.queries} queries", loaded, marks[2:]):
        print(f"{name:20} write p50 {r['p50_ms']:8.1f} ms  p99 {r['p99_ms']:8.1f}  max {r['max_ms']:8.1f}  errors {r['errors']}")
        if args.stages:
            tell_stages(*m)
    print(f"p99 ratio {loaded['p99_ms'] / quiet['p99_ms']:.2f}; queries answered {answers['answers']} ({answers['failures']} refused), "
          f"p50 {answers['p50_ms'] / 1000:.1f} s")
    server.stop()


main()
