"""The alert generator compliance suite in short, against a running server: samples by remote write, alerts at an
Alertmanager, states over HTTP. What the suite knows by the clock is known here by the time stamps of evaluations, so
that a busy machine does not matter. The whole suite runs over injected time in tests/rules/test_alert_compliance.c.
"""
import calendar
import json
import os
import threading
import time

from alert_lib import Receiver, section
from lib import Server, check, equal, folder, step, until

INTERVAL, RESEND, FOR, SLACK = 0.5, 1.0, 2.0, 8.0
d = folder()
with open(os.path.join(d, "rules.yml"), "w") as f:
    f.write("""groups:
- name: all
  interval: 500ms
  rules:
  - alert: Simple
    expr: '{__name__="suite", case="simple"} > 10'
    for: 2s
    labels: {foo: bar, case: other}
    annotations: {description: it fires, summary: 'The value is {{$value}} {{.Value}}, the case {{$labels.case}}'}
  - alert: Pending
    expr: suite{case="short"} > 10
    for: 1h
  - alert: Never
    expr: suite{case="short"} > 99
  - alert: Zero
    expr: suite{case="zero"} > 10
    annotations: {template_test: '{{humanize 1048576}} {{humanizeDuration 135.3563}} {{humanizePercentage 0.959}}'}
  - alert: Reads
    expr: ALERTS{alertname="Zero", alertstate="firing"} == 1
    labels: {level: two}
    annotations: {description: 'Old alertname was {{$labels.alertname}}.'}
""")
receiver = Receiver()
with open(os.path.join(d, "prometheus.yml"), "w") as f:
    f.write("global: {evaluation_interval: 1s}\nrule_files: [rules.yml]\nalerting:\n  alertmanagers:\n" + section(receiver, "am"))
server = Server(flags=[f"--config.file={d}/prometheus.yml", "--rules.alert.resend-delay=1s"])
values = {"simple": 3, "short": 3, "zero": 3}
stopped = threading.Event()


def feed():
    while not stopped.wait(0.1):
        now = int(time.time() * 1000)
        server.write([({"__name__": "suite", "case": c}, [(now, v)]) for c, v in values.items()])


feeder = threading.Thread(target=feed, daemon=True)
feeder.start()


def data(path):
    status, answer = server.api(path)
    check(status == 200 and answer["status"] == "success", f"{path}: {status} {answer}")
    return answer["data"]


def alerts():
    return {a["labels"]["alertname"]: a for a in data("alerts")["alerts"]}


def rules():
    return {r["name"]: r for g in data("rules")["groups"] for r in g["rules"]}


def in_state(name, state, summary=None):
    a = alerts().get(name)
    return a is not None and a["state"] == state and (summary is None or summary in a["annotations"].get("summary", ""))


def seconds(text):
    """Of an RFC 3339 time in UTC."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float("0." + (fraction or "0"))


def told(name):
    return [a for a in receiver.alerts("am") if a["labels"]["alertname"] == name]


until("rules are evaluated", lambda: all(r["health"] == "ok" for r in rules().values()), 60)
equal((alerts(), sorted({r["state"] for r in rules().values()})), ({}, ["inactive"]), "nothing yet")

step("pending, with values that change at once; firing; again; resolved")
raised = time.time()
values.update(simple=11, short=11)
until("pending", lambda: in_state("Simple", "pending", "The value is 11 11, the case simple"), 60)
equal((rules()["Simple"]["state"], rules()["Never"]["state"]), ("pending", "inactive"), "states of rules")
values["simple"] = 15
until("firing", lambda: in_state("Simple", "firing", "The value is 15 15"), 60)
until("told of, again", lambda: len(told("Simple")) >= 2, 60)
values["simple"] = 19
until("another value", lambda: in_state("Simple", "firing", "The value is 19 19"), 60)
until("told of that", lambda: "The value is 19 19" in told("Simple")[-1]["annotations"]["summary"], 60)
active_at = seconds(alerts()["Simple"]["activeAt"])
lowered = time.time()
values.update(simple=9, short=9)
until("inactive", lambda: not alerts(), 60)
until("told of the end, again", lambda: len([a for a in told("Simple") if seconds(a["endsAt"]) < time.time() - RESEND]) >= 2, 60)

step("fires again while its end is still told of; without a wait; a rule that reads ALERTS")
again = time.time()
values.update(simple=15, zero=11)
until("both fire", lambda: in_state("Zero", "firing") and in_state("Reads", "firing"), 60)
equal(alerts()["Reads"]["annotations"], {"description": "Old alertname was Zero."}, "labels of the element")
equal(alerts()["Zero"]["annotations"], {"template_test": "1.049M 2m 15s 95.9%"}, "functions of templates")
until("firing again", lambda: in_state("Simple", "firing"), 60)
until("told of all", lambda: told("Zero") and told("Reads") and seconds(told("Simple")[-1]["startsAt"]) > again, 60)
stopped.set()
feeder.join()
end = time.time()


def series(selector):
    """Time stamps of all samples of one series, in seconds."""
    found = server.query(f"{selector}[1h]", end + 5)
    equal(len(found), 1, selector)
    return [t for t, _ in found[0]["values"]]


step("series say the same, to the evaluation")
pending, firing = (series(f'ALERTS{{alertname="Simple",alertstate="{s}"}}') for s in ("pending", "firing"))
check(raised <= pending[0] <= raised + INTERVAL + SLACK, "waits soon after its value")
check(abs(pending[0] - active_at) < 0.002, "activeAt is the evaluation's time")
check(FOR - 0.001 <= firing[0] - pending[0] < FOR + INTERVAL + SLACK, "fires after `for`")
check(not set(pending) & set(firing), "never both")
spaced = [(b - a) / INTERVAL for a, b in zip(firing, firing[1:])]
check(all(abs(x - round(x)) < 0.01 for x in spaced), "at multiples of the interval")
values_of = server.query('ALERTS_FOR_STATE{alertname="Simple"}', firing[0])[0]["value"][1]
equal(int(values_of), int(active_at), "ALERTS_FOR_STATE is when it began")
zero, reads = (series(f'ALERTS{{alertname="{n}",alertstate="firing"}}') for n in ("Zero", "Reads"))
equal(reads, zero[:len(reads)], "a rule sees what one before it wrote in the same evaluation")
equal(server.query('ALERTS{alertname="Never"}', end), [], "what never begins")
equal(server.query('count_over_time(ALERTS{alertname="Pending",alertstate="firing"}[1h])', end), [], "what only waits")

step("what was told")
equal((told("Pending"), told("Never")), ([], []), "nothing of those")
sent = [(a, at) for at, _, body in receiver.of("am") for a in json.loads(body)]
simple = [(a, at) for a, at in sent if a["labels"]["alertname"] == "Simple"]
for a, _ in simple:
    equal(a["labels"], {"alertname": "Simple", "case": "other", "foo": "bar"}, "labels, and no others")
    equal(sorted(a["annotations"]), ["description", "summary"], "annotations")
    check("g0.expr=" in a["generatorURL"], a["generatorURL"])
first = [(a, at) for a, at in simple if seconds(a["startsAt"]) < again]
equal(len({a["startsAt"] for a, _ in first}), 1, "one beginning")
check(abs(seconds(first[0][0]["startsAt"]) - firing[0]) < 0.002, "startsAt is when it fired")
is_over = [seconds(a["endsAt"]) <= at for a, at in first]
equal(is_over, sorted(is_over), "it fires, then it is over")
over = sorted({seconds(a["endsAt"]) for a, at in first if seconds(a["endsAt"]) <= at})
equal(len(over), 1, "one end")
check(lowered <= over[0] <= lowered + INTERVAL + SLACK, "it ended soon after its value")
check(over[0] > max(t for t in firing if t < again), "at the evaluation that has it no more")
evaluated = [seconds(a["endsAt"]) - 4 * max(RESEND, INTERVAL) for a, at in first if seconds(a["endsAt"]) > at]
check(all(any(abs(t - f) < 0.002 for f in firing) for t in evaluated), "endsAt is four resend delays after an evaluation")
gaps = [b - a for a, b in zip(evaluated, evaluated[1:])]
check(gaps and all(RESEND < g < RESEND + INTERVAL + SLACK for g in gaps), f"told again after more than the resend delay: {gaps}")
late = [at - t for (_, at), t in zip(first, evaluated)]
check(all(0 <= x <= SLACK for x in late), f"they arrive soon after their evaluations: {late}")
for name in ("Zero", "Reads"):
    zeroth = [a for a, _ in sent if a["labels"]["alertname"] == name][0]
    check(abs(seconds(zeroth["startsAt"]) - zero[0]) < 0.002, f"{name} fires in the evaluation that sees it")
