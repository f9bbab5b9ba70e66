#!/usr/bin/env python3
"""From a sample to the provider: `python3 bench/alert_latency.py VARVE [ALERTS [SECONDS]]`.

ALERTS (300) critical rules without `for`, five in a group, evaluated every 30 s; the sample that breaks a rule is written at a
random moment of SECONDS (240), to two servers at once: one looks at critical rules between evaluations, the other does not. Each tells a
webhook, with a group_wait of 5 s for severity="critical". Printed is the time from a sample to the provider's request.
"""
import http.server
import json
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "e2e"))
from lib import Server, check, folder, until  # noqa: E402

ALERTS, SECONDS = (int(v) for v in (sys.argv[2:] + ["300", "240"][len(sys.argv) - 2:]))
GROUP, INTERVAL_S, WAIT_S = 5, 30, 5


class Provider:
    """`came[number]` is when a request with that alert began."""

    def __init__(self):
        self.came = came = {}

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                now = time.time()
                for a in json.loads(self.rfile.read(int(self.headers["Content-Length"])))["alerts"]:
                    came.setdefault(int(a["labels"]["number"]), now)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def put(name, text):
    with open(os.path.join(d, name), "w", encoding="utf-8") as f:
        f.write(text)
    return os.path.join(d, name)


def serve(name, *flags):
    provider = Provider()
    am = put(name + ".yml", json.dumps({
        "route": {"receiver": "hook", "group_by": ["alertname", "number"],
                  "routes": [{"matchers": ['severity="critical"'], "receiver": "hook", "group_wait": f"{WAIT_S}s"}]},
        "receivers": [{"name": "hook", "webhook_configs": [{"url": f"http://127.0.0.1:{provider.server.server_address[1]}/"}]}]}))
    return Server(flags=[f"--config.file={config}", f"--alertmanager.config-file={am}", *flags]), provider


def evaluated(server):
    return all(not g["lastEvaluation"].startswith("0001") for g in server.api("rules")[1]["data"]["groups"])


def quantile(sorted_values, q):
    return sorted_values[min(len(sorted_values) - 1, int(q * len(sorted_values)))]


d = folder()
put("rules.yml", "groups:\n" + "".join(
    f"- name: group-{g}\n  rules:\n" + "".join(
        f"  - {{alert: Broken, expr: 'load{{number=\"{i}\"}} > 0.9', labels: {{severity: critical}}}}\n"
        for i in range(g, min(g + GROUP, ALERTS))) for g in range(0, ALERTS, GROUP)))
config = put("prometheus.yml", f"global: {{evaluation_interval: {INTERVAL_S}s}}\nrule_files: [rules.yml]\n")
servers = {"looks every 15 s": serve("looks"), "evaluations only": serve("plain", "--rules.critical-look-interval=0s")}
for s, _ in servers.values():
    until("all groups were evaluated", lambda s=s: evaluated(s), 2 * INTERVAL_S)
print(f"{ALERTS} rules in {-(-ALERTS // GROUP)} groups, evaluated every {INTERVAL_S} s", flush=True)
seed = random.randrange(1 << 32)
rng = random.Random(seed)
begin, written = time.time() + 1, {}
moments = sorted((rng.random() * SECONDS, i) for i in range(ALERTS))
for after, i in moments:
    time.sleep(max(0, begin + after - time.time()))
    written[i] = int(time.time() * 1000)
    for s, _ in servers.values():
        s.write([({"__name__": "load", "number": str(i)}, [(written[i], 1.0)])])
time.sleep(INTERVAL_S + WAIT_S + 10)
print(f"seed {seed}; from the sample to the provider's request, in seconds:")
for name, (s, provider) in servers.items():
    late = sorted(provider.came[i] - written[i] / 1000 for i in written if i in provider.came)
    check(len(late) == ALERTS, f"{name}: {len(late)} of {ALERTS} came")
    print(f"  {name}: p50 {quantile(late, .5):.1f}  p95 {quantile(late, .95):.1f}  p99 {quantile(late, .99):.1f}  max {late[-1]:.1f}")
