"""varve rules replay: results of rules over the past are served like any others; interrupted by a signal or killed it goes
on to the same samples; not beside a server.
"""
import os
import re
import shutil
import signal
import subprocess
import time

from lib import VARVE, Server, check, equal, folder, step, write

NOW = int(time.time())
END = NOW - NOW % 3600
START = END - 6 * 3600
d = folder()
rules = os.path.join(d, "rules.yml")
with open(rules, "w") as f:
    f.write("""groups:
- name: shop
  interval: 15s
  rules:
  - {record: 'shop:requests:rate5m', expr: 'sum by (job) (rate(requests_total[5m]))'}
  - {record: 'shop:requests:double', expr: '2 * shop:requests:rate5m'}
  - {alert: Busy, expr: 'shop:requests:rate5m > 15', for: 10m, labels: {job: '{{ $labels.job }}!'}}
- name: hourly
  interval: 5m
  rules:
  - {record: 'shop:requests:avg1h', expr: 'avg_over_time(shop:requests:double[1h])'}
""")


def replay(data, *more, **kwargs):
    return subprocess.run([VARVE, "rules", "replay", f"--rules={rules}", f"--start={START}", f"--end={END}", f"--storage.tsdb.path={data}",
                           *more], capture_output=True, text=True, timeout=300, **kwargs)


def fill(data):
    """requests_total of 20 instances: 0.5 a second each, twice as much in the third hour"""
    server = Server(data=data)
    value, rows = 0.0, []
    for t in range(START - 600, END, 15):
        rows.append((t * 1000, value))
        value += 15 if START + 7200 <= t < START + 10800 else 7.5
    write(server, [({"__name__": "requests_total", "job": "shop", "instance": f"i{i}"}, rows) for i in range(20)])
    return server


NAMES = ("shop:requests:rate5m", "shop:requests:double", "shop:requests:avg1h", "ALERTS", "ALERTS_FOR_STATE")


def everything(server):
    """{labels: [(time, value)]} of what the replay wrote"""
    out = {}
    for name in NAMES:
        for r in server.query(f'{name}[8h]', END):
            out[tuple(sorted(r["metric"].items()))] = r["values"]
    return out


step("beside a server it says so")
data = os.path.join(d, "data")
server = fill(data)
got = replay(data)
equal(got.returncode, 1, got)
check("error" in got.stderr and data in got.stderr, got.stderr)
server.stop()
backup = os.path.join(d, "backup")
shutil.copytree(data, backup)

step("six hours")
got = replay(data)
equal(got.returncode, 0, got)
check(re.search(r"evaluations of rules, \d{4,} samples written, 0 refused, 0 failures", got.stdout), got.stdout)
check("100.0%" in got.stderr, got.stderr)
server = Server(data=data)
want = everything(server)
value = lambda name, t: float(server.query(name, t)[0]["value"][1])
equal([round(value("shop:requests:rate5m", START + h * 3600 + 1800), 6) for h in range(6)], [10, 10, 20, 10, 10, 10], "rates")
equal(round(value("shop:requests:double", END - 600), 6), 20, "what reads another rule")
equal(round(value("shop:requests:avg1h", START + 7100), 3), 20, "what reads another group")
check(len(server.query("count_over_time(shop:requests:rate5m[1h])", END)) == 1 and
      value("count_over_time(shop:requests:rate5m[1h])", END - 30) in (239, 240, 241), "every 15 s")
alerts = {k: v for k, v in want.items() if ("__name__", "ALERTS") in k}
equal(sorted(dict(k)["alertstate"] for k in alerts), ["firing", "pending"], "alerts")
firing = next(v for k, v in alerts.items() if ("alertstate", "firing") in k)
check(("job", "shop!") in next(iter(alerts)), "a template's label")
check(START + 7200 + 600 < firing[0][0] < START + 7200 + 1000, "fires after ten minutes of more than 15")
check(START + 10800 < firing[-1][0] < START + 10800 + 300, "and ends")
equal(server.query("ALERTS", START + 10800 + 300), [], "the alert is stale")
server.stop()

step("once more: nothing is left")
got = replay(data)
equal(got.returncode, 0, got)
check("an earlier run" in got.stdout, got.stdout)


def interrupted(sig, data):
    """Interrupt a replay when it is on its way; its exit status, or None when it was quicker."""
    p = subprocess.Popen([VARVE, "rules", "replay", rules, f"--start={START}", f"--end={END}", f"--storage.tsdb.path={data}"],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(0.25)
    p.send_signal(sig)
    out, err = p.communicate(timeout=120)
    return p.returncode, out, err


for sig in (signal.SIGINT, signal.SIGKILL):
    step(f"interrupted by {sig.name}, it goes on")
    other = os.path.join(d, sig.name)
    shutil.copytree(backup, other)
    for _ in range(3):
        status, out, err = interrupted(sig, other)
        check(status in ((0, 1) if sig == signal.SIGINT else (0,)) + (-sig,), (status, out, err))
        check(status != 1 or "interrupted" in err, err)
    equal(replay(other).returncode, 0, "the rest")
    server = Server(data=other)
    equal(everything(server), want, "the same samples")
    server.stop()

step("failures and mistakes")
with open(os.path.join(d, "bad.yml"), "w") as f:
    f.write("groups:\n- name: g\n  rules:\n  - {record: r, expr: 'label_replace(requests_total, \"a\", \"\", \"b\", \"(\")'}\n")
run = lambda *a: subprocess.run([VARVE, "rules", "replay", *a], capture_output=True, text=True, timeout=60)
got = run(os.path.join(d, "bad.yml"), f"--start={END - 3600}", f"--end={END}", f"--storage.tsdb.path={data}")
equal((got.returncode, got.stderr.count("rule: r, time: ")), (1, 20), got)
check("61 failures" in got.stdout or "60 failures" in got.stdout, got.stdout)
for arguments, text in ((["--start=1"], "required flag --rules"), ([rules], "required flag --start"), (["nowhere.yml", "--start=1"], "does not exist"),
                        ([rules, "--start=5", "--end=4"], "end time is before start time"), ([rules, "--start=x"], "cannot parse"),
                        ([rules, "--start=1", f"--storage.tsdb.path={d}/none"], "no data directory"),
                        ([rules, "--start=1", "--external-label=x"], "is not name=value")):
    got = run(*arguments)
    check(got.returncode == 1 and text in got.stderr, f"{arguments}: {got}")
