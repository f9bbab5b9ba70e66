#!/usr/bin/env python3
"""What evaluating rules costs: `python3 bench/rules.py VARVE [RULES [SERIES [SECONDS]]]`.

A server gets SERIES series (100,000), a sample every 15 s from five minutes ago to some time ahead, and RULES rules (1000) in
groups of 100, evaluated every 30 s: half of them record a sum of rates, half are alerts, each over its share of the series. Prints the
processor time the server needs for that in SECONDS (60), and how long groups take.
"""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "e2e"))
from lib import Server, folder, time_series, post_write  # noqa: E402

RULES, SERIES, SECONDS = (int(v) for v in (sys.argv[2:] + ["1000", "100000", "60"][len(sys.argv) - 2:]))
STEP_MS, GROUP, INTERVAL_S = 15000, 100, 30
SHARE = SERIES // RULES


def rule(i):
    if i % 2 == 0:
        return f"  - {{record: 'job:requests:rate5m', expr: 'sum by (job, code) (rate(requests_total{{job=\"job-{i}\"}}[5m]))'}}\n"
    return (f"  - {{alert: Errors{i}, expr: 'sum by (job) (rate(requests_total{{job=\"job-{i}\"}}[5m])) > {i % 7 * 100}', for: 5m, "
            f"labels: {{severity: page}}, annotations: {{summary: '{{{{ $labels.job }}}} has {{{{ printf `%.4g` $value }}}}'}}}}\n")


d = folder()
with open(os.path.join(d, "rules.yml"), "w", encoding="utf-8") as f:
    f.write("groups:\n")
    for g in range(0, RULES, GROUP):
        f.write(f"- name: group-{g}\n  rules:\n" + "".join(rule(i) for i in range(g, min(g + GROUP, RULES))))
with open(os.path.join(d, "prometheus.yml"), "w", encoding="utf-8") as f:
    f.write(f"global: {{evaluation_interval: {INTERVAL_S}s}}\nrule_files: [rules.yml]\n")
server = Server(flags=[f"--config.file={d}/prometheus.yml"])
now = int(time.time() * 1000) // STEP_MS * STEP_MS
times = range(now - 300000, now + (SECONDS + 3 * INTERVAL_S + 60) * 1000, STEP_MS)
for i in range(RULES):
    message = b"".join(time_series({"__name__": "requests_total", "job": f"job-{i}", "instance": f"host-{k // 4}:9100", "code": str(200 + k % 4)},
                                   [(t, float(k * n)) for n, t in enumerate(times)]) for k in range(SHARE))
    status, _, body = post_write(server, message)
    assert status == 204, body
print(f"{RULES * SHARE} series with {len(times)} samples each written", flush=True)


def metrics(name):
    text = server.request("GET", "/metrics")[2].decode()
    return [float(line.split()[-1]) for line in text.splitlines() if line.startswith(name)]


def cpu_s():
    with open(f"/proc/{server.pid()}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


time.sleep(INTERVAL_S + 2)  # every group once: what it needs first is not what it needs each time
evaluations, used, began = sum(metrics("prometheus_rule_evaluations_total")), cpu_s(), time.time()
time.sleep(SECONDS)
evaluations, used, took = sum(metrics("prometheus_rule_evaluations_total")) - evaluations, cpu_s() - used, time.time() - began
durations = metrics("prometheus_rule_group_last_duration_seconds")
print(f"{evaluations:.0f} evaluations in {took:.0f} s: {used:.2f} s of processor time, {100 * used / took:.1f} % of a core, "
      f"{1e6 * used / max(evaluations, 1):.0f} us an evaluation")
print(f"a group of {GROUP} takes {1000 * min(durations):.0f} to {1000 * max(durations):.0f} ms; "
      f"failed {sum(metrics('prometheus_rule_evaluation_failures_total')):.0f}, missed {sum(metrics('prometheus_rule_group_iterations_missed_total')):.0f}")
print(f"alerts {sum(len(g['rules'][1].get('alerts') or []) for g in server.api('rules', type='alert')[1]['data']['groups'])} and more; "
      f"recorded series {int(server.query('count(job:requests:rate5m)', time.time())[0]['value'][1])}")
