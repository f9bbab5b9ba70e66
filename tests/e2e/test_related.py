"""What began with an incident: alerts of its service, of the labels it is grouped by, those that inhibit it; from the API and a terminal."""
from alert_lib import *

d, receiver = folder(), Receiver()
JSON = {"Content-Type": "application/json"}
am, ext = os.path.join(d, "am.yml"), os.path.join(d, "ext.yml")


def taken(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "0")
    handler.end_headers()
    return True


receiver.ways = {"people": taken}
with open(am, "w") as f:
    f.write(f"""route: {{receiver: people, group_by: [cluster], group_wait: 0s, group_interval: 1s, routes: [{{receiver: quiet, matchers: [severity=low]}}]}}
receivers:
- {{name: people, webhook_configs: [{{url: 'http://127.0.0.1:{receiver.port}/people/x'}}]}}
- {{name: quiet}}
inhibit_rules: [{{source_matchers: [alertname=Power], target_matchers: [alertname=Disk], equal: [rack]}}]
""")
with open(ext, "w") as f:
    f.write("escalation_policies: [{name: p, levels: [{}]}]\nescalation_bindings: [{matchers: [severity=page], policy: p}]\n")
s = Server(flags=[f"--alertmanager.config-file={am}", f"--alertmanager.extensions-file={ext}"])


def post(*alerts, ends=3600, starts=0):
    at = lambda t: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + t))
    body = [{"labels": dict(zip(("alertname", "severity", "service", "cluster", "rack"), a)), "startsAt": at(starts), "endsAt": at(ends)} for a in alerts]
    equal(s.request("POST", "/api/v2/alerts", json.dumps(body), JSON)[0], 200, "alerts")


def incident(id):
    status, said = s.api(f"alerting/incidents/{id}")
    equal(status, 200, said)
    return said["data"]


def varve(*args):
    p = subprocess.run([VARVE, "alert", *args, f"--url=http://127.0.0.1:{s.port}"], capture_output=True, text=True, timeout=30)
    equal(p.returncode, 0, p.stderr)
    return p.stdout


def names(data):
    return [(a["because"], a["labels"]["alertname"], a["state"]) for a in data["related"]["alerts"]]


step("an incident, and what is related to it")
post(("Old", "low", "shop", "b"), starts=-600)
post(("Power", "low", "", "b", "7"), ("Slow", "low", "shop", "b"), ("Over", "low", "shop", "b"))
post(("Over", "low", "shop", "b"), starts=-60, ends=-1)
post(("Down", "page", "shop", "c"), ("Disk", "page", "shop", "c", "7"))
post(("Sibling", "low", "other", "c"), ("Stranger", "low", "other", "b"))
until("people are told", lambda: receiver.of("people"))
id = until("the incident", lambda: s.api("alerting/incidents")[1]["data"])[0]["id"]
until("the history knows", lambda: s.api("alerting/history", type="notification_sent")[1]["data"]["events"])
one = incident(id)
equal((one["id"], one["state"], one["labels"]["service"]), (id, "open", "shop"), "the incident")
equal((sorted(names(one)), one["related"]["more"], one["related"]["complete"]),
      ([("group", "Sibling", "firing"), ("inhibits", "Power", "firing"), ("service", "Over", "resolved"), ("service", "Slow", "firing")], 0, True), "related")
equal(s.api("alerting/incidents/0123456789abcdef")[0], 404, "another")
equal(s.request("GET", f"/api/v1/alerting/incidents/{id}/ack")[0], 405, "other routes are as they were")

step("by alert, in the history")
down = next(e for e in s.api("alerting/history", type="alert_firing", matcher="alertname=Down")[1]["data"]["events"])["fingerprints"][0]
events = lambda **params: s.api("alerting/history", **params)[1]["data"]["events"]
equal(sorted(e["labels"]["alertname"] for e in events(related=down, type="alert_firing")), ["Disk", "Down", "Old", "Over", "Sibling", "Slow"], "firing")
page = s.api("alerting/history", related=down, type="alert_firing", limit=2)[1]["data"]
rest = events(related=down, type="alert_firing", cursor=page["nextCursor"])
equal((len(page["events"]), len(rest)), (2, 4), "pages")
equal(s.api("alerting/history", related="0123456789abcdef")[0], 404, "unknown")
equal(s.api("alerting/history", related="x")[0], 400, "no fingerprint")

step("from a terminal")
said = varve("incidents", id)
check(id in said and "inhibits" in said and 'alertname="Sibling"' in said and "Stranger" not in said, said)
check("Slow" in varve("history", f"--related={down}") and "Stranger" not in varve("history", f"--related={down}"), "history")
equal(json.loads(varve("incidents", id, "--output=json"))["data"]["id"], id, "json")
check(id in varve("incidents"), "the list")

step("when it is over")
post(("Down", "page", "shop", "c"), ("Disk", "page", "shop", "c", "7"), starts=-60, ends=-1)
until("it is resolved", lambda: incident(id)["state"] == "resolved")
check(("service", "Slow", "firing") in names(incident(id)), incident(id))
check(not any(n in ("Down", "Disk") for _, n, _ in names(incident(id))), incident(id))
equal(s.stop(), 0, "stop")
print("ok")
