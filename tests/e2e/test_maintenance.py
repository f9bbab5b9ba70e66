"""Maintenance windows on a real server: what one mutes, lets pass and tells of itself, through kill -9; an override that
holds; windows made ad hoc from a terminal."""
import hashlib

from alert_lib import *

d = folder()
am_path, ext_path = os.path.join(d, "alertmanager.yml"), os.path.join(d, "ext.yml")
receiver = Receiver()
BELOW = "/api/v1/alerting/maintenance"
JSON = {"Content-Type": "application/json"}


def at(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


receiver.ways = {name: status_ok for name in ("pager", "ops")}
put(am_path, """route: {receiver: pager, group_by: [alertname], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}
receivers:
""" + "".join(f"- {{name: {n}, webhook_configs: [{{url: 'http://127.0.0.1:{receiver.port}/{n}/hook'}}]}}\n" for n in ("pager", "ops")))
start_s = int(time.time()) + 5
put(ext_path, f"""maintenance_windows:
- name: db patching
  matchers: ['service="db"']
  starts_at: {at(start_s)}
  ends_at: {at(start_s + 600)}
  comment: weekly
  created_by: dba
  override_matchers: ['override="true"']
  notify: {{receivers: [ops], before: 2s, on_start: true, on_end: true}}
""")
FLAGS = [f"--alertmanager.config-file={am_path}", f"--alertmanager.extensions-file={ext_path}", "--alertmanager.start-delay=0s"]
check_args = [VARVE, "check", "alertmanager", f"--extensions-file={ext_path}", am_path]
checked = subprocess.run(check_args, capture_output=True, text=True, timeout=60, check=False)
equal(checked.returncode, 0, f"{checked.stdout}{checked.stderr}")
s = Server(flags=FLAGS)
ENV = {**os.environ, "USER": "bob", "TZ": "UTC"}


def varve(*argv, status=0):
    p = subprocess.run([VARVE, "alert", "maintenance", *argv, f"--url=http://127.0.0.1:{s.port}"], capture_output=True,
                       text=True, timeout=60, check=False, env=ENV)
    equal(p.returncode, status, f"{argv}: {p.stdout}{p.stderr}")
    return p.stdout + p.stderr


def request(method, path, body=None, status=200):
    got, _, answer = s.request(method, path, None if body is None else json.dumps(body), JSON)
    equal(got, status, f"{method} {path}: {answer!r}")
    return json.loads(answer)


def windows():
    return {w["name"]: w for w in request("GET", BELOW)["data"]}


def silences():
    return [x for x in request("GET", "/api/v2/silences") if x["status"]["state"] == "active"]


def alert(name, ends=False, **labels):
    post = [{"labels": {"alertname": name, **labels}, **({"endsAt": at(time.time())} if ends else {"endsAt": at(time.time() + 600)})}]
    status, _, body = s.request("POST", "/api/v2/alerts", json.dumps(post), JSON)
    equal(status, 200, body)


def told(name):
    """What the pager was told of an alert: firing and resolved, in order."""
    posts = [json.loads(body) for _, _, body in receiver.of("pager")]
    return [p["status"] for p in posts if p["alerts"][0]["labels"]["alertname"] == name]


def notices():
    """Titles the operators were told."""
    return [json.loads(body)["alerts"][0]["annotations"]["summary"] for _, _, body in receiver.of("ops")]


def restart():
    global s
    time.sleep(0.7)  # the history is written every half second
    s.kill()
    s = Server(data=s.data, flags=FLAGS)


step("before: people are told of alerts, and of what is to come")
equal(windows()["db patching"]["state"], "scheduled", "state")
alert("known", service="db")
until("the pager is told", lambda: told("known"))
until("operators are told before", lambda: notices())
check(time.time() < start_s, "in time")
when = time.strftime("%Y-%m-%d %H:%M", time.gmtime(start_s))
check(notices()[0].startswith(f"Maintenance db patching begins at {when}"), notices())

step("it begins in time, as a silence that everybody sees")
until("operators are told of the start", lambda: len(notices()) == 2)
check(start_s <= time.time() < start_s + 1.5, f"{time.time() - start_s} s behind its start")
check(notices()[1].startswith("Maintenance db patching has begun, until "), notices())
one, = silences()
equal((one["comment"], one["createdBy"], one["annotations"]), ("maintenance window db patching: weekly", "dba", {"maintenance_window": "db patching"}), "silence")
equal(one["startsAt"][:19] + "Z", at(start_s), "its start")
equal(windows()["db patching"]["current"]["silences"], [one["id"]], "its silence")
alert("new", service="db")
alert("urgent", service="db", override="true")
until("what must never be muted is told", lambda: told("urgent"))

step("kill -9: it goes on, and is not announced again")
restart()
equal([x["id"] for x in silences()], [one["id"]], "the same silence")
equal(windows()["db patching"]["state"], "active", "state")
alert("new", service="db")
alert("urgent2", service="db", override="true")
until("still never muted", lambda: told("urgent2"))
alert("known", ends=True, service="db")
until("who was told of it is told of its end", lambda: told("known") == ["firing", "resolved"])
equal(told("new"), [], "what is muted")
equal(len(notices()), 2, "notices")
data, = [a for a in request("GET", "/api/v2/alerts?silenced=true") if a["labels"]["alertname"] == "new"]
equal(data["status"]["silencedBy"], [one["id"]], "silencedBy")
equal({str(a["status"]["silencedBy"]) for a in request("GET", "/api/v2/alerts") if "override" in a["labels"]}, {"[]"}, "spared")

step("an override ends it for good")
check("there is no maintenance window of that name" in varve("override", "nothing", status=1), "an unknown name")
request("POST", BELOW + "/db%20patching/override", {"reason": "x"}, 400)
equal(s.request("POST", BELOW + "/db%20patching/other", "{}", JSON)[0], 405, "another path")
request("DELETE", BELOW + "/db%20patching", status=409)
varve("override", "--reason=the site is down", "db patching")
until("what it held back is told", lambda: told("new"))
until("operators are told", lambda: len(notices()) == 3)
equal(notices()[2], "Maintenance db patching was overridden by bob", "notice")
request("POST", BELOW + "/db%20patching/override", {"by": "x"}, 409)
restart()
equal(s.request("POST", "/-/reload")[0], 200, "reload")
w = windows()["db patching"]
equal((w["state"], w["current"]["overriddenBy"], w["current"]["reason"]), ("overridden", "bob", "the site is down"), "after kill -9 and reload")
equal(silences(), [], "silences")

step("ad hoc, from a terminal")
varve("add", "--name=swap", "--comment=disk", "--duration=3s", "service=db", "x!=y")
table = varve()
check(all(word in table for word in ("swap", "active", "disk", "bob", 'service="db",x!="y"')), table)
varve("add", "--name=swap", "--duration=3s", "service=db", status=1)
varve("add", "--name=later", "--start=" + at(time.time() + 3600), "service=db")
equal(windows()["later"]["state"], "scheduled", "later")
varve("remove", "later")
check("later" not in windows(), "it is gone")
NEW = {"name": "z", "matchers": ["a=b"], "ends_at": at(time.time() + 9)}
for body, word in (({}, "name"), ({"name": "z"}, "matchers"), ({"name": "z", "matchers": ["a=b"]}, "ends_at"),
                   ({"name": "z", "matchers": ['a=~".*"'], "ends_at": at(time.time() + 9)}, "empty"), ({"nam": "z"}, "none of"),
                   ({"name": "z", "matchers": ["a=b"], "ends_at": at(time.time() - 9)}, "past"),
                   ({"name": "z", "matchers": ["a=b"], "matcher_sets": [["a=b"]]}, "two ways"),
                   ({"name": "z", "override_matchers": "a=b"}, "list"), ({"name": "z", "notify": "ops"}, "object"),
                   ({"name": "z", "notify": {"receivers": []}}, "list"), ({"name": "z", "notify": {"receivers": [1]}}, "text"),
                   ({"name": "z", "notify": {"before": 15}}, "duration"), ({"name": "z", "notify": {"on_start": 1}}, "true or false"),
                   ({"name": "z", "notify": {"at": 1}}, "none of"), ({"name": "z", "resend_on_end": "no"}, "true or false"),
                   ({**NEW, "notify": {"on_start": True}}, "who is told"), ({**NEW, "notify": {"receivers": ["nobody"]}}, "no receiver"),
                   ({**NEW, "override_matchers": []}, "1 to"),
                   ({"name": "z", "matchers": "a=b"}, "list"), ({"name": 1}, "text"), ({"name": "a/b"}, "slashes"), ([], "object")):
    check(word in request("POST", BELOW, body, 400)["error"], f"{body} is refused with a word of {word}")
alert("held", service="db")
restart()
alert("held", service="db")
equal(told("held"), [], "muted, and after kill -9")
until("told when it is over", lambda: told("held"))
equal(windows()["swap"]["state"], "over", "swap")

step("ad hoc, with words to people and what is never muted")
heard = len(notices())
made = request("POST", BELOW, {"name": "quick", "matchers": ["service=web"], "ends_at": at(time.time() + 600), "created_by": "ann",
                               "override_matchers": ["urgent=yes"], "notify": {"receivers": ["ops"], "before": "1m", "on_start": True, "on_end": True}})["data"]
equal((made["overrideMatchers"], made["notify"]), (['{urgent="yes"}'], {"receivers": ["ops"], "beforeSeconds": 60, "onStart": True, "onEnd": True}), "what it is")
until("operators are told of the start", lambda: len(notices()) == heard + 1)
check(notices()[heard].startswith("Maintenance quick has begun, until "), notices())
restart()
alert("web", service="web")
alert("web urgent", service="web", urgent="yes")
until("never muted", lambda: told("web urgent"))
equal(told("web"), [], "muted")
request("DELETE", BELOW + "/quick")
until("operators are told of the end", lambda: len(notices()) == heard + 2)
equal(notices()[heard + 1], "Maintenance quick is over", "notice")

step("the history and the metrics know")
events = request("GET", "/api/v1/alerting/history?type=maintenance_started&type=maintenance_ended&type=maintenance_overridden&limit=10")["data"]["events"]
equal([(e["type"], e["id"]) for e in events], [("maintenance_ended", "quick"), ("maintenance_started", "quick"),
      ("maintenance_ended", "swap"), ("maintenance_started", "swap"),
      ("maintenance_overridden", "db patching"), ("maintenance_started", "db patching")], "events")
equal((events[4]["by"], events[4]["reason"], events[5]["author"]), ("bob", "the site is down", "dba"), "what they say")
_, _, metrics = s.request("GET", "/metrics")
for line in (b'varve_alert_maintenance_windows{state="overridden"} 1', b'varve_alert_maintenance_windows{state="over"} 2',
             b'varve_alert_maintenance_events_total{event="ended"} 1'):
    check(line in metrics, f"{line} is not in the metrics")
put(ext_path, "maintenance_windows: []\n")
equal(s.request("POST", "/-/reload")[0], 200, "reload without it")
equal(sorted(windows()), ["quick", "swap"], "windows")
equal(s.stop(), 0, "exit status")

step("who may")
tokens = os.path.join(d, "tokens")
put(tokens, "tokens:\n" + "".join(f"- {{name: {x}, sha256: {hashlib.sha256(x.encode()).hexdigest()}, scopes: [{x}]}}\n"
                                  for x in ("read", "write", "admin")))
guarded = Server(flags=[*FLAGS, f"--web.token-file={tokens}", "--web.open-health"])
new = json.dumps({"name": "z", "matchers": ["a=b"], "ends_at": at(time.time() + 60)})
for method, path, body, want in (("GET", BELOW, None, {"read": 200, "write": 403}), ("POST", BELOW, new, {"read": 403, "write": 403, "admin": 200}),
                                 ("POST", BELOW + "/z/override", '{"by": "x"}', {"read": 403, "write": 403, "admin": 200}),
                                 ("DELETE", BELOW + "/z", None, {"read": 403, "write": 403, "admin": 200}),
                                 ("GET", "/api/v1/alerting/heartbeats", None, {"read": 200, "write": 403})):
    got = {token: guarded.request(method, path, body, {**JSON, "Authorization": f"Bearer {token}"})[0] for token in want}
    equal(got, want, f"{method} {path}")
equal(guarded.stop(), 0, "exit status")
print("ok")
