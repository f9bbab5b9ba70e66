"""Webhooks that PagerDuty and OpsGenie send: what is done with their buttons is done here, once; forged, repeated, foreign
and broken ones are told apart; the history knows who did what."""
import hashlib
import hmac

from alert_lib import *

SECRET, OLD_SECRET, TOKEN = b"pagerduty-signing-secret", b"the-one-before", "opsgenie-token"
d = folder()
am_path, ext_path = os.path.join(d, "am.yml"), os.path.join(d, "ext.yml")
receiver = Receiver()
receiver.ways = {"one": status_ok}
put(am_path, f"""route: {{receiver: r, group_by: [alertname], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}
receivers: [{{name: r, webhook_configs: [{{url: 'http://127.0.0.1:{receiver.port}/one/hook'}}]}}]
""")
EXT = """escalation_policies: [{name: p, levels: [{}, {receivers: [r], after: 1h}]}]
escalation_bindings: [{matchers: [severity=critical], policy: p}]
"""
put(ext_path, EXT + "acknowledgements: {inbound: {pagerduty_webhook_secret_file: pd.key, opsgenie_webhook_token_file: og.key}}\n")
put(os.path.join(d, "pd.key"), SECRET.decode() + "\n")
put(os.path.join(d, "og.key"), TOKEN + "\n")
put(os.path.join(d, "tokens"), f"tokens: [{{name: ops, sha256: {hashlib.sha256(b'ops').hexdigest()}, scopes: [read, write, admin, metrics]}}]\n")
AUTH = {"Authorization": "Bearer ops"}
s = Server(wait=False, flags=[f"--alertmanager.config-file={am_path}", f"--alertmanager.extensions-file={ext_path}",
                              f"--web.token-file={d}/tokens", "--web.open-health"])


def is_up():
    try:
        return s.request("GET", "/health/ready")[0] == 200
    except OSError:
        return False


until("the server is up", is_up)
rfc3339 = lambda t: time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(t)) + f".{int(t % 1 * 1000):03d}Z"


def alert(name, ends=False):
    now = time.time()
    a = {"labels": {"alertname": name, "severity": "critical"}, "startsAt": rfc3339(now - 100 if ends else now - 1),
         "endsAt": rfc3339(now - 1 if ends else now + 3600)}
    equal(s.request("POST", "/api/v2/alerts", json.dumps([a]), {"Content-Type": "application/json", **AUTH})[0], 200, "taken")


def incident(name):
    got = json.loads(s.request("GET", f"/api/v1/alerting/incidents?matcher=alertname%3D{name}", headers=AUTH)[2])["data"]
    return got[0] if got else None


def key(name):
    return hashlib.sha256(incident(name)["groupKey"].encode()).hexdigest()


def pagerduty(body, secrets=(SECRET,), status=200, headers=None):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    signatures = ",".join("v1=" + hmac.new(k, raw, hashlib.sha256).hexdigest() for k in secrets)
    got, _, text = s.request("POST", "/api/v1/alerting/inbound/pagerduty", raw,
                             {"Content-Type": "application/json", "X-PagerDuty-Signature": signatures, **(headers or {})})
    equal(got, status, text)
    return json.loads(text)["data"] if status == 200 else text


def event(kind, of, at=None, who="Tenex Engineer"):
    time.sleep(0.003)  # two things done in one millisecond are one
    return {"event": {"id": "01ABC", "event_type": "incident." + kind, "resource_type": "incident",
                      "occurred_at": rfc3339(at or time.time()), "agent": {"summary": who, "type": "user_reference"}, "client": None,
                      "data": {"id": "PGR0VU2", "type": "incident", "status": kind, "incident_key": of, "title": "x"}}}


def opsgenie(action, alias, headers=None, query="", status=200, at=None):
    time.sleep(0.003)
    body = {"source": {"name": "", "type": "web"}, "action": action, "integrationName": "I",
            "alert": {"alias": alias, "username": "fili@x.org", "updatedAt": int((at or time.time()) * 1e9)}}
    got, _, text = s.request("POST", "/api/v1/alerting/inbound/opsgenie" + query, json.dumps(body), headers or {})
    equal(got, status, text)
    return json.loads(text)["data"] if status == 200 else text


step("PagerDuty: acknowledged, told again, taken back")
alert("a")
until("an incident", lambda: incident("a"))
a = key("a")
first = event("acknowledged", a)
got = pagerduty(first)
equal((got["event"], got["result"], got["incident"]), ("incident.acknowledged", "acknowledged", incident("a")["id"]), "done")
ack = incident("a")["acknowledgement"]
equal((incident("a")["state"], ack["by"], ack["via"]), ("acked", "Tenex Engineer", "pagerduty"), "acknowledged")
equal(pagerduty(first)["result"], "old", "sent again")
equal(pagerduty(event("resolved", a))["result"], "noted", "resolved there")
equal(incident("a")["state"], "acked", "resolved there, firing here")
equal(pagerduty(event("unacknowledged", a))["result"], "unacknowledged", "taken back")
equal(pagerduty(first)["result"], "old", "a recorded one")
equal(incident("a")["state"], "open", "after a recorded one")
for kind in ("reopened", "reassigned", "triggered"):
    equal(pagerduty(event(kind, a))["result"], "ignored", kind)
equal(pagerduty({"event": {"event_type": "pagey.ping", "data": {"message": "Hello"}}})["result"], "ignored", "ping")

step("PagerDuty: who does not have the secret, and what cannot be understood")
pagerduty(event("acknowledged", a), (b"forged",), 403)
pagerduty(event("acknowledged", a), (), 403)
pagerduty(b"{", status=400)
pagerduty(b"[" * 100000, status=400)
pagerduty({"event": {}}, status=400)
equal(s.request("POST", "/api/v1/alerting/inbound/pagerduty", b"x" * 300000, {"X-PagerDuty-Signature": "v1=00"})[0], 413, "too large")
equal(s.request("GET", "/api/v1/alerting/inbound/pagerduty")[0], 405, "GET")
equal(pagerduty(event("acknowledged", "0" * 64))["result"], "no such incident", "another service's")
equal(pagerduty(event("acknowledged", None))["result"], "no such incident", "without a key")
equal(incident("a")["state"], "open", "nothing came of it")

step("PagerDuty: secrets are exchanged without a gap")
pagerduty(event("acknowledged", "0" * 64), (OLD_SECRET, SECRET))
put(os.path.join(d, "pd.key"), "new-signing-secret\n" + SECRET.decode() + "\n")
equal(s.request("POST", "/-/reload", headers=AUTH)[0], 200, "reload")
pagerduty(event("acknowledged", "0" * 64), (SECRET,))
pagerduty(event("acknowledged", "0" * 64), (b"new-signing-secret",))

step("OpsGenie: its token may come in three ways")
equal(opsgenie("Acknowledge", a, {"Authorization": f"Bearer {TOKEN}"})["result"], "acknowledged", "Authorization")
equal((incident("a")["acknowledgement"]["by"], incident("a")["acknowledgement"]["via"]), ("fili@x.org", "opsgenie"), "by")
equal(opsgenie("Acknowledge", a, {"X-OpsGenie-Token": TOKEN})["result"], "no change", "a header")
equal(opsgenie("UnAcknowledge", a, query=f"?token={TOKEN}")["result"], "unacknowledged", "the URL")
equal(opsgenie("Close", a, query=f"?token={TOKEN}")["result"], "noted", "Close")
equal(opsgenie("Create", a, query=f"?token={TOKEN}")["result"], "ignored", "Create")
opsgenie("Acknowledge", a, status=403)
opsgenie("Acknowledge", a, AUTH, status=403)
opsgenie("Acknowledge", a, query="?token=opsgenie-toke", status=403)
equal(incident("a")["state"], "open", "nothing came of it")

step("what was before the incident is about another one")
equal(opsgenie("Acknowledge", a, query=f"?token={TOKEN}", at=time.time() - 600)["result"], "old", "ten minutes ago")
equal(pagerduty(event("acknowledged", a))["result"], "acknowledged", "now")
alert("a", ends=True)
until("the end", lambda: incident("a")["state"] == "resolved")
equal(pagerduty(event("unacknowledged", a))["result"], "no such incident", "after the end")

step("the history knows")
body = json.loads(s.request("GET", "/api/v1/alerting/history?type=acked&type=unacked", headers=AUTH)[2])["data"]["events"]
said = [(e["type"], e["reason"], e["by"]) for e in body]
equal(said, [("acked", "pagerduty", "Tenex Engineer"), ("unacked", "opsgenie", "fili@x.org"), ("acked", "opsgenie", "fili@x.org"),
             ("unacked", "pagerduty", "Tenex Engineer"), ("acked", "pagerduty", "Tenex Engineer")], "newest first")
equal({(e["id"], e["labels"]["alertname"]) for e in body}, {(incident("a")["id"], "a")}, "of the incident")

metrics = s.request("GET", "/metrics", headers=AUTH)[2].decode()
for via, count in (("pagerduty", 2), ("opsgenie", 1), ("api", 0)):
    check(f'varve_alert_acknowledgements_total{{via="{via}"}} {count}' in metrics, f"{via} in the metrics")

step("forged ones are bounded; without a secret there is no such thing")
codes = set()
for i in range(130):
    raw = b"{}"
    codes.add(s.request("POST", "/api/v1/alerting/inbound/pagerduty", raw, {"X-PagerDuty-Signature": "v1=" + f"{i:064x}"})[0])
equal(codes, {403, 429}, "codes")
pagerduty(event("acknowledged", "0" * 64))
put(ext_path, EXT + "acknowledgements: {inbound: {opsgenie_webhook_token_file: og.key}}\n")
equal(s.request("POST", "/-/reload", headers=AUTH)[0], 200, "reload")
pagerduty(event("acknowledged", a), status=404)
for secret in (SECRET.decode(), TOKEN):
    check(secret not in s.log(), "a secret is in the log")
equal(s.stop(), 0, "exit status")
print("ok")
