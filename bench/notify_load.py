#!/usr/bin/env python3
"""How soon people hear of alerts, and what that costs: alerts posted to API v2 at a steady rate, each a group of its own (or
grouped by service), ending after a minute; then a storm of alerts at once. A webhook in a process of its own notes what arrives when.

  bench/notify_load.py [--varve build/release/varve] [--rate 1000 (alerts a minute)] [--minutes 3] [--storm 50000] [--by service]
                       [--interval 30s (group_interval)]
"""
import argparse
import json
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "e2e"))
parser = argparse.ArgumentParser()
parser.add_argument("--varve", default="build/release/varve")
parser.add_argument("--rate", type=int, default=1000)
parser.add_argument("--minutes", type=float, default=3)
parser.add_argument("--storm", type=int, default=50000)
parser.add_argument("--by", choices=("alert", "service"), default="alert", help="what is told together")
parser.add_argument("--interval", default="30s", help="group_interval; a flush has as long, ten seconds at least")
args = parser.parse_args()
sys.argv = [sys.argv[0], args.varve]
from lib import Server, folder, start  # noqa: E402
from recorder import Recorder  # noqa: E402

SERVICES, LASTS_S, POST_MAX = 500, 60, 1000
recorder, d = Recorder(start), folder()
am = os.path.join(d, "am.yml")
with open(am, "w") as f:
    f.write(f"""route: {{receiver: all, group_by: [{"'...'" if args.by == "alert" else "service"}], group_wait: {0 if args.by == "alert" else 1}s,
  group_interval: {args.interval}, repeat_interval: 4h}}
receivers: [{{name: all, webhook_configs: [{{url: '{recorder.url}'}}]}}]
""")
server = Server(flags=[f"--alertmanager.config-file={am}"])
ticks = os.sysconf("SC_CLK_TCK")


def stamp(t):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(t)) + f"{t % 1:.3f}"[1:] + "Z"


def alert(i, start, end):
    return {"labels": {"alertname": "HighLatency", "id": str(i), "service": f"s{i % SERVICES}", "severity": "critical",
                       "instance": f"10.0.{i // 250 % 250}.{i % 250}:9100"},
            "annotations": {"summary": f"latency of instance {i} is above 2 s", "runbook": "https://runbooks.example/latency"},
            "startsAt": stamp(start), "endsAt": stamp(end)}


def post(alerts):
    for at in range(0, len(alerts), POST_MAX):
        body = json.dumps(alerts[at:at + POST_MAX])
        status, _, said = server.request("POST", "/api/v2/alerts", body, {"Content-Type": "application/json"})
        assert status == 200, said


def cpu_s():
    with open(f"/proc/{server.pid()}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / ticks


def memory_mb(key="VmRSS"):
    with open(f"/proc/{server.pid()}/status") as status:
        return int(next(line for line in status if line.startswith(key)).split()[1]) / 1024


def failed():
    text = server.request("GET", "/metrics")[2].decode()
    return int(float(text.split('alertmanager_notification_requests_failed_total{integration="webhook"} ')[1].split()[0]))


def quantiles(values):
    values = sorted(values)
    return ", ".join(f"{name} {values[min(int(q * len(values)), len(values) - 1)] * 1000:.1f}"
                     for name, q in (("p50", 0.5), ("p99", 0.99), ("max", 1))) + " ms" if values else "none"


class Asker:
    """Asks API v2 again and again; how long each kind of answer took."""
    PATHS = {"one service": "/api/v2/alerts?filter=service%3D%22s1%22", "all alerts": "/api/v2/alerts",
             "all groups": "/api/v2/alerts/groups", "silences": "/api/v2/silences"}

    def __init__(self):
        self.times, self.done = {name: [] for name in self.PATHS}, threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.done.wait(0.2):
            for name, path in self.PATHS.items():
                began = time.time()
                status = server.request("GET", path)[0]
                self.times[name].append(time.time() - began)
                assert status == 200

    def stop(self):
        self.done.set()
        self.thread.join()
        for name, times in self.times.items():
            print(f"  API v2, {name}: {quantiles(times)} ({len(times)} answers)")


def wait_told(ids, seconds, end=False):
    """True when all were told; how often each was."""
    until = time.time() + seconds
    while time.time() < until:
        alerts = recorder.told()["alerts"]
        if all(alerts.get(i, [None] * 4)[2 if end else 0] for i in ids):
            return alerts
        time.sleep(0.5)
    missing = [i for i in ids if not recorder.told()["alerts"].get(i, [None] * 4)[2 if end else 0]]
    sys.exit(f"{len(missing)} of {len(ids)} were not told in {seconds} s, such as {missing[:5]}")


def steady():
    print(f"{args.rate} alerts a minute for {args.minutes:g} minutes, each ends after {LASTS_S} s; told by {args.by}")
    began, cpu, starts, ended, nr = time.time(), cpu_s(), {}, 0, 0
    asker = Asker()
    while time.time() - began < args.minutes * 60 + LASTS_S + 2:
        now, batch = time.time(), []
        due = min(int((now - began) * args.rate / 60), int(args.rate * args.minutes))
        while nr < due:
            starts[str(nr)] = now
            batch.append(alert(nr, now, now + LASTS_S))
            nr += 1
        if batch:
            post(batch)
        time.sleep(max(0, 0.25 - (time.time() - now)))
    told = wait_told(starts, 60, end=True)
    took = time.time() - began
    print(f"  from the alert to the webhook: {quantiles([told[i][0] - starts[i] for i in starts])}; "
          f"from the end to the webhook: {quantiles([told[i][2] - starts[i] - LASTS_S for i in starts])}")
    twice = sum(told[i][1] > 1 or told[i][3] > 1 for i in starts)
    print(f"  {len(starts)} alerts, none lost" + (f", {twice} told twice" if args.by == "alert" else "") +
          f"; {failed()} requests failed; {100 * (cpu_s() - cpu) / took:.1f}% of a core, {memory_mb():.0f} MB, at most {memory_mb('VmHWM'):.0f} MB")
    asker.stop()


def storm():
    first, now = 10000000, time.time()
    print(f"a storm of {args.storm} alerts at once; told by {args.by}")
    before, cpu = memory_mb(), cpu_s()
    asker = Asker()
    alerts = [alert(first + i, now, now + 3600) for i in range(args.storm)]
    began = time.time()
    post(alerts)
    print(f"  taken in {time.time() - began:.1f} s")
    ids = [a["labels"]["id"] for a in alerts]
    told = wait_told(ids, 300)
    print(f"  all told {max(told[i][0] for i in ids) - began:.1f} s after the first was posted; told twice: "
          f"{sum(told[i][1] > 1 for i in ids) if args.by == 'alert' else 'does not apply'}; {failed()} requests failed")
    print(f"  {cpu_s() - cpu:.1f} s of CPU; memory {before:.0f} MB before, {memory_mb():.0f} MB after, at most {memory_mb('VmHWM'):.0f} MB")
    asker.stop()


try:
    if args.minutes > 0:
        steady()
    if args.storm > 0:
        storm()
finally:
    recorder.stop()
    server.stop()
