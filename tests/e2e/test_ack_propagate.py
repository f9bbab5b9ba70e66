"""propagate: true -- who was told of an incident hears that it was acknowledged: PagerDuty and OpsGenie as an acknowledgement
of theirs, Slack and webhooks as a message; a provider that is down through a kill -9 hears of it later; loops end."""
import hashlib
import hmac

from alert_lib import *

d = folder()
am_path, ext_path = os.path.join(d, "am.yml"), os.path.join(d, "ext.yml")
receiver = Receiver()
answers = {}  # name: status


def way(name):
    def answer(handler):
        body = b"ok" if name == "slack" else b"{}"
        handler.send_response(answers.get(name, 200))
        if name == "app":  # chat.postMessage makes a message, chat.update is about one
            body = json.dumps({"ok": True, "channel": "C1", "ts": f"{len(receiver.posts[name])}.1"}).encode()
            handler.send_header("Content-Type", "application/json; charset=utf-8")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)
        receiver.posts[name][-1] = (*receiver.posts[name][-1], handler.path)
        return True
    return answer


receiver.ways = {name: way(name) for name in ("pd", "og", "slack", "hook", "app")}
base = f"http://127.0.0.1:{receiver.port}"
put(am_path, f"""route: {{receiver: all, group_by: [alertname], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}
receivers:
- name: all
  pagerduty_configs: [{{routing_key: routing-key, url: '{base}/pd/v2/enqueue'}}]
  opsgenie_configs: [{{api_key: og-key, api_url: '{base}/og/'}}]
  slack_configs: [{{api_url: '{base}/slack/hook', channel: '#ops'}}]
- {{name: app, slack_configs: [{{app_token: xoxb-1, app_url: '{base}/app/chat.postMessage', channel: '#ops', update_message: true,
                               send_resolved: true}}]}}
- {{name: later, webhook_configs: [{{url: '{base}/hook/'}}]}}
""")
put(ext_path, """escalation_policies:
- {name: p, levels: [{}, {receivers: [later], after: 1s}]}
- {name: slack, levels: [{receivers: [app]}]}
escalation_bindings: [{matchers: [alertname=s], policy: slack}, {matchers: [severity=critical], policy: p}]
acknowledgements: {propagate: true, inbound: {pagerduty_webhook_secret_file: pd.key}}
""")
put(os.path.join(d, "pd.key"), "signing-secret\n")
FLAGS = [f"--alertmanager.config-file={am_path}", f"--alertmanager.extensions-file={ext_path}", "--alertmanager.start-delay=1s"]
s = Server(flags=FLAGS)
rfc3339 = lambda t: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(t))


def alert(name, ends=False):
    now = time.time()
    a = {"labels": {"alertname": name, "severity": "critical"}, "startsAt": rfc3339(now - 100 if ends else now - 1),
         "endsAt": rfc3339(now - 1 if ends else now + 3600)}
    equal(s.request("POST", "/api/v2/alerts", json.dumps([a]), {"Content-Type": "application/json"})[0], 200, "taken")


def incident(name):
    return json.loads(s.request("GET", f"/api/v1/alerting/incidents?matcher=alertname%3D{name}")[2])["data"][0]


def change(name, what, body=None):
    got, _, text = s.request("POST", f"/api/v1/alerting/incidents/{incident(name)['id']}/{what}",
                             json.dumps(body) if body else None, {"Content-Type": "application/json"})
    equal(got, 200, text)


def key(name):
    return hashlib.sha256(incident(name)["groupKey"].encode()).hexdigest()


def bodies(to):
    return [json.loads(post[2]) for post in receiver.of(to)]


def paths(to):
    return [post[3] for post in receiver.of(to) if len(post) > 3]


acks_of = {
    "pd": lambda name: [b for b in bodies("pd") if b["event_action"] == "acknowledge" and b["dedup_key"] == key(name)],
    "og": lambda name: [p for p in paths("og") if f"/{key(name)}/acknowledge?" in p],
    "slack": lambda name: [b for b in bodies("slack") if b["attachments"][0]["text"].startswith("Acknowledged") and name in b["attachments"][0]["title"]],
    "hook": lambda name: [b for b in bodies("hook") if b.get("acknowledgement") and b["groupLabels"] == {"alertname": name}],
}

step("everybody who was told of it")
alert("a")
until("both levels", lambda: len(bodies("hook")) == 1 and len(bodies("pd")) == 1 and len(bodies("og")) == 1)
change("a", "ack", {"by": "ann", "comment": "on it"})
for to in acks_of:
    until(f"{to} hears of it", lambda: acks_of[to]("a"))
equal(acks_of["pd"]("a"), [{"routing_key": "routing-key", "dedup_key": key("a"), "event_action": "acknowledge"}], "PagerDuty")
equal(bodies("og")[-1]["user"], "ann", "OpsGenie")
equal(acks_of["slack"]("a")[0]["attachments"][0]["text"], "Acknowledged by ann: on it", "Slack")
hook, = acks_of["hook"]("a")
equal((hook["status"], hook["notification_reason"], hook["incident"], hook["acknowledgement"]["by"]),
      ("firing", "acknowledged", incident("a")["id"], "ann"), "webhook")

step("their own webhook about it changes nothing and goes nowhere")
raw = json.dumps({"event": {"event_type": "incident.acknowledged", "occurred_at": rfc3339(time.time() + 1), "agent": {"summary": "integration"},
                            "data": {"incident_key": key("a")}}}).encode()
sign = "v1=" + hmac.new(b"signing-secret", raw, hashlib.sha256).hexdigest()
got = s.request("POST", "/api/v1/alerting/inbound/pagerduty", raw, {"X-PagerDuty-Signature": sign})
equal(json.loads(got[2])["data"]["result"], "no change", "an echo")
equal(incident("a")["acknowledgement"]["by"], "ann", "who said so here")

step("it is taken back")
time.sleep(1.1)
change("a", "unack")
until("OpsGenie hears of it", lambda: any(f"/{key('a')}/unacknowledge?" in p for p in paths("og")))
until("the webhook hears of it", lambda: [b for b in bodies("hook") if b["notification_reason"] == "acknowledgement ended"])
equal(bodies("hook")[-1]["acknowledgement"], None, "none")
for to in acks_of:
    equal(len(acks_of[to]("a")), 1, f"{to} was told once")
alert("a", ends=True)

step("who is down hears of it later, also after kill -9")
alert("b")
until("both levels", lambda: [b for b in bodies("hook") if b["groupLabels"] == {"alertname": "b"}] and incident("b")["level"] == 2
      and [b for b in bodies("pd") if b["dedup_key"] == key("b")])
noted = lambda: int(float(s.request("GET", "/metrics")[2].decode().split('alertmanager_notifications_total{integration="webhook"} ')[1].split()[0]))
until("that is noted", lambda: noted() >= len(bodies("hook")))
answers.update(pd=500, og=500)
change("b", "ack", {"by": "bea"})
until("PagerDuty refuses", lambda: acks_of["pd"]("b"))
until("others know", lambda: acks_of["hook"]("b") and acks_of["slack"]("b"))
until("that is noted", lambda: noted() >= len(bodies("hook")))
s.kill()
before = len(acks_of_pd := [b for b in bodies("pd") if b["event_action"] == "acknowledge"])
answers.clear()
s = Server(data=s.data, flags=FLAGS)
until("PagerDuty hears of it", lambda: len([b for b in bodies("pd") if b["event_action"] == "acknowledge"]) > before)
until("OpsGenie hears of it", lambda: acks_of["og"]("b"))
equal(incident("b")["acknowledgement"]["by"], "bea", "who")
equal(len(acks_of["hook"]("b")), 1, "who knew is not told again")

step("Slack's update_message: one message from the beginning to the end, also after kill -9")
sent = lambda: sum(float(line.split()[1]) for line in s.request("GET", "/metrics")[2].decode().splitlines()
                   if line.startswith('alertmanager_notifications_total{integration="slack"}'))
before = sent()
alert("s")
until("Slack", lambda: len(paths("app")) == 1)
equal((paths("app"), "ts" in bodies("app")[0]), (["/app/chat.postMessage"], False), "the first is new")
until("that is noted", lambda: sent() > before)
s.kill()
s = Server(data=s.data, flags=FLAGS)
change("s", "ack", {"by": "ann"})
until("Slack hears of it", lambda: len(paths("app")) == 2)
got = bodies("app")[1]
equal((paths("app")[1], got["channel"], got["ts"]), ("/app/chat.update", "C1", "1.1"), "it is changed")
equal([a["text"] for a in got["attachments"]], ["", "Acknowledged by ann"], "who")
alert("s", ends=True)
until("Slack hears of the end", lambda: len(paths("app")) >= 3)
equal((paths("app")[-1], bodies("app")[-1]["attachments"][0]["color"], len(bodies("app")[-1]["attachments"])),
      ("/app/chat.update", "good", 1), "the end")

step("the history has it among the notifications")
events = json.loads(s.request("GET", "/api/v1/alerting/history?type=notification_sent")[2])["data"]["events"]
check({"acknowledged", "acknowledgement ended"} <= {e["reason"] for e in events}, f"{[e['reason'] for e in events]}")
equal(s.stop(), 0, "exit status")
print("ok")
