#!/usr/bin/env python3
"""Side by side: Varve, Debian's prometheus and victoria-metrics, one after the other, same load.

    bench/compare.py [--series N] [--rounds N] [--connections N] [--only varve,prometheus,victoria]
                     [--parts ingest,restart,queries,disk] [--json FILE]

Prints one table: a row for each measurement, a column for each server, and the ratios that matter.
Needs the release build (build/release) and the packages of script/packages. CPU time is that of
the server process alone, so ratios hold on a busy machine too. At the end stand the medians, over
the queries, of the ratios of CPU time and of wall time, and the worst of them.
"""
import argparse
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(ROOT, "build/release")

PROMETHEUS_CONFIG = "global:\n  scrape_interval: 1h\nstorage:\n  tsdb:\n    out_of_order_time_window: 0s\n"

# Shapes of panels: the first is the headline figure; all are run as range queries.
QUERIES = [
    "sum by (namespace) (rate({metric}[5m]))",
    "sum(rate({metric}[5m]))",
    "sum by (cluster, mode) (rate({metric}[1m]))",
    "avg by (mode) ({metric})",
    "max by (instance) ({metric})",
    "count({metric})",
    "topk(5, sum by (pod) (rate({metric}[5m])))",
    "sum by (mode) (increase({metric}[5m])) / ignoring (mode) group_left sum(increase({metric}[5m]))",
    "sum by (namespace) (max_over_time({metric}[5m]))",
    "quantile(0.9, rate({metric}[5m]))",
    '{metric}{{namespace="team-03-namespace"}}',
    'rate({metric}{{namespace="team-03-namespace"}}[5m])',
    'sum(rate({{__name__=~"node_cpu.*|process_open.*",mode!="idle"}}[5m])) by (mode)',
]
METRIC = '{__name__=~".+"}'


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    def __init__(self, kind, folder):
        self.kind, self.folder, self.port = kind, folder, free_port()
        self.process, self.base = None, f"http://127.0.0.1:{self.port}"

    def argv(self):
        data = os.path.join(self.folder, "data")
        address = f"127.0.0.1:{self.port}"
        if self.kind == "varve":
            return [os.environ.get("VARVE", os.path.join(BUILD, "varve")), "serve", f"--storage.tsdb.path={data}",
                    f"--web.listen-address={address}", "--storage.tsdb.retention.time=0s",
                    "--query.max-samples=1000000000", "--web.enable-admin-api"]
        if self.kind == "prometheus":
            config = os.path.join(self.folder, "prometheus.yml")
            with open(config, "w") as f:
                f.write(PROMETHEUS_CONFIG)
            return ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={data}",
                    f"--web.listen-address={address}", "--web.enable-remote-write-receiver",
                    "--storage.tsdb.retention.time=10y", "--query.max-samples=1000000000",
                    "--web.enable-admin-api"]
        return ["victoria-metrics", f"-storageDataPath={data}", f"-httpListenAddr={address}",
                "-retentionPeriod=10y", "-search.maxUniqueTimeseries=10000000",
                "-search.maxSamplesPerQuery=10000000000", "-search.maxQueryDuration=300s",
                "-search.disableCache", "-search.latencyOffset=0s"]

    def start(self):
        """Seconds until a query is answered."""
        begun = time.monotonic()
        log = open(os.path.join(self.folder, "log"), "ab")
        self.process = subprocess.Popen(self.argv(), stdout=log, stderr=log)
        while True:
            try:
                self.query("vector(1)", time.time())
                return time.monotonic() - begun
            except OSError:
                if self.process.poll() is not None:
                    sys.exit(f"{self.kind} ended: see {self.folder}/log")
                time.sleep(0.01)

    def stop(self, sig=signal.SIGTERM):
        self.process.send_signal(sig)
        self.process.wait()

    def cpu(self):
        """CPU seconds of the process so far, with the resolution of its CPU clock (clock_getcpuclockid)."""
        return time.clock_gettime((~self.process.pid << 3) | 2)

    def anonymous(self):
        with open(f"/proc/{self.process.pid}/status") as f:
            for line in f:
                if line.startswith("RssAnon:"):
                    return int(line.split()[1]) * 1024
        return 0

    def disk(self):
        total = 0
        for folder, _, files in os.walk(os.path.join(self.folder, "data")):
            for name in files:
                try:
                    total += os.stat(os.path.join(folder, name)).st_blocks * 512
                except OSError:
                    pass
        return total

    def read(self, path, **params):
        """The answer's bytes: what reading them as JSON takes is the client's business."""
        url = f"{self.base}/api/v1/{path}?{urllib.parse.urlencode(params)}"
        with urllib.request.urlopen(url, timeout=600) as r:
            return r.read()

    def get(self, path, **params):
        return json.loads(self.read(path, **params))

    def query(self, query, at):
        return self.get("query", query=query, time=at)["data"]["result"]

    def write_path(self):
        return "api/v1/write"


def load(server, args, **more):
    options = {"series": args.series, "rounds": args.rounds, "connections": args.connections, **more}
    argv = [os.path.join(BUILD, "bench/bench_load"), f"--url=127.0.0.1:{server.port}/{server.write_path()}",
            *[f"--{k.replace('_', '-')}={v}" for k, v in options.items()]]
    return json.loads(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)


def ingest(server, args, row):
    end = int(time.time() * 1000) - 60000
    warm = load(server, args, rounds=2, end=end - args.rounds * 15000)  # creates the series
    cpu = server.cpu()
    done = load(server, args, end=end)
    row["samples"] = warm["samples_acked"] + done["samples_acked"]
    row["samples per CPU second"] = done["samples_acked"] / (server.cpu() - cpu)
    row["samples per second"] = done["samples_acked"] / done["seconds"]
    row["request p50 ms"], row["request p99 ms"] = done["p50_ms"], done["p99_ms"]
    row["errors"] = warm["errors"] + done["errors"]
    time.sleep(2)
    row["anonymous RSS per series"] = server.anonymous() / args.series
    row["end"] = end


def count_samples(server, row, args):
    """All samples, counted metric by metric so that no server needs all series at once."""
    at = row["end"] / 1000 + 1
    span = f"{(args.rounds + 4) * 15 + 3600}s"
    total = 0
    names = server.get("label/__name__/values", start=at - 86400 * 3, end=at)["data"]
    for name in names:
        r = server.query(f"sum(count_over_time({name}[{span}]))", at)
        total += int(float(r[0]["value"][1])) if r else 0
    return total


def restart(server, args, row):
    server.stop(signal.SIGKILL)
    row["restart after SIGKILL s"] = server.start()
    row["samples lost after SIGKILL"] = row["samples"] - count_samples(server, row, args)
    server.stop()
    row["restart after SIGTERM s"] = server.start()


def queries(server, args, row):
    end = row["end"] / 1000
    start = end - min(7200, args.rounds * 15)
    for i, template in enumerate(QUERIES):
        query = template.format(metric=METRIC)
        query = query.replace(METRIC + "{", "{" + '__name__=~".+",')
        times, cpus = [], []
        for _ in range(args.repeat):
            cpu, begun = server.cpu(), time.monotonic()
            try:
                server.read("query_range", query=query, start=start, end=end, step=15, nocache=1)
            except OSError as e:
                row[f"q{i} error"] = str(e)
                break
            times.append(time.monotonic() - begun)
            cpus.append(server.cpu() - cpu)
        if times:
            row[f"q{i} wall ms: {query[:54]}"] = statistics.median(times) * 1000
            row[f"q{i} CPU ms"] = statistics.median(cpus) * 1000


def disk(server, args, row):
    """Bytes per sample at rest: after a clean stop, a start and compaction."""
    server.stop()
    server.start()
    time.sleep(args.settle)
    server.stop()
    row["bytes per sample on disk"] = server.disk() / row["samples"]
    server.start()


PARTS = {"ingest": ingest, "queries": queries, "restart": restart, "disk": disk}


def table(rows):
    kinds = list(rows)
    keys = []
    for kind in kinds:
        keys += [k for k in rows[kind] if k not in keys]
    print(f"{'':64}" + "".join(f"{k:>14}" for k in kinds) +
          "".join(f"{'varve vs ' + k[:5]:>16}" for k in kinds if k != "varve"))
    for key in keys:
        cells = [rows[k].get(key) for k in kinds]
        line = f"{key:64}" + "".join(f"{c:>14,.3f}" if isinstance(c, (int, float)) else f"{'-':>14}" for c in cells)
        if "varve" in rows:
            ours = rows["varve"].get(key)
            for kind in kinds:
                theirs = rows[kind].get(key)
                if kind != "varve":
                    ok = isinstance(ours, (int, float)) and isinstance(theirs, (int, float)) and ours
                    line += f"{theirs / ours if ' per CPU' not in key and ' per second' not in key else ours / theirs:>16.2f}" if ok and theirs else f"{'-':>16}"
        print(line)
    print("ratios: how many times better Varve is")
    medians(rows)


def medians(rows):
    """Of the queries' ratios, by what was measured."""
    if "varve" not in rows:
        return
    for kind in rows:
        for what, mark in (("CPU", " CPU ms"), ("wall", " wall ms")):
            keys = [k for k in rows["varve"] if mark in k and k in rows[kind]]
            ratios = [rows[kind][k] / rows["varve"][k] for k in keys if rows["varve"][k] > 0]
            if kind != "varve" and ratios:
                print(f"{what} of {len(ratios)} queries, {kind} / varve: median {statistics.median(ratios):.2f}, "
                      f"worst {min(ratios):.2f}, best {max(ratios):.2f}")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--series", type=int, default=30000)
    p.add_argument("--rounds", type=int, default=480)
    p.add_argument("--connections", type=int, default=4)
    p.add_argument("--repeat", type=int, default=3)
    p.add_argument("--settle", type=float, default=5)
    p.add_argument("--only", default="varve,victoria,prometheus")
    p.add_argument("--parts", default="ingest,queries,restart,disk")
    p.add_argument("--json")
    args = p.parse_args()
    rows = {}
    for kind in args.only.split(","):
        folder = tempfile.mkdtemp(prefix=f"bench-{kind}-")
        server, row = Server(kind, folder), {}
        try:
            server.start()
            for part in args.parts.split(","):
                PARTS[part](server, args, row)
            server.stop()
        finally:
            if server.process and server.process.poll() is None:
                server.process.kill()
                server.process.wait()
            shutil.rmtree(folder, ignore_errors=True)
        rows[kind] = row
        print(kind, "done", file=sys.stderr)
    table(rows)
    if args.json:
        with open(args.json, "w") as f:
            json.dump(rows, f, indent=1)


if __name__ == "__main__":
    main()
