"""Escalation: the second level is told a little later, through kill -9; an acknowledgement stops it; the end reaches the
levels that were reached and no other."""
from alert_lib import *

d = folder()
am_path, ext_path, tokens = (os.path.join(d, name) for name in ("alertmanager.yml", "ext.yml", "tokens"))
receiver = Receiver()
JSON = {"Content-Type": "application/json"}
BELOW = "/api/v1/alerting/incidents"


NAMES = ("one", "two", "three")
receiver.ways = {name: status_ok for name in NAMES}
put(am_path, """route: {receiver: one, group_by: [alertname], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}
receivers:
""" + "".join(f"- {{name: {n}, webhook_configs: [{{url: 'http://127.0.0.1:{receiver.port}/{n}/hook'}}]}}\n" for n in NAMES))
EXT = """escalation_policies:
- {name: p, levels: [{}, {receivers: [two], after: 2s}, {receivers: [three], after: 6s}]}
escalation_bindings: [{matchers: [severity=critical], policy: p}]
"""
put(ext_path, EXT)
FLAGS = [f"--alertmanager.config-file={am_path}", f"--alertmanager.extensions-file={ext_path}", "--alertmanager.start-delay=1s"]
s = Server(flags=FLAGS)


def alert(name, ends=None):
    now = time.time()
    at = lambda t: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(t))
    a = {"labels": {"alertname": name, "severity": "critical"}, "startsAt": at(now - 1), "endsAt": at(now + 3600)}
    if ends:
        a["endsAt"] = at(now - 1)
        a["startsAt"] = at(now - 100)
    equal(s.request("POST", "/api/v2/alerts", json.dumps([a]), JSON)[0], 200, "alert taken")


def told(to, name):
    """[(time, status)] of a group, in order."""
    all_ = [(at, json.loads(body)) for at, _, body in receiver.of(to)]
    return [(at, m["status"]) for at, m in all_ if m["groupLabels"] == {"alertname": name}]


def noted():
    """Notifications of webhooks that the server knows were sent."""
    text = s.request("GET", "/metrics")[2].decode()
    return int(float(text.split('alertmanager_notifications_total{integration="webhook"} ')[1].split()[0]))


def incidents(query=""):
    status, _, body = s.request("GET", BELOW + query)
    equal(status, 200, body)
    return json.loads(body)["data"]


def change(id_, what, body=None, status=200):
    got, _, text = s.request("POST", f"{BELOW}/{id_}/{what}", json.dumps(body) if body is not None else None, JSON)
    equal(got, status, text)
    return json.loads(text)


step("a level 2 receiver is told 2 s later")
alert("a")
until("the first level", lambda: told("one", "a"))
until("the second level", lambda: told("two", "a"))
took = told("two", "a")[0][0] - told("one", "a")[0][0]
check(1.8 < took < 5, f"{took:.2f} s")
incident, = incidents()
equal((incident["state"], incident["policy"], incident["level"], incident["labels"], incident["firing"]),
      ("open", "p", 2, {"alertname": "a", "severity": "critical"}, 1), "incident")
equal([level["receivers"] for level in incident["levels"]], [["one"], ["two"], ["three"]], "levels")

step("an acknowledgement stops it")
id_ = incident["id"]
change(id_, "ack", {"comment": "who?"}, 400)
change(id_, "ack", {"by": "ann", "whom": "x"}, 400)
change(id_, "ack", {"by": "ann", "expires": "soon"}, 400)
change("0" * 16, "ack", {"by": "ann"}, 404)
equal(s.request("POST", f"{BELOW}/{id_}/close")[0], 405, "no such change")
change(id_, "unack", status=409)
acked = change(id_, "ack", {"by": "ann", "comment": "on it"})["data"]
equal((acked["state"], acked["acknowledgement"]["by"], acked["nextLevelAt"]), ("acked", "ann", None), "acknowledged")
equal(len(incidents("?state=acked&matcher=alertname%3D%22a%22")), 1, "found by state and label")
equal(incidents("?state=open") + incidents("?matcher=alertname%3D%22b%22"), [], "not found")
equal(s.request("GET", BELOW + "?state=x")[0], 400, "no such state")

def alert_command(*args, status=0):
    p = subprocess.run([VARVE, "alert", *args[:1], f"--url=http://127.0.0.1:{s.port}", *args[1:]], capture_output=True, text=True)
    equal(p.returncode, status, p.stderr)
    return p.stdout + p.stderr


check(id_ in alert_command("incidents", "--state=acked") and "ann" in alert_command("incidents"), "listed")
check(id_ not in alert_command("incidents", "--state=open"), "only open ones")
alert_command("ack", "--by=eve", "--comment=on it", id_)
equal(json.loads(alert_command("incidents", "--output=json"))["data"][0]["acknowledgement"]["by"], "eve", "said anew")
check("404" in alert_command("ack", "--by=eve", "0" * 16, status=1), "unknown")

step("kill -9 between levels")
alert("b")
until("the first level of another", lambda: told("one", "b"))
# what was sent is noted on disk before it is counted; a kill before that may tell it again
until("all that was told is noted", lambda: noted() >= sum(len(receiver.of(name)) for name in receiver.posts))
s.kill()
s = Server(data=s.data, flags=FLAGS)
until("its second level", lambda: told("two", "b"))
equal(len(told("one", "b")), 1, "the first level was told once")
other, = incidents("?matcher=alertname%3D%22b%22")
change(other["id"], "escalate")
until("its third level, by hand", lambda: told("three", "b"))
change(other["id"], "escalate", status=409)
equal(told("three", "a"), [], "who was acknowledged does not escalate")
equal(incidents("?state=acked")[0]["acknowledgement"]["comment"], "on it", "acknowledged after kill -9")

step("the end reaches the levels that were reached")
alert("a", ends=True)
alert("b", ends=True)
for to, name in (("one", "a"), ("two", "a"), ("one", "b"), ("two", "b"), ("three", "b")):
    until(f"{to} is told of the end of {name}", lambda: told(to, name)[-1][1] == "resolved")
    equal([x[1] for x in told(to, name)], ["firing", "resolved"], f"{name} as {to} has it")
equal(told("three", "a"), [], "a level that was not reached")
until("both are over", lambda: len(incidents("?state=resolved")) == 2)
change(id_, "ack", {"by": "ann"}, 409)
_, _, metrics = s.request("GET", "/metrics")
for line in (b'varve_alert_incidents{state="resolved"} 2', b'varve_alert_escalations_total{level="3",policy="p"} 1'):
    check(line in metrics, f"{line} is not in the metrics")

step("both files are taken over together or not at all")
put(ext_path, EXT.replace("[three]", "[nobody]"))
status, _, body = s.request("POST", "/-/reload")
check(status == 500 and b"nobody" in body and b"ext.yml:2:" in body, f"{status} {body!r}")
put(ext_path, EXT.replace("2s", "3s"))
equal(s.request("POST", "/-/reload")[0], 200, "reload")
equal(s.stop(), 0, "exit status")
print("ok")
