#!/usr/bin/env python3
"""Restart after SIGKILL in the middle of a cut.

    bench/restart.py [VARVE] [--series 1000000] [--rounds 120] [--more 4] [--cut-after 90] [--runs 3]

Loads ROUNDS samples of each series, waits for the cut of that window to begin (CUT_AFTER seconds after
the start, which must be enough for loading), loads MORE rounds into the next window and kills the
server while the first one is being written. Then starts it again RUNS times, each time killed as soon
as it is ready, and prints wall time until /-/ready, CPU time and the most memory until then. At last
all samples are counted: as many as were acknowledged, or the script fails.
Needs the release build with bench_load beside VARVE (build/release/bench).
"""
import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TICK = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    def __init__(self, varve, folder, window_s):
        self.folder, self.port = folder, free_port()
        begun = time.monotonic()
        with open(os.path.join(folder, "server.log"), "a") as log:
            self.process = subprocess.Popen(
                [varve, "serve", "--storage.tsdb.path=" + os.path.join(folder, "data"),
                 f"--web.listen-address=127.0.0.1:{self.port}", f"--storage.head.window={window_s}s",
                 "--query.timeout=10m", "--query.max-samples=2000000000"],
                stdout=log, stderr=subprocess.STDOUT)
        while not self.ready():
            if self.process.poll() is not None:
                sys.exit(f"the server ended, see {folder}/server.log")
            time.sleep(0.005)
        self.ready_s = time.monotonic() - begun

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=600) as answer:
            return answer.read()

    def ready(self):
        try:
            return self.get("/-/ready") is not None
        except OSError:
            return False

    def usage(self):
        with open(f"/proc/{self.process.pid}/stat") as f:
            stat = f.read().rsplit(")", 1)[1].split()
        with open(f"/proc/{self.process.pid}/status") as f:
            peak_kb = next(int(line.split()[1]) for line in f if line.startswith("VmHWM"))
        return int(stat[11]) / TICK, int(stat[12]) / TICK, peak_kb / 1024

    def samples(self):
        query = urllib.parse.urlencode({"query": 'sum(count_over_time({__name__=~".+"}[100h]))', "nocache": 1})
        result = json.loads(self.get("/api/v1/query?" + query))["data"]["result"]
        return int(result[0]["value"][1]) if result else 0

    def kill(self):
        self.process.kill()
        self.process.wait()


def load(server, bench_load, series, rounds, end_ms):
    out = subprocess.run([bench_load, f"--url=127.0.0.1:{server.port}/api/v1/write", f"--series={series}",
                          f"--rounds={rounds}", f"--end={end_ms}"], check=True, capture_output=True, text=True)
    return json.loads(out.stdout)["samples_acked"]


def segments(server):
    folder = os.path.join(server.folder, "data", "wal")
    return [name for name in os.listdir(folder) if name.endswith(".wal")]


def fill_and_kill(args, folder):
    """The samples that were acknowledged before the kill."""
    start_s = time.time()
    server = Server(args.varve, folder, int(start_s) + args.cut_after)  # its first multiple is the cut
    bench_load = os.path.join(os.path.dirname(args.varve), "bench", "bench_load")
    end_ms = int(start_s * 1000)
    acked = load(server, bench_load, args.series, args.rounds, end_ms - args.more * 15000)
    if len(segments(server)) > 1:
        sys.exit(f"loading took {time.time() - start_s:.0f} s, the cut came before: raise --cut-after")
    while len(segments(server)) < 2:
        time.sleep(0.05)
    if args.more > 0:
        acked += load(server, bench_load, args.series, args.more, end_ms)
    if len(segments(server)) < 2:
        sys.exit("the cut was over before the kill: lower --more")
    print(f"killed in the cut: {acked:,} samples acknowledged, at most {server.usage()[2]:.0f} MB")
    server.kill()
    return acked


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("varve", nargs="?", default=os.path.join(ROOT, "build/release/varve"))
    p.add_argument("--series", type=int, default=1000000)
    p.add_argument("--rounds", type=int, default=120)
    p.add_argument("--more", type=int, default=4, help="rounds that come while the window is cut")
    p.add_argument("--cut-after", type=int, default=90, help="seconds from the start to the cut")
    p.add_argument("--runs", type=int, default=3)
    args = p.parse_args()
    args.varve = os.path.abspath(args.varve)
    folder = tempfile.mkdtemp(prefix="bench-restart-")
    try:
        acked = fill_and_kill(args, folder)
        for run in range(args.runs):
            server = Server(args.varve, folder, 1000000)
            user_s, system_s, peak_mb = server.usage()
            print(f"ready after {server.ready_s:.2f} s, CPU {user_s:.2f} s user and {system_s:.2f} s system, "
                  f"at most {peak_mb:.0f} MB, load {os.getloadavg()[0]:.1f}")
            if run + 1 == args.runs:
                samples = server.samples()
                print(f"{samples:,} of {acked:,} samples are there")
            server.kill()
        if samples != acked:
            sys.exit("samples were lost or doubled")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
