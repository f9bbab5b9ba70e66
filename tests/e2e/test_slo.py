"""Objectives: rules out of the examples, budgets over raw data against PromQL, reloads, restarts."""
import glob
import os
import shutil
import subprocess
import time
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from lib import VARVE, Server, check, equal, folder, step, until

EXAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/slo")
DAY = 86400


def near(got, want, text, tolerance=1e-9):
    check(got is not None and abs(got - want) <= tolerance * max(1, abs(want)), f"{text}: got {got}, want {want}")


def run(*args):
    return subprocess.run([VARVE, "slo", *args], capture_output=True, text=True)


step("the examples are valid, and their rules are rules")
files = sorted(glob.glob(EXAMPLES + "/*.yml"))
check(len(files) >= 3, files)
done = run("check", *files)
equal((done.returncode, done.stderr), (0, ""), "check")
check(done.stdout.startswith("SUCCESS: 4 objectives,"), done.stdout)
work = folder()
for f in files:
    rules = os.path.join(work, os.path.basename(f) + ".rules.yml")
    equal(run("generate", "-i", f, "-o", rules).returncode, 0, f)
    equal(subprocess.run([VARVE, "check", "rules", rules], capture_output=True).returncode, 0, rules)
    if shutil.which("promtool"):
        judged = subprocess.run(["promtool", "check", "rules", rules], capture_output=True, text=True)
        check(judged.returncode == 0 and "SUCCESS" in judged.stdout, judged)
done = run("generate", "-i", work + "/none.yml")
equal((done.returncode, done.stderr), (1, f"varve slo generate: error: {work}/none.yml: no such file\n"), "no file")
with open(work + "/bad.yml", "w") as f:
    f.write("version: prometheus/v1\nservice: x\nslos:\n- name: n\n  objectiv: 1\n")
done = run("validate", work + "/bad.yml")
check(done.returncode == 1 and "bad.yml:5:13: field \"objectiv\"" in done.stderr, done.stderr)

step("31 days of requests: days and nights, outages, restarts of what counts, a gap")
now = int(time.time()) // 60 * 60
begin = (now - 31 * DAY) // 300 * 300
codes, buckets = {"200": [0.0, []], "500": [0.0, []]}, {"2": [0.0, []], "+Inf": [0.0, []]}
for t in range(begin, now + 60, 60):
    hour, day = (t - 1) // 3600 % 24, (t - 1 - begin) // DAY
    rate = 100 if 6 <= hour < 22 else 10
    errors = rate * (0.3 if day == 20 and hour == 12 else 0.0005)
    slow = rate * (0.2 if day == 28 and hour == 3 else 0.002)
    if t - begin == 17 * DAY + 12345 // 60 * 60:  # the process starts again
        for c in list(codes.values()) + list(buckets.values()):
            c[0] = 0.0
    for c, v in ((codes["200"], rate - errors), (codes["500"], errors), (buckets["2"], rate - slow), (buckets["+Inf"], rate)):
        c[0] += v
        if not (day == 25 and 8 <= hour < 10):  # nothing was scraped
            c[1].append((t * 1000, c[0]))
slos = folder()
with open(work + "/prometheus.yml", "w") as f:
    f.write("global: {evaluation_interval: 5s}\n")
flags = [f"--config.file={work}/prometheus.yml", "--storage.wal.sync=off", f"--slo.files={slos}/*.yml", "--slo.evaluation-delay=0s"]
varve = Server(flags=flags)
NAME = "http_request_duration_seconds"
for code, (_, samples) in codes.items():
    varve.write([({"__name__": NAME + "_count", "job": "api", "status_code": code}, samples)])
for le, (_, samples) in buckets.items():
    varve.write([({"__name__": NAME + "_bucket", "job": "api", "status_code": "all", "le": le}, samples)])


def all_slos(**params):
    status, answer = varve.api("slos", **params)
    equal(status, 200, answer)
    return answer["data"]["slos"]


equal(all_slos(), [], "no file yet")

step("a reload takes the objectives")
for f in files:
    shutil.copy(f, slos)
with open(slos + "/strict.yml", "w") as f:  # 0.2 % are slow: twenty times what this allows
    f.write(f"""version: prometheus/v1
service: strict
slos:
- name: latency
  objective: 99.99
  sli: {{latency: {{metric: {NAME}, selector: 'job="api"', threshold_seconds: 2}}}}
  alerting: {{name: TooSlow, page_alert: {{labels: {{severity: critical}}}}}}
""")
equal(varve.request("POST", "/-/reload")[0], 200, "reload")
by_id = lambda: {s["id"]: s for s in all_slos()}
IDS = ["strict-latency", "api-availability", "api-latency", "api-query-latency", "api-api-uptime-0"]
equal(sorted(by_id()), sorted(IDS), "ids")


def all_booked():
    found = by_id()
    until_when = {s["bookedUntil"] for s in found.values()}
    return found if len(until_when) == 1 and None not in until_when else None


slo = until("all are booked, to the same slice", all_booked, seconds=120)
booked = slo["api-latency"]["bookedUntil"]
at = int(datetime.fromisoformat(booked.replace("Z", "+00:00")).timestamp())


def value(query, when=at):
    r = varve.query(query, when)
    return float(r[0]["value"][1]) if r else None


step("a calendar month in Berlin: the numbers are PromQL's over raw samples")
s = slo["api-availability"]
berlin = ZoneInfo("Europe/Berlin")
month = datetime.fromtimestamp(at - 1, berlin).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
following = (month + timedelta(days=32)).replace(day=1)
stamp = lambda d: d.astimezone(ZoneInfo("UTC")).strftime("%Y-%m-%dT%H:%M:%SZ")
b = s["budget"]
equal((b["periodStart"], b["periodEnd"]), (stamp(month), stamp(following)), "period")
TOTAL = f'sum(rate({NAME}_count{{job="api"}}[5m]))'
ERROR = f'sum(rate({NAME}_count{{job="api",status_code=~"5.."}}[5m]))'


def over(query, start, end):
    """Sums of five-minute slices in (start, end]."""
    start = max(start, begin)
    return value(f"sum_over_time(({query} * 300)[{end - start}s:5m])", end) or 0 if end > start else 0


start, end = int(month.timestamp()), int(following.timestamp())
near(b["totalEvents"], over(TOTAL, start, at), "events")
near(b["errorEvents"], over(ERROR, start, at), "errors")
near(b["errorRatio"], over(ERROR, start, at) / over(TOTAL, start, at), "ratio")
near(b["burnRate"], b["errorRatio"] / 0.001, "burn rate", 1e-6)
near(b["elapsed"], (at - start) / (end - start), "elapsed")
# increase() of the whole month sees the same, but for what it extrapolates.
whole = value(f'sum(increase({NAME}_count{{job="api"}}[{at - start}s]))')
near(b["totalEvents"], whole, "increase of the month", 0.01 if at - start > 4 * 3600 else 1)
before = (month - timedelta(days=1)).replace(day=1)
m = {x["start"]: x for x in s["months"]}
check(stamp(month) in m and stamp(before) in m, list(m))
p = int(before.timestamp())
near(m[stamp(before)]["totalEvents"], over(TOTAL, p, start), "events of the month before")
near(m[stamp(before)]["errorEvents"], over(ERROR, p, start), "errors of the month before")
check(m[stamp(before)]["coverage"] <= 1, m)
slices, left = (end - start) / 300, (end - at) / 300
seen = value(f"count_over_time(({TOTAL})[{at - max(start, begin - 300)}s:5m])") or 0
if seen > 0:
    expected = b["totalEvents"] * (1 + left / seen)
    near(b["consumed"], b["errorEvents"] / (0.001 * expected), "consumed", 1e-6)
    near(b["remaining"], 1 - b["consumed"], "remaining")
    recent = over(ERROR, at - DAY, at) / value(f"count_over_time(({TOTAL})[1d:5m])")
    near(b["projectedRemaining"], 1 - (b["errorEvents"] + recent * left) / (0.001 * expected), "projection", 1e-6)

step("rolling windows, latency, burn rates")
s = slo["api-latency"]
GOOD = f'sum(rate({NAME}_bucket{{job="api",le="2"}}[5m]))'
LATENCY = f'sum(rate({NAME}_count{{job="api"}}[5m]))'
equal(s["timeWindow"], {"type": "rolling", "duration": "30d"}, "window")
bad = over(f"({LATENCY} - {GOOD})", at - 30 * DAY, at)
near(s["budget"]["totalEvents"], over(LATENCY, at - 30 * DAY, at), "events of 30 days")
near(s["budget"]["errorEvents"], bad, "slow ones", 1e-6)
near(s["budget"]["remaining"], 1 - bad / over(LATENCY, at - 30 * DAY, at) / 0.01, "remaining", 1e-6)
check(0.99 < s["budget"]["coverage"] < 1, s["budget"])  # the gap of two hours
equal([w["window"] for w in s["windows"]], ["5m", "30m", "1h", "2h", "6h", "1d", "3d"], "windows")
for w, seconds in zip(s["windows"], (300, 1800, 3600, 7200, 21600, DAY, 3 * DAY)):
    ratio = over(f"({LATENCY} - {GOOD})", at - seconds, at) / over(LATENCY, at - seconds, at)
    near(w["errorRatio"], ratio, w, 1e-6)
    near(w["burnRate"], ratio / 0.01, w, 1e-6)
equal([(a["name"], a["severity"], a["state"]) for a in s["alerts"]],
      [("ApiLatencyBudget", "page", "inactive"), ("ApiLatencyBudget", "ticket", "inactive")], "alerts")
equal([(c["longWindow"], c["shortWindow"], c["threshold"]) for c in s["alerts"][0]["conditions"]],
      [("1h", "5m", 14.4), ("6h", "30m", 6)], "conditions")

step("time slices: those of the outage are bad")
s = slo["api-api-uptime-0"]
bad = f"((({ERROR}) / ({TOTAL})) > bool 0.05)"
month_errors = value(f"sum_over_time({bad}[{at - max(start, begin)}s:5m])") or 0
near(s["budget"]["errorEvents"], month_errors, "bad slices")
near(s["budget"]["totalEvents"], seen, "slices")
every = sum(x["errorEvents"] for x in s["months"])
equal(every, 12, "an hour, in either month")
equal(slo["api-query-latency"]["budget"]["consumed"], None, "no data: nothing is claimed")
equal(slo["api-query-latency"]["budget"]["coverage"], 0, "no data")

step("filters")
equal([s["id"] for s in all_slos(**{"name[]": "latency"})], ["api-latency", "strict-latency"], "by name")
equal([s["id"] for s in all_slos(**{"id[]": ["api-latency", "api-availability"]})],
      ["api-availability", "api-latency"], "by id")
equal(all_slos(**{"service[]": "shop"}), [], "by service")
equal(len(all_slos(**{"match[]": '{team="platform",sloth_slo=~".*latency"}'})), 2, "by labels")
equal(varve.api("slos", **{"match[]": "{team="})[0], 400, "a bad selector")

step("Sloth's rules are evaluated in place, and alerts are theirs")
groups = {g["name"]: g for g in varve.api("rules")[1]["data"]["groups"]}
for kind, rules in (("sli-recordings", 8), ("meta-recordings", 7), ("alerts", 2)):
    group = groups[f"sloth-slo-{kind}-strict-latency"]
    equal((group["file"], len(group["rules"])), (slos + "/strict.yml", rules), kind)
until("the page fires", lambda: [a["state"] for a in by_id()["strict-latency"]["alerts"]] == ["firing"] * 2, seconds=120)
equal([a["state"] for a in by_id()["api-latency"]["alerts"]], ["inactive"] * 2, "another's")
firing = [a["labels"] for a in varve.api("alerts")[1]["data"]["alerts"] if a["labels"]["alertname"] == "TooSlow"]
equal(sorted(a["sloth_severity"] for a in firing), ["page", "ticket"], "alerts")
burns = until("the group that reads what another records has run again",
              lambda: varve.query('slo:current_burn_rate:ratio{sloth_id="strict-latency"}', time.time()), seconds=90)
near(float(burns[0]["value"][1]), 20, "burn rate", 0.01)
near(by_id()["strict-latency"]["windows"][0]["burnRate"], 20, "the same in the books", 0.01)

step("what is recorded says the same")
gauge = lambda name: varve.query(f'{name}{{sloth_id="api-latency"}}', time.time())
series = until("gauges are written", lambda: gauge("slo:budget_remaining:ratio"))
equal(series[0]["metric"], {"__name__": "slo:budget_remaining:ratio", "sloth_id": "api-latency", "sloth_service": "api",
                            "sloth_slo": "latency", "team": "platform"}, "labels")
near(float(series[0]["value"][1]), by_id()["api-latency"]["budget"]["remaining"], "remaining", 1e-3)
near(value('sum_over_time(slo:total_events:increase5m{sloth_id="api-latency"}[30d])'),
     slo["api-latency"]["budget"]["totalEvents"], "recorded events")

step("a bad file changes nothing")
with open(slos + "/bad.yml", "w") as f:
    f.write("version: prometheus/v1\nservice: x\nslos: []\n")
status, _, body = varve.request("POST", "/-/reload")
check(status == 500 and b"bad.yml:1:1: at least one SLO is required" in body, body)
equal(sorted(by_id()), sorted(IDS), "still in force")
os.unlink(slos + "/bad.yml")


def metric(name):
    return float(next(l.split()[1] for l in varve.request("GET", "/metrics")[2].decode().splitlines()
                      if l.startswith(name + " ")))


equal(metric("varve_slo_objectives"), 5, "objectives")
check(metric("varve_slo_slices_total") > 3 * 30 * 288, "slices")
equal(metric("varve_slo_evaluation_failures_total"), 0, "failures")

step("a restart reads back what was recorded")
old = by_id()
varve.stop()
varve = Server(data=varve.data, flags=flags)
new = until("all are booked", all_booked, seconds=120)
check(metric("varve_slo_slices_total") <= 30, "little is reckoned again")
for i in ("api-latency", "api-availability"):
    for x in old[i]["months"][1:]:
        y = next(y for y in new[i]["months"] if y["start"] == x["start"])
        near(y["totalEvents"], x["totalEvents"], "months")
        near(y["errorEvents"], x["errorEvents"], "months")
varve.stop()

step("flags that are wrong")
done = subprocess.run([VARVE, "serve", "--slo.default-period=31d", f"--storage.tsdb.path={work}/d"], capture_output=True, text=True)
check(done.returncode == 1 and "--slo.default-period: must be 28d, 30d or a period" in done.stderr, done.stderr)
done = subprocess.run([VARVE, "serve", f"--slo.files={work}/bad.yml", f"--storage.tsdb.path={work}/d"], capture_output=True, text=True)
check(done.returncode == 1 and "bad.yml:5:13" in done.stderr, done.stderr)
step("done")
