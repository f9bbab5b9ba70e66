"""Rules of a running server: recorded series, alerts and their states, reloads, kill -9 and restart, groups set by HTTP."""
import json
import os
import signal
import threading
import time

from lib import Server, check, equal, folder, step, until

d = folder()
config_path, rules_path = os.path.join(d, "prometheus.yml"), os.path.join(d, "rules.yml")

RULES = """groups:
- name: first
  interval: 500ms
  rules:
  - record: job:load:sum
    expr: sum by (job) (load)
    labels: {kind: recorded}
  - alert: High
    expr: job:load:sum > 10
    for: 1s
    labels: {severity: page}
    annotations: {summary: "{{ $labels.job }} is at {{ $value }}"}
  - alert: Waiting
    expr: load > 0
    for: 1h
- name: second
  rules:
  - record: broken
    expr: load * on (job) group_left load
"""


def put(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


put(rules_path, RULES)
put(config_path, "global: {evaluation_interval: 1s, external_labels: {replica: a}}\nrule_files: ['*.yml']\n".replace("*.yml", "rules.yml"))
FLAGS = [f"--config.file={config_path}", "--rules.alert.resend-delay=1s", "--web.external-url=http://varve.example/"]
server = Server(flags=FLAGS)
load = {"x": 4.0, "y": 7.0}
stopped = threading.Event()


def feed():
    while not stopped.is_set():
        now = int(time.time() * 1000)
        try:
            server.write([({"__name__": "load", "job": "api", "instance": i}, [(now, v)]) for i, v in load.items()], expect=None)
        except OSError:
            pass  # it is being killed
        stopped.wait(0.2)


threading.Thread(target=feed, daemon=True).start()


def rules(**params):
    status, answer = server.api("rules", **params)
    equal(status, 200, f"rules {params}: {answer}")
    return {g["name"]: g for g in answer["data"]["groups"]}


def rule(name):
    return next(r for g in rules().values() for r in g["rules"] if r["name"] == name)


def alerts(name):
    status, answer = server.api("alerts")
    equal(status, 200, "alerts")
    return [a for a in answer["data"]["alerts"] if a["labels"]["alertname"] == name]


def value(query):
    r = server.query(query, time.time())
    return r[0]["value"][1] if r else None


step("recording, alerting and failing rules")
until("the sum is recorded", lambda: value('job:load:sum{kind="recorded",job="api"}') == "11")
until("High fires", lambda: rule("High")["state"] == "firing")
until("a rule fails", lambda: rule("broken")["health"] == "err")
high = rule("High")
equal({k: high[k] for k in ("name", "query", "duration", "keepFiringFor", "labels", "annotations", "health", "type")},
      {"name": "High", "query": "job:load:sum > 10", "duration": 1, "keepFiringFor": 0, "labels": {"severity": "page"},
       "annotations": {"summary": "{{ $labels.job }} is at {{ $value }}"}, "health": "ok", "type": "alerting"}, "the rule")
[alert] = high["alerts"]
began = alert.pop("activeAt")
equal(alert, {"labels": {"alertname": "High", "job": "api", "kind": "recorded", "severity": "page"}, "state": "firing",
              "annotations": {"summary": "api is at 11"}, "value": "1.1e+01"}, "the alert")
equal([a["labels"] for a in alerts("High")], [alert["labels"]], "/alerts")
equal(sorted(a["state"] for a in alerts("Waiting")), ["pending"] * 2, "pending alerts")
check("many-to-many matching not allowed" in rule("broken")["lastError"], f"{rule('broken')}")
group = rules()["first"]
equal((group["file"], group["interval"], group["limit"]), (rules_path, 0.5, 0), "the group")
check(group["lastEvaluation"].endswith("Z") and 0 < group["evaluationTime"] < 5, f"{group}")
until("ALERTS is written", lambda: value('ALERTS{alertname="High",alertstate="firing",severity="page"}') == "1")
equal(value('ALERTS{replica="a"}'), None, "no external labels on ALERTS")

step("filters and pages")
equal(list(rules(type="alert")), ["first"], "alerts only")
equal([r["type"] for r in rules(type="record")["first"]["rules"]], ["recording"], "recordings only")
equal([r["name"] for r in rules(**{"rule_name[]": ["High", "nothing"]})["first"]["rules"]], ["High"], "by name")
equal(list(rules(**{"rule_group[]": "second"})), ["second"], "by group")
equal(list(rules(**{"file[]": "elsewhere"})), [], "by file")
equal([r["name"] for r in rules(**{"match[]": '{severity=~"p.*"}'})["first"]["rules"]], ["High"], "by label")
equal(rules(exclude_alerts="true", **{"rule_name[]": "High"})["first"]["rules"][0]["alerts"], None, "without alerts")
status, page = server.api("rules", group_limit=1)
equal([g["name"] for g in page["data"]["groups"]], ["first"], "the first page")
status, page = server.api("rules", group_limit=1, group_next_token=page["data"]["groupNextToken"])
equal([g["name"] for g in page["data"]["groups"]], ["second"], "the second page")
check("groupNextToken" not in page["data"], "which is the last")
for params, text in (({"group_next_token": "x"}, "group_limit needs to be present"), ({"type": "x"}, "not supported value"),
                     ({"group_limit": 1, "group_next_token": "x"}, "invalid group_next_token 'x'. were rule groups changed?")):
    status, answer = server.api("rules", **params)
    check(status == 400 and text in answer["error"], f"{params}: {answer}")

step("what /metrics says")
text = server.request("GET", "/metrics")[2].decode()
key = f'rule_group="{rules_path};first"'
for name in ("evaluations_total", "group_iterations_total", "group_rules", "group_last_evaluation_samples", "group_interval_seconds"):
    [line] = [l for l in text.splitlines() if l.startswith(f"prometheus_rule_{name}{{{key}}} ")]
    check(float(line.split()[-1]) > 0, line)
check("prometheus_rule_evaluation_duration_seconds_count" in text, "durations")

step("a broken file is refused, with the place; the old rules go on")
put(rules_path, RULES.replace("sum by (job) (load)", "sum by (job (load)"))
status, _, body = server.request("POST", "/-/reload")
check(status == 500 and f"{rules_path}: 6:23: group \"first\", rule 1" in body.decode(), f"{status} {body}")
before = rules()["first"]["lastEvaluation"]
until("rules are still evaluated", lambda: rules()["first"]["lastEvaluation"] > before)
put(rules_path, RULES + "  - record: new\n    expr: 1\n")
equal(server.request("POST", "/-/reload")[0], 200, "a good reload")
equal(rule("High")["alerts"][0]["activeAt"], began, "states outlive a reload")
until("the new rule works", lambda: value("new") == "1")

step("kill -9: states are as they were")
waiting = {a["labels"]["instance"]: a["activeAt"] for a in alerts("Waiting")}
server.kill()
server = Server(data=server.data, flags=FLAGS, port=server.port)
equal((rule("High")["state"], rule("High")["alerts"][0]["activeAt"]), ("firing", began), "at once after the start")
after = {a["labels"]["instance"]: a["activeAt"] for a in alerts("Waiting")}
equal(sorted(after), sorted(waiting), "pending alerts are there")
check(all(after[i] >= waiting[i] for i in after), f"they wait on: {waiting} {after}")
until("evaluations go on", lambda: rules()["first"]["lastEvaluation"] > "0002")
equal((rule("High")["state"], rule("High")["alerts"][0]["activeAt"]), ("firing", began), "and after an evaluation")

step("an alert ends")
load["y"] = 0.0
until("High has ended", lambda: not alerts("High"))
equal(rule("High")["state"], "inactive", "its rule")
until("ALERTS is stale", lambda: value('ALERTS{alertname="High"}') is None)

step("groups by HTTP")
equal(server.request("GET", "/config/v1/rules")[0], 404, "none yet")
GROUP = "name: mine\ninterval: 500ms\nrules:\n- record: by:api\n  expr: count(load)\n"
status, _, body = server.request("POST", "/config/v1/rules/team%20a", GROUP)
equal((status, json.loads(body)["status"]), (202, "success"), "set")
until("it is evaluated", lambda: value("by:api") == "2")
equal(rules()["mine"]["file"], "api:team a", "its file")
equal(server.request("GET", "/config/v1/rules")[2].decode(),
      "team a:\n- name: mine\n  interval: 500ms\n  rules:\n  - record: by:api\n    expr: count(load)\n", "listed")
check(server.request("GET", "/config/v1/rules/team%20a/mine")[2].startswith(b"name: mine\n"), "one group")
for text, why in ((GROUP.replace("count(", "count((", 1), "could not parse expression"), (GROUP + "x: 1\n", "field x not found"),
                  ("rules: []\n", "Groupname must not be empty")):
    status, _, body = server.request("POST", "/config/v1/rules/b", text)
    check(status == 400 and why in json.loads(body)["error"], f"{text}: {status} {body}")
equal(server.request("GET", "/config/v1/rules/b")[0], 404, "nothing of that was kept")
SLASHES = "/config/v1/rules/a%2Fb%20c"  # as mimirtool asks for them
equal(server.request("POST", SLASHES, "name: d/e\nrules: []\n")[0], 202, "names with slashes")
equal(server.request("GET", SLASHES)[2].decode(), "a/b c:\n- name: d/e\n", "its namespace")
equal([server.request(m, SLASHES + "/d%2Fe")[0] for m in ("GET", "DELETE", "GET")], [200, 202, 404], "read, removed")
server.stop()
server = Server(data=server.data, flags=FLAGS, port=server.port)
check("mine" in rules(), "it is there after a restart")
until("it is evaluated again", lambda: rules()["mine"]["lastEvaluation"] > "0002")
equal(server.request("DELETE", "/config/v1/rules/team%20a/other")[0], 404, "no such group")
equal(server.request("DELETE", "/config/v1/rules/team%20a/mine")[0], 202, "removed")
check("mine" not in rules(), "it is gone")
until("its series is stale", lambda: value("by:api") is None)
stopped.set()
equal(server.stop(), 0, "an orderly end")
