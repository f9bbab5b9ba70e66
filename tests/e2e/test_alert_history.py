"""The history of alerts: what happened is found, by time, type, labels and alert, page by page, also after kill -9."""
import glob

from alert_lib import *

d, receiver = folder(), Receiver()
SECRET = "canary-31cc"


def answer(status):
    def way(handler):
        handler.send_response(status)
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return True
    return way


receiver.ways = {"good": answer(200), "bad": answer(403)}
path = os.path.join(d, "am.yml")
with open(path, "w") as f:
    f.write(f"""route:
  receiver: good
  group_by: [alertname]
  group_wait: 0s
  group_interval: 1s
  routes:
  - {{receiver: bad, matchers: [alertname = Bad]}}
receivers:
- {{name: good, webhook_configs: [{{url: 'http://127.0.0.1:{receiver.port}/good/{SECRET}'}}]}}
- {{name: bad, webhook_configs: [{{url: 'http://127.0.0.1:{receiver.port}/bad/{SECRET}'}}]}}
""")
FLAGS = [f"--alertmanager.config-file={path}"]
s = Server(flags=FLAGS)


def get(**params):
    status, _, body = s.request("GET", "/api/v1/alerting/history?" + urllib.parse.urlencode(params, doseq=True))
    check(SECRET not in body.decode(), body)
    return status, json.loads(body)


def events(**params):
    status, said = get(**params)
    equal(status, 200, said)
    return said["data"]["events"]


def types(**params):
    return [e["type"] for e in events(**params)]


def post(what, body):
    status, _, said = s.request("POST", f"/api/v2/{what}", json.dumps(body), {"Content-Type": "application/json"})
    equal(status, 200, said)
    return said


def at(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


step("an alert fires, is told, ends, is told")
post("alerts", [{"labels": {"alertname": "Up", "i": "a"}}])
until("it is told", lambda: receiver.of("good"))
until("the history knows", lambda: "notification_sent" in types())
fired = events(type="alert_firing")[0]
equal((fired["labels"], len(fired["fingerprints"])), ({"alertname": "Up", "i": "a"}, 1), "the event")
sent = events(type="notification_sent")[0]
equal({k: sent[k] for k in ("receiver", "integration", "index", "attempt", "alerts", "reason", "labels", "fingerprints")},
      {"receiver": "good", "integration": "webhook", "index": 0, "attempt": 1, "alerts": 1, "reason": "first notification",
       "labels": {"alertname": "Up"}, "fingerprints": fired["fingerprints"]}, "what was sent")
post("alerts", [{"labels": {"alertname": "Up", "i": "a"}, "endsAt": at(-1)}])
until("the end is told", lambda: len(events(type="notification_sent")) == 2)
equal([(e["type"], e["reason"]) for e in events(type="alert_resolved")], [("alert_resolved", "inactive")], "the end")

step("one that fails, one that is silenced, silences, a reload")
post("alerts", [{"labels": {"alertname": "Bad"}}])
until("it failed", lambda: "notification_failed" in types())
failed = events(type="notification_failed", matcher="alertname=~B.*")[0]
check("403" in failed["error"] and failed["receiver"] == "bad", failed)
silence = json.loads(post("silences", {"matchers": [{"name": "alertname", "value": "Quiet", "isRegex": False}], "startsAt": at(-1), "endsAt": at(3600),
                                       "createdBy": "me", "comment": "é <c>"}))["silenceID"]
post("alerts", [{"labels": {"alertname": "Quiet"}}])
until("it is silenced", lambda: "notification_suppressed" in types())
time.sleep(2.5)  # flushes go on, and say nothing new
suppressed = events(type="notification_suppressed")
equal([(e["by"], e["receiver"], e["alerts"]) for e in suppressed], [("silence", "good", 1)], "once")
equal(s.request("DELETE", f"/api/v2/silence/{silence}")[0], 200, "its end")
equal([(e["type"], e["id"], e["author"], e["comment"], e["matchers"]) for e in events(type=["silence_created", "silence_expired"])],
      [(t, silence, "me", "é <c>", '{alertname="Quiet"}') for t in ("silence_expired", "silence_created")], "silences")
equal(s.request("POST", "/-/reload")[0], 200, "reload")
equal(types(type="config_reloaded"), ["config_reloaded"], "reload")

step("by alert, time and page")
until("Quiet is told", lambda: any(e["labels"].get("alertname") == "Quiet" for e in events(type="notification_sent")))
everything = events(limit=10000)
mine = [e["seq"] for e in everything if fired["fingerprints"][0] in e["fingerprints"]]
equal([e["seq"] for e in events(fingerprint=fired["fingerprints"][0])], mine, "of one alert")
middle = everything[len(everything) // 2]["time"]
newer = events(start=middle, limit=10000)
check(newer and all(e["time"] >= middle for e in newer) and len(newer) < len(everything), "from a time on")
equal(events(end="2020-01-01T00:00:00Z"), [], "long ago")
stop, pages, cursor = time.time(), [], {}
while True:
    page = get(limit=3, end=stop, **cursor)[1]["data"]
    pages += page["events"]
    check(len(page["events"]) <= 3, page)
    if "nextCursor" not in page:
        break
    cursor = {"cursor": page["nextCursor"]}
equal([e["seq"] for e in pages], [e["seq"] for e in events(limit=10000, end=stop)], "page by page")

step("what is refused")
for bad in ({"type": "nosuch"}, {"matcher": "a=~("}, {"fingerprint": "xyz"}, {"limit": "10001"}, {"limit": "-1"}, {"cursor": "x"}, {"start": "yesterday"}):
    status, said = get(**bad)
    equal((status, said["errorType"]), (400, "bad_data"), bad)
equal(s.request("POST", "/api/v1/alerting/history")[0], 405, "POST")

step("from a terminal")
p = subprocess.run([VARVE, "alert", "history", f"--url=http://127.0.0.1:{s.port}", "--type=notification_failed,silence_created", "--limit=50"],
                   capture_output=True, text=True, timeout=60)
equal(p.returncode, 0, p.stderr)
check("silence_created" in p.stdout and "403" in p.stdout and "author=me" in p.stdout and "alert_firing" not in p.stdout, p.stdout)
p = subprocess.run([VARVE, "alert", "history", f"--url=http://127.0.0.1:{s.port}", "--output=json", "--limit=1", "alertname=Up"], capture_output=True,
                   text=True, timeout=60)
equal(len(json.loads(p.stdout)["data"]["events"]), 1, "JSON")
equal(subprocess.run([VARVE, "alert", "history", f"--url=http://127.0.0.1:{s.port}", "--type=x"], capture_output=True, timeout=60).returncode, 1, "bad")

step("killed: what was written is there, behind a torn tail, too")
time.sleep(1.5)
want = events(limit=10000)
s.kill()
with open(max(glob.glob(s.data + "/notify/history/*")), "ab") as f:
    f.write(b"\x40\x00\x00\x00torn")
s = Server(data=s.data, flags=FLAGS)
equal([e for e in events(limit=10000) if int(e["seq"]) <= int(want[0]["seq"])], want, "all of it")
post("alerts", [{"labels": {"alertname": "Again"}}])
until("it goes on", lambda: events(matcher="alertname=Again"))
_, _, metrics = s.request("GET", "/metrics")
check(b"varve_alert_history_dropped_total 0" in metrics and b"varve_alert_history_damaged_bytes 0" in metrics, "metrics")
equal(s.stop(), 0, "exit status")
check(SECRET.encode() not in b"".join(open(p, "rb").read() for p in glob.glob(s.data + "/notify/history/*")), "a secret is in the files")

step("without one")
s = Server(flags=FLAGS + ["--alertmanager.history-retention=0s"])
equal(get()[0], 404, "it is not kept")
check(not os.path.exists(s.data + "/notify/history"), "nor is there a directory")
s.stop()
s = Server(flags=FLAGS + ["--alertmanager.history-size=1000"], wait=False)
check(s.process.wait(20) != 0 and "history-size" in s.log(), s.log())
print("ok")
