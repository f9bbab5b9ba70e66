#!/usr/bin/env python3
"""Scraping side by side: the same targets scraped by Varve, Prometheus and vmagent, one after the other.

usage: bench/scrape.py VARVE [--targets=1000] [--series=1000] [--interval=15] [--seconds=45] [--plain] [--only=varve]

Targets are addresses 127.0.x.y of one server that answers with prepared pages (gzip unless --plain), whose values
change from scrape to scrape. CPU and memory are those of the scraping process after one interval of warm-up, which
creates the series. vmagent's samples go to a sink that answers 204.
"""
import argparse
import asyncio
import gzip
import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

VARIANTS = 8


def page(series, variant):
    """About what exporters serve: ten series a family, two labels each, integers and decimals."""
    r = random.Random(variant)
    out = []
    for i in range(series):
        if i % 10 == 0:
            kind = "counter" if i % 20 == 0 else "gauge"
            out.append(f"# HELP bench_metric_{i // 10}_total What family {i // 10} of the page is about.")
            out.append(f"# TYPE bench_metric_{i // 10}_total {kind}")
        value = i * 1000 + variant * r.randint(1, 100) if i % 3 else round(r.random() * 1000, 3)
        out.append(f'bench_metric_{i // 10}_total{{device="disk{i % 10}",mode="mode-{i % 7}"}} {value}')
    return ("\n".join(out) + "\n").encode()


class PageServer:
    def __init__(self, series, plain):
        self.answers = []
        for v in range(VARIANTS):
            body, head = page(series, v), b""
            self.page_bytes = len(body)
            if not plain:
                body, head = gzip.compress(body, 6), b"Content-Encoding: gzip\r\n"
            self.answers.append(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
                                + head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.count, self.port = 0, None
        started = threading.Event()
        threading.Thread(target=lambda: asyncio.run(self.run(started)), daemon=True).start()
        started.wait()

    async def run(self, started):
        server = await asyncio.start_server(self.client, "0.0.0.0", 0, backlog=4096)
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        await server.serve_forever()

    async def client(self, reader, writer):
        try:
            while True:
                request = await reader.readuntil(b"\r\n\r\n")
                if request.startswith(b"POST"):  # vmagent's remote write
                    length = [int(h.split(b":")[1]) for h in request.split(b"\r\n") if h.lower().startswith(b"content-length")]
                    await reader.readexactly(length[0])
                    writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
                else:
                    self.count += 1
                    writer.write(self.answers[self.count % VARIANTS])
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mib(pid):
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024


def config(folder, args, port):
    path = os.path.join(folder, "prometheus.yml")
    targets = [f"127.{1 + i // 62500}.{i // 250 % 250}.{i % 250 + 1}:{port}" for i in range(args.targets)]
    with open(path, "w") as f:
        f.write(f"global: {{scrape_interval: {args.interval}s, scrape_timeout: {min(10, args.interval)}s}}\n"
                f"scrape_configs:\n- job_name: bench\n  static_configs: [{{targets: {json.dumps(targets)}}}]\n")
    return path


def commands(args, folder, server):
    path, port = config(folder, args, server.port), free_port()
    data = os.path.join(folder, "data")
    return {
        "varve": [args.varve, "serve", f"--config.file={path}", f"--storage.tsdb.path={data}",
                  f"--web.listen-address=127.0.0.1:{port}"],
        "prometheus": ["prometheus", f"--config.file={path}", f"--storage.tsdb.path={data}",
                       f"--web.listen-address=127.0.0.1:{port}"],
        "vmagent": ["vmagent", f"-promscrape.config={path}", f"-remoteWrite.tmpDataPath={data}",
                    f"-remoteWrite.url=http://127.0.0.1:{server.port}/write", f"-httpListenAddr=127.0.0.1:{port}"],
    }, port


def samples(name, port):
    """What arrived, by its own account; vmagent stores nothing."""
    if name == "vmagent":
        return None
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    c.request("GET", "/api/v1/query?query=sum(scrape_samples_scraped)")
    result = json.loads(c.getresponse().read())["data"]["result"]
    return int(result[0]["value"][1]) if result else 0


def warm_up(name, args, server, port):
    """All targets scraped, by the scraper's own account where it has one, and an interval more."""
    deadline = time.time() + args.interval * 20
    while time.time() < deadline:
        time.sleep(2)
        try:
            done = server.count if name == "vmagent" else samples(name, port) // args.series
        except (OSError, ValueError, KeyError, http.client.HTTPException):
            continue
        if done >= args.targets:
            break
    else:
        print(f"{name}: not all targets were scraped within {args.interval * 20} s")
    time.sleep(args.interval)


def run(name, args):
    folder = tempfile.mkdtemp(prefix="scrape-bench-")
    server = PageServer(args.series, args.plain)
    argv, port = commands(args, folder, server)
    process = subprocess.Popen(argv[name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        warm_up(name, args, server, port)
        cpu, scrapes, begun, peak = cpu_seconds(process.pid), server.count, time.time(), 0
        while time.time() < begun + args.seconds:
            time.sleep(1)
            peak = max(peak, rss_mib(process.pid))
        seconds = time.time() - begun
        cores = (cpu_seconds(process.pid) - cpu) / seconds
        rate = (server.count - scrapes) / seconds
        per_sample = cores / (rate * args.series) * 1e9 if rate else 0
        print(f"{name:11} {cores:7.3f} cores  {peak:7.0f} MiB  {rate:6.1f} scrapes/s of {server.page_bytes} B  "
              f"{per_sample:6.0f} ns CPU a sample  series {samples(name, port)}", flush=True)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    p.add_argument("varve")
    p.add_argument("--targets", type=int, default=1000)
    p.add_argument("--series", type=int, default=1000)
    p.add_argument("--interval", type=int, default=15)
    p.add_argument("--seconds", type=int, default=45)
    p.add_argument("--plain", action="store_true")
    p.add_argument("--only", default="varve,prometheus,vmagent")
    args = p.parse_args()
    for name in args.only.split(","):
        if name != "varve" and shutil.which(name) is None:
            sys.exit(f"{name} is not installed")
        run(name, args)


if __name__ == "__main__":
    main()
