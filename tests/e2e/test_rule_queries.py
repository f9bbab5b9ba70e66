"""Queries of rules and objectives are seen like those of clients: active queries, ending one, top queries, usage of
metrics, the log of queries. A stop ends one that runs.
"""
import json
import os
import time

from lib import Server, check, equal, folder, step, until

NOW = int(time.time() / 15) * 15
d = folder()
with open(os.path.join(d, "rules.yml"), "w") as f:
    f.write("""groups:
- name: quick
  interval: 1s
  rules:
  - {record: a:b, expr: sum (asked_by_rule)}
  - {alert: A, expr: asked_by_rule > 0, annotations: {q: '{{ query "count(asked_by_template)" | first | value }}'}}
- name: slow
  interval: 1s
  rules:
  - {record: c:d, expr: 'sum(mad_over_time(mad_over_time(big[2h:15s])[2h:15s]))'}
""")
with open(os.path.join(d, "slo.yml"), "w") as f:
    f.write("""version: prometheus/v1
service: s
slos:
- {name: o, objective: 99, sli: {events: {error_query: 'sum(rate(bad[{{.window}}]))', total_query: 'sum(rate(all[{{.window}}]))'}},
   alerting: {name: X, page_alert: {disable: true}, ticket_alert: {disable: true}}}
""")
with open(os.path.join(d, "prometheus.yml"), "w") as f:
    f.write(f"global: {{query_log_file: {d}/queries.log}}\nrule_files: [rules.yml]\n")
s = Server(flags=[f"--config.file={d}/prometheus.yml", f"--slo.files={d}/slo.yml", "--query.timeout=10m",
                  "--query.max-samples=2000000000"])
s.write([({"__name__": "big", "i": str(i)}, [((NOW - 15 * k) * 1000, i + k % 7) for k in range(960, -1, -1)])
         for i in range(40)])
s.write([({"__name__": n, "job": "j"}, [(NOW * 1000, 1)]) for n in ("asked_by_rule", "asked_by_template", "all", "bad")])


def active():
    status, answer = s.api("status/active_queries")
    equal(status, 200, "active queries")
    return [q for q in answer["data"] if q["kind"] == "rule"]


def rule(name):
    groups = s.api("rules")[1]["data"]["groups"]
    return next(r for g in groups for r in g["rules"] if r["name"] == name)


step("a rule's query is listed, with its group, and can be ended")
q = until("it is listed, with progress", lambda: next((q for q in active() if q["samples"] > 0), None), 60)
equal((q["state"], q["ruleName"], q["ruleType"], q["ruleFolder"]), ("running", "slow", "rule", f"{d}/rules.yml"), "whose it is")
check("mad_over_time" in q["query"] and q["step"] == 0 and q["start"] == q["end"] > 0, str(q))
equal(s.api(f"status/active_queries/{q['id']}/cancel", method="POST")[0], 200, "ending it")
until("the rule says so", lambda: rule("c:d").get("lastError") == "query was canceled in query execution", 60)
again = until("it is evaluated again", lambda: next((x for x in active() if x["id"] != q["id"]), None), 60)
check(again["start"] > q["start"], "at another time")

step("top queries and usage count them")


def top():
    return {e["query"]: e for e in s.api("status/top_queries", topN=100)[1]["topByCount"]}


seen = until("rules, templates and objectives", lambda: (lambda t: t if {
    "sum(asked_by_rule)", "count(asked_by_template)"} <= t.keys() and any(e.get("ruleType") == "slo" for e in t.values())
    else None)(top()), 60)
equal([seen["sum(asked_by_rule)"][k] for k in ("ruleType", "ruleName", "failedCount")], ["rule", "quick", 0], "whose they are")
check(any(e["ruleName"] == "s-o" for e in seen.values() if e.get("ruleType") == "slo"), "an objective's name")
failed = [e for e in seen.values() if "mad_over_time" in e["query"]]
check(failed and failed[0]["failedCount"] >= 1, "the one that was ended")
names = {r["metricName"]: r["requestsCount"] for r in s.api("status/metric_names_stats", limit=1000)[1]["records"]}
check(names["asked_by_rule"] > 0 and names["asked_by_template"] > 0 and names["all"] > 0, f"usage: {names}")

step("the log of queries has the group")
with open(f"{d}/queries.log") as f:
    lines = [json.loads(line) for line in f if "asked_by_rule" in line]
equal(lines[0]["ruleGroup"], {"file": f"{d}/rules.yml", "name": "quick"}, "ruleGroup")

step("a stop ends what runs")
until("it runs", active, 60)
begun = time.time()
equal(s.stop(), 0, "exit status")
check(time.time() - begun < 10, f"a stop took {time.time() - begun:.1f} s")
