"""Critical alerts between two evaluations: they are told within the interval of looks and the group's wait, of others
evaluations decide, and they go on with what a look began."""
import random

from alert_lib import *

INTERVAL, LOOK, WAIT, GROUPS = 5, 0.5, 0.2, 5
d = folder()


def put(name, text):
    with open(os.path.join(d, name), "w", encoding="utf-8") as f:
        f.write(text)
    return os.path.join(d, name)


rule = lambda i, name, more: f"  - {{alert: {name}, expr: 'x{{i=\"{i}\"}} > 5', {more}}}\n"
put("rules.yml", "groups:\n" + "".join(
    f"- name: g{i}\n  rules:\n" + rule(i, "Critical", "labels: {severity: critical}") + rule(i, "Page", "labels: {severity: page}") for i in range(GROUPS)))
config = put("prometheus.yml", f"global: {{evaluation_interval: {INTERVAL}s}}\nrule_files: [rules.yml]\n")
receiver = Receiver()  # of webhooks: what it keeps are times and bodies
am = put("am.yml", json.dumps({
    "route": {"receiver": "r", "group_by": ["..."], "group_wait": f"{WAIT * 1000:.0f}ms", "group_interval": "1s", "repeat_interval": "1h"},
    "receivers": [{"name": "r", "webhook_configs": [{"url": f"http://127.0.0.1:{receiver.port}/hook/api/v2/alerts"}]}]}))
s = Server(flags=[f"--config.file={config}", f"--alertmanager.config-file={am}", f"--rules.critical-look-interval={LOOK * 1000:.0f}ms"])


def told(name, i, status="firing"):
    """When it came, and the alert."""
    for at, _, body in receiver.of("hook"):
        for a in json.loads(body)["alerts"]:
            if (a["labels"]["alertname"], a["labels"]["i"], a["status"]) == (name, str(i), status):
                return at, a
    return None


def give(i, value):
    now = time.time()
    s.write([({"__name__": "x", "i": str(i)}, [(int(now * 1000), value)])])
    return now


def groups():
    return s.api("rules")[1]["data"]["groups"]


def metric(name):
    line = next(l for l in s.request("GET", "/metrics")[2].decode().splitlines() if l.startswith(name + " "))
    return float(line.split()[1])


step("samples at any moment, after the first evaluation of all groups")
until("all were evaluated", lambda: all(not g["lastEvaluation"].startswith("0001") for g in groups()))
written = {}
for i in random.sample(range(GROUPS), GROUPS):
    time.sleep(random.random() * 0.6)
    written[i] = give(i, 9)
for i in range(GROUPS):
    until(f"critical alert {i} is told", lambda i=i: told("Critical", i), 10)
late = sorted(told("Critical", i)[0] - written[i] for i in range(GROUPS))
print("  after " + " ".join(f"{t:.2f}" for t in late) + f" s; evaluated every {INTERVAL} s")
check(late[-1] < LOOK + WAIT + 2, "no later than a look and the group's wait, and some time for a busy machine")
check(metric("varve_rules_look_alerts_total") >= 1, "a look was first")
check(metric("varve_rules_looks_total") >= metric("varve_rules_look_alerts_total"), "looks are counted")
equal(metric("varve_rules_look_failures_total"), 0, "looks that failed")

step("evaluations go on with them, and say all the rest")
for i in range(GROUPS):
    until(f"alert {i} is told", lambda i=i: told("Page", i), 2 * INTERVAL + 10)
began = {i: told("Critical", i)[1]["startsAt"] for i in range(GROUPS)}
later = [i for i in range(GROUPS) if began[i] < told("Page", i)[1]["startsAt"]]
check(later, "an alert that is not critical begins with an evaluation, a critical one before that")
active = {(a["labels"]["alertname"], a["labels"]["i"]): a for a in s.api("alerts")[1]["data"]["alerts"]}
for i in range(GROUPS):
    equal(active["Critical", str(i)]["activeAt"][:19], began[i][:19], f"{i} goes on since it began")
equal(len(s.query('ALERTS{alertname="Critical",alertstate="firing"}', time.time())), GROUPS, "series of evaluations")
equal(metric("prometheus_rule_evaluation_failures_total{rule_group=\"" + groups()[0]["file"] + ";g0\"}"), 0, "evaluations that failed")
s.stop()
print("ok")
