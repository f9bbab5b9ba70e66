"""The extensions' `delivery`: who is told when a provider is down, through kill -9; receivers that are told only so often."""
from alert_lib import *

d, receiver = folder(), Receiver()
am_path, ext_path = os.path.join(d, "alertmanager.yml"), os.path.join(d, "alerting_ext.yml")
JSON = {"Content-Type": "application/json"}


def answer(status):
    def way(handler):
        handler.send_response(status)
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return True
    return way


receiver.ways = {"main": answer(503), "backup": answer(200), "slow": answer(200)}
put(am_path, """route:
  {receiver: main, group_by: [alertname], group_wait: 0s, group_interval: 2s, repeat_interval: 1h,
   routes: [{receiver: slow, matchers: [to=slow]}]}
receivers:
""" + "".join(f"- {{name: {n}, webhook_configs: [{{url: 'http://127.0.0.1:{receiver.port}/{n}/hook'}}]}}\n" for n in receiver.ways))
EXT = """delivery:
  retry: {max_attempts: 4, initial: 100ms, max_backoff: 1s}
  request_timeout: 2s
  fallbacks: [{receiver: main, to: backup, after_failures: 3}]
  rate_limits: [{receiver: slow, per: 500ms, burst: 2}]
"""
put(ext_path, EXT)
FLAGS = [f"--alertmanager.config-file={am_path}", f"--alertmanager.extensions-file={ext_path}"]
s = Server(flags=FLAGS)


def alert(*names, ends=False, **labels):
    at = lambda t: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(t))
    now = time.time()
    start, end = (now - 100, now - 1) if ends else (now, now + 3600)
    body = [{"labels": {"alertname": n, "i": "1", **labels}, "startsAt": at(start), "endsAt": at(end)} for n in names]
    equal(s.request("POST", "/api/v2/alerts", json.dumps(body), JSON)[0], 200, "alerts taken")


def told(to, name):
    """[(time, status, alerts)] of a group, in order."""
    return [(at, m["status"], len(m["alerts"])) for at, m in ((at, json.loads(body)) for at, _, body in receiver.of(to))
            if m["groupLabels"] == {"alertname": name}]


def metric(line):
    text = s.request("GET", "/metrics")[2].decode()
    return float(text.split(f"\n{line} ")[1].split()[0])


step("a provider that fails: after three attempts another is told")
alert("a")
until("the fallback is told", lambda: told("backup", "a"))
check(len(told("main", "a")) >= 3, told("main", "a"))
until("it is counted", lambda: metric('varve_notification_fallbacks_total{integration="webhook"}') == 1)
equal(metric('varve_notifications_dead_letter_total{integration="webhook"}'), 0, "somebody knows")
until("it is in the log", lambda: "a receiver is not told: its fallback is" in s.log())
until("it is noted", lambda: metric('alertmanager_notifications_total{integration="webhook"}') >= 1)

step("kill -9: the fallback is told what is new, once, and nothing twice")
s.kill()
s = Server(data=s.data, flags=FLAGS)
alert("a", i="2")
until("the new alert", lambda: len(told("backup", "a")) > 1)
equal([what[1:] for what in told("backup", "a")], [("firing", 1), ("firing", 2)], "told")

step("the provider is back: it is told, and the fallback hears of the end alone")
receiver.ways["main"] = answer(200)
count = len(told("main", "a"))
until("the receiver is told", lambda: len(told("main", "a")) > count and told("main", "a")[-1][2] == 2)
alert("a", i="3")
until("news", lambda: told("main", "a")[-1][2] == 3)
alert("b")
until("another group", lambda: told("main", "b"))
for i in "123":
    alert("a", i=i, ends=True)
for to in ("main", "backup"):
    until(f"{to} is told of the end", lambda: told(to, "a")[-1][1] == "resolved")
equal([what[1:] for what in told("backup", "a")], [("firing", 1), ("firing", 2), ("resolved", 2)], "the fallback knew two")
equal(told("backup", "b"), [], "what arrives is nobody else's")

step("a receiver with a rate: two at once, then one each 500 ms, none lost, others at once")
names = [f"r{k}" for k in range(6)]
began = time.time()
alert(*names, to="slow")
alert("quick")
until("who has no limit does not wait", lambda: told("main", "quick"))
until("all are told", lambda: all(told("slow", n) for n in names))
times = sorted(told("slow", n)[0][0] for n in names)
check(times[1] - began < 1.5, f"a burst of two: {times[1] - began:.2f} s")
check(1.8 < times[5] - times[0] < 8, f"four more take two seconds: {times[5] - times[0]:.2f} s")
equal(len(receiver.of("slow")), 6, "each once")
equal(metric("varve_notify_rate_waiting"), 0, "nobody waits")
check(metric('varve_notification_rate_limited_total{integration="webhook"}') >= 4, "they did")
check(metric('varve_notification_delivery_seconds_count{integration="webhook"}') >= 10, "and it was measured")

step("what cannot be is refused, and changes nothing")
put(ext_path, EXT.replace("after_failures: 3}", "after_failures: 3}, {receiver: backup, to: slow}"))
status, _, body = s.request("POST", "/-/reload")
check(status != 200 and b"there are no chains" in body, body)
p = subprocess.run([VARVE, "check", "alertmanager", f"--extensions-file={ext_path}", am_path], capture_output=True, text=True)
check(p.returncode != 0 and "alerting_ext.yml:4:" in p.stdout + p.stderr, p.stdout + p.stderr)
put(ext_path, EXT)
equal(s.request("POST", "/-/reload")[0], 200, "reloaded")
equal(s.stop(), 0, "exit status")
