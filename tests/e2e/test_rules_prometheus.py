"""The same rules over the same samples in Varve and in Debian's Prometheus (2.42): what /api/v1/rules and /alerts say, the
series that are recorded, ALERTS and ALERTS_FOR_STATE.
"""
import os
import threading
import time

from lib import Server, check, equal, folder, step, until
from peers import ask, give, need, prometheus, result

need("prometheus")
d = folder()
RULES = """groups:
- name: recorded
  interval: 1s
  rules:
  - {record: 'job:load:sum', expr: 'sum by (job) (load)', labels: {kind: recorded, drop: ''}}
  - {record: 'job:load:max', expr: 'max by(job)(load{job=~"api|db"}) * on(job) group_left() job:load:sum{kind="recorded"}'}
  - {record: scalar, expr: '1 + 2'}
  - {record: twins, expr: 'load', labels: {instance: same}}
  - {record: text, expr: '"text"'}
  - {record: many, expr: 'load * on(job) load'}
- name: alerts
  interval: 1s
  limit: 3
  rules:
  - alert: Zero
    expr: load > 5
    labels: {severity: page, instance: 'of {{ $labels.instance }}', empty: '{{ $labels.nothing }}'}
    annotations:
      value: '{{ $value }} {{ humanize $value }} {{ printf "%.2f" $value }}'
      labels: '{{ $labels.job }} {{ range $k, $v := $labels }}{{ $k }}={{ $v }};{{ end }}'
      asked: '{{ with query "count(load)" }}{{ . | first | value }}{{ end }} {{ $externalLabels.region }}'
      wrong: '{{ .Nothing }}'
  - {alert: Waits, expr: 'load > 5', for: 1h}
  - {alert: Quiet, expr: 'load < 0', for: 1s}
  - {alert: Many, expr: 'load'}
  - {alert: Unknown, expr: 'absent(nothing{job="api"})', for: 2s, keep_firing_for: 1m}
"""
rules_path = os.path.join(d, "rules.yml")
with open(rules_path, "w", encoding="utf-8") as f:
    f.write(RULES)
CONFIG = f"global: {{evaluation_interval: 1s, external_labels: {{region: eu}}}}\nrule_files: [{rules_path}]\n"
with open(os.path.join(d, "prometheus.yml"), "w", encoding="utf-8") as f:
    f.write(CONFIG)
FLAGS = ["--web.external-url=http://mon.example"]
varve = Server(flags=[f"--config.file={d}/prometheus.yml", *FLAGS])
other = prometheus(CONFIG, flags=FLAGS)
LOAD = {("api", "a"): 4.0, ("api", "b"): 1234567.0, ("db", "c"): 7.5, ("db", "d"): 0.25}
done = threading.Event()


def feed():
    while not done.is_set():
        now = int(time.time() * 1000)
        for port in (varve.port, other.port):
            give(port, [({"__name__": "load", "job": j, "instance": i}, [(now, v)]) for (j, i), v in LOAD.items()])
        done.wait(0.3)


threading.Thread(target=feed, daemon=True).start()


def shown(port):
    """/api/v1/rules without what time and version change."""
    groups = ask(port, "rules")["data"]["groups"]
    for g in groups:
        equal(g.pop("file"), rules_path, "file")
        check(g.pop("evaluationTime") >= 0 and g.pop("lastEvaluation").startswith("20"), "times")
        for r in g["rules"]:
            check(r.pop("evaluationTime") >= 0 and r.pop("lastEvaluation").startswith("20"), "times")
            for a in sorted(r.get("alerts", []), key=str):
                check(a.pop("activeAt").endswith("Z"), "activeAt")
                a["annotations"].pop("wrong", None)  # its words changed with Go's
            r.get("alerts", []).sort(key=lambda a: sorted(a["labels"].items()))
    return groups


def settled(port):
    """Everything that waits has come; ALERTS is written by Prometheus from its third evaluation on."""
    state = {r["name"]: r.get("state") or r["health"] for g in ask(port, "rules")["data"]["groups"] for r in g["rules"]}
    return state.get("Unknown") == "firing" and state.get("twins") == "err" and result(port, 'ALERTS{alertname="Unknown"}', time.time())


for port in (varve.port, other.port):
    until("all rules are evaluated", lambda: settled(port), seconds=40)

step("/api/v1/rules")
got, want = shown(varve.port), shown(other.port)
for g, w in zip(got, want):
    for a, b in zip(g.pop("rules"), w.pop("rules")):
        b.setdefault("keepFiringFor", 0) if b["type"] == "alerting" else None
        if a["name"] == "many":
            check(a.pop("lastError").split(";")[-1] == b.pop("lastError").split(";")[-1], "the error of many")
        equal(a, b, f"rule {a['name']}")
    equal(g, w, "group")
equal(len(got), len(want), "groups")

step("/api/v1/alerts")
active = lambda port: sorted((sorted(a["labels"].items()), a["state"], a["value"]) for a in ask(port, "alerts")["data"]["alerts"])
equal(active(varve.port), active(other.port), "alerts")

step("series")
now = time.time()
for query in ('{__name__=~"job:.*|scalar|twins|text|many"}', "ALERTS"):
    series = lambda port: sorted((sorted(r["metric"].items()), r["value"][1]) for r in result(port, query, now))
    tidy = lambda rows: [([(k, v) for k, v in labels if "{{" not in v], value) for labels, value in rows]  # docs/operations/rules.md
    equal(tidy(series(varve.port)), tidy(series(other.port)), query)
for port in (varve.port, other.port):
    check(all(abs(float(r["value"][1]) - now) < 60 for r in result(port, "ALERTS_FOR_STATE", now)), "ALERTS_FOR_STATE is when it began")

step("what ends")
LOAD[("api", "b")] = 1.0
for port in (varve.port, other.port):
    until("the alert has ended", lambda: not [a for a in ask(port, "alerts")["data"]["alerts"] if "of b" in a["labels"].get("instance", "")])
    until("its series is stale", lambda: not result(port, 'ALERTS{instance="of b"}', time.time()))
done.set()
