"""Alertmanager's API v2 beside Debian's Alertmanager with the same configuration: requests with whatever bodies and
parameters, amtool's commands, Prometheus as a sender, Grafana's calls.
"""
import json
import re

from alert_lib import *
from peers import Peer, prometheus, run

for program in ("prometheus", "prometheus-alertmanager", "amtool"):
    if not shutil.which(program):
        skip(f"this needs {program}")

CONFIG = """global: {resolve_timeout: 30m}
route:
  receiver: all
  group_wait: 1s
  group_by: [alertname]
  routes:
  - {receiver: team, matchers: [severity=~"a|b", 'team="foo"'], continue: true}
  - {receiver: nights, matchers: [team="muted"], mute_time_intervals: [ever]}
  - {receiver: bar, match_re: {team: 'foo|bar'}}
inhibit_rules: [{source_match: {sev: crit}, target_match: {sev: warn}, equal: [x]}]
time_intervals: [{name: ever, time_intervals: [{times: [{start_time: '00:00', end_time: '24:00'}]}]}]
receivers:
- name: all
- {name: team, pagerduty_configs: [{routing_key: hidden, url: 'http://127.0.0.1:1/x', http_config: {basic_auth: {username: u, password: covered}}}]}
- name: nights
- name: bar
"""
d = folder()
CONFIG_PATH = os.path.join(d, "am.yml")
with open(CONFIG_PATH, "w") as f:
    f.write(CONFIG)
am = Peer("alertmanager", "prometheus-alertmanager", f"--config.file={CONFIG_PATH}", "--storage.path={folder}/data",
          "--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=", ready="/-/ready")
s = Server(flags=[f"--alertmanager.config-file={CONFIG_PATH}"])
JSON = {"Content-Type": "application/json"}
TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( ?UTC|Z|[+-]\d\d:\d\d)?")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Base:
    """One of both servers, below a prefix."""

    def __init__(self, port, prefix=""):
        self.port, self.prefix = port, prefix
        self.url = f"http://127.0.0.1:{port}{prefix}"

    def request(self, method, path, body=None, headers=None):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            c.request(method, self.prefix + path, body=body, headers=headers or {})
            r = c.getresponse()
            return r.status, {k.lower(): v for k, v in r.getheaders()}, r.read().decode()
        finally:
            c.close()

    def get(self, path):
        status, headers, body = self.request("GET", "/api/v2/" + path)
        equal((status, headers["content-type"], headers["cache-control"]), (200, "application/json", "no-store"), path)
        return json.loads(body)

    def post(self, path, value, want=200):
        status, _, body = self.request("POST", "/api/v2/" + path, json.dumps(value), JSON)
        equal(status, want, f"{path} {value}: {body}")
        return json.loads(body) if body else None


varve, peer = Base(s.port), Base(am.port)
below = Base(s.port, "/alertmanager")


def plain(v):
    """Without times, ids, the order of matchers, what 0.25 does not have, and what is of one program."""
    if isinstance(v, dict):
        if v.get("mutedBy") and not v["silencedBy"] + v["inhibitedBy"]:
            v["state"] = "active"
        v = {k: plain(x) for k, x in v.items() if k not in ("mutedBy", "versionInfo", "uptime")}
        if "matchers" in v:
            v["matchers"].sort(key=lambda m: m["name"])
        return v
    if isinstance(v, list):
        return [plain(x) for x in v]
    return UUID.sub("U", TIME.sub("T", v)) if isinstance(v, str) else v


def answer(base, method, path, body=None, headers=None):
    status, headers, text = base.request(method, "/api/v2/" + path, body, headers)
    return status, headers.get("content-type"), plain(json.loads(text)) if text else ""


def same(method, path, body=None, headers=None):
    """Both answer alike; an error of a parser in words of its own."""
    got, want = answer(varve, method, path, body, headers), answer(peer, method, path, body, headers)
    for a in (got, want):
        if isinstance(a[2], dict) and "failed, because" in a[2].get("message", ""):
            a[2]["message"] = a[2]["message"].split("failed, because")[0]
    equal(got, want, f"{method} {path} {body}")
    equal(answer(below, "GET", path), answer(varve, "GET", path), f"{path} below /alertmanager") if method == "GET" else None
    return got


def until_same(path, seconds=20):
    """What both answer once they agree."""
    deadline = time.time() + seconds
    while answer(varve, "GET", path) != answer(peer, "GET", path) and time.time() < deadline:
        time.sleep(0.1)
    return same("GET", path)[2]


def at(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


def silence(matchers, starts=-10, ends=3600, **more):
    return {"matchers": [{"name": n, "value": v, "isRegex": regex, "isEqual": True} for n, v, regex in matchers],
            "startsAt": at(starts), "endsAt": at(ends), "createdBy": "me", "comment": "<why>", **more}


step("bodies of alerts")
LABELS = '{"labels":{"alertname":"x"}'
for body in ("", "null", "[]", "{}", "[{]", "1", '"x"', "[{}]", '[{"labels":null}]', '[{"labels":{}}]', '[{"labels":{"a":""}}]',
             '[{"labels":{"a":1}}]', '[{"labels":[]}]', '[1]', f'[{LABELS},"startsAt":"bad"}}]', f'[{LABELS},"endsAt":7}}]',
             f'[{LABELS},"startsAt":"2026-01-01T00:00:00Z","endsAt":"2025-01-01T00:00:00Z"}}]',
             f'[{LABELS},"generatorURL":"::bad"}}]', f'[{LABELS},"generatorURL":"foo"}}]', f'[{LABELS},"annotations":5}}]',
             '[{"labels":{"":"x"}},{"labels":{"alertname":"ok","":"y"}}]'):
    same("POST", "alerts", body, JSON)
same("POST", "alerts", "[]", {"Content-Type": "text/plain"})
same("POST", "alerts", "[]", {"Content-Type": "application/json; charset=utf-8"})
same("POST", "alerts", "[]")
equal(varve.get("alerts"), [], "nothing of that was taken")
invalid = {b: re.search(r'^alertmanager_alerts_invalid_total\{version="v2"\} (\d+)$', b.request("GET", "/metrics")[2], re.M) for b in (varve, peer)}
equal(invalid[varve] and invalid[varve][1], invalid[peer] and invalid[peer][1], "invalid alerts that were counted")

step("alerts, groups, silences")
ALERTS = [{"labels": {"alertname": "A", "a": "<&>", "gone": ""}, "annotations": {"s": "", "summary": "é"}, "generatorURL": "http://x/?a=1&b=2"},
          {"labels": {"alertname": "B", "team": "foo", "severity": "a"}, "startsAt": "2026-01-01T00:00:00.5Z", "endsAt": at(3000)},
          {"labels": {"alertname": "B", "team": "bar"}, "startsAt": "0001-01-01T00:00:00Z", "endsAt": "0001-01-01T00:00:00Z"},
          {"labels": {"alertname": "C", "team": "muted"}}, {"labels": {"sev": "crit"}}, {"labels": {"sev": "warn"}},
          {"labels": {"ok": "x"}}, {"labels": {"sev": "warn", "job": "j", "instance": "2"}}, {"labels": {"sev": "warn", "job": "j", "instance": "1"}},
          {"labels": {"alertname": "Ended"}, "startsAt": at(-60), "endsAt": at(-30)}, {"labels": {"alertname": "Future"}, "startsAt": at(60)}]
for base in (varve, peer):
    base.post("alerts", ALERTS)
    base.post("alerts", [{"labels": {"alertname": "B", "team": "bar"}, "annotations": {"again": "1"}}])  # joined with the first
until_same("alerts/groups")
equal(len(until_same("alerts")), 10, "alerts")
equal([a["labels"] for a in varve.get("alerts?filter=alertname%3DA")], [{"alertname": "A", "a": "<&>"}], "empty labels go")
for base in (varve, peer):
    for one in (silence([("alertname", "A", False)]), silence([("alertname", "B|C", True), ("team", "foo", False)], ends=3700),
                silence([("alertname", "Z", False)], starts=1000), silence([("alertname", "Y", False)], starts=500)):
        base.post("silences", one)
    gone = base.post("silences", silence([("sev", "crit", False)]))["silenceID"]
    status, _, body = base.request("DELETE", f"/api/v2/silence/{gone}")
    equal((status, body), (200, ""), "an end")
    status, _, body = base.request("GET", f"/api/v2/silence/{gone}")
    equal((status, json.loads(body)["status"]), (200, {"state": "expired"}), "it has ended")
until_same("alerts")
FILTERS = ["", "active=false", "silenced=false", "inhibited=false", "active=false&silenced=false", "active=no&inhibited=FALSE", "unprocessed=false",
           "active=t&silenced=0", "active=yes&active=false&silenced=", "filter=alertname%3DA", "filter=alertname%3D~%22A|B%22&filter=team!%3Dfoo",
           "filter=team%3D", "filter=bad", "filter=", "filter=a%3D~(", "receiver=te.*", "receiver=te", "receiver=(", "receiver=", "filter=nosuch%21%3D%22%22"]
for f in FILTERS:
    for path in ("alerts", "alerts/groups"):
        if "active=yes&active" not in f:
            same("GET", f"{path}?{f}")
groups = varve.get("alerts/groups")
equal([g["alerts"][0]["status"] for g in groups if g["labels"] == {"alertname": "C"}],
      [{"state": "suppressed", "mutedBy": ["ever"], "silencedBy": [], "inhibitedBy": []}], "muted by time")
check(not any(g["labels"] == {"alertname": "C"} for g in varve.get("alerts/groups?muted=false")), "groups without muted ones")
for f in ("", "filter=alertname%3DA", "filter=alertname%3D~%22B|C%22&filter=team%3Dfoo", "filter=alertname%3D~A", "filter=bad"):
    same("GET", f"silences?{f}")
equal([x["status"]["state"] for x in varve.get("silences?expired=false&active=false")], ["pending", "pending"], "states that are asked for")
same("GET", "receivers"), same("GET", "silence/abc"), same("GET", f"silence/{'0' * 8}-0000-0000-0000-{'0' * 12}")
equal(varve.request("DELETE", f"/api/v2/silence/{'0' * 8}-0000-0000-0000-{'0' * 12}")[::2], (404, ""), "no such silence")
equal(varve.request("GET", "/api/v2/status")[0], 200, "status")
status = varve.get("status")
equal((status["cluster"], "hidden" in status["config"]["original"], "covered" in status["config"]["original"]),
      ({"peers": [], "status": "disabled"}, False, False), "status tells no secret")

step("bodies of silences")
GOOD = silence([("q", "w", False)])
for change in ({"comment": None}, {"createdBy": None}, {"endsAt": None}, {"matchers": None}, {"startsAt": None}, {"matchers": []}, {"comment": 7},
               {"startsAt": "x"}, {"matchers": {}}, {"matchers": [5]}, {"matchers": [{"name": "a", "value": "b", "isRegex": "f"}]},
               {"startsAt": at(100), "endsAt": at(50)}, {"startsAt": at(-100), "endsAt": at(-50)}, {"id": "nosuch"}, {"comment": "", "createdBy": "", "endsAt": at(3500)}):
    same("POST", "silences", json.dumps({**GOOD, **change}), JSON)
for body in ("", "{}", "[]", "x", "null"):
    same("POST", "silences", body, JSON)
same("POST", "silences", "{}", {"Content-Type": "text/xml"})
for matchers, words in (([("a", "(", True)], 'invalid label matcher 0: invalid regular expression "(": error parsing regexp: missing closing ): `(`'),
                        ([("a", "", False)], "at least one matcher must not match the empty string")):
    got, want = (answer(b, "POST", "silences", json.dumps(silence(matchers)), JSON) for b in (varve, peer))
    equal(got, (400, "application/json", f"invalid silence: {words}"), "of this version")
    equal(want[2], f"silence invalid: {words}", "of 0.25")

step("a silence changes in place, or makes way for another")
for base in (varve, peer):
    first = base.post("silences", silence([("in", "place", False)]))["silenceID"]
    kept = json.loads(base.request("GET", f"/api/v2/silence/{first}")[2])
    longer = {**kept, "endsAt": at(7200), "comment": "longer"}
    equal(base.post("silences", longer)["silenceID"], first, "in place")
    other = base.post("silences", {**longer, "matchers": [{"name": "in", "value": "other", "isRegex": False}]})["silenceID"]
    check(other != first, "another one")
    equal(json.loads(base.request("GET", f"/api/v2/silence/{first}")[2])["status"]["state"], "expired", "the first one")
same("GET", "silences?filter=in%3Dplace")

step("amtool")


def amtool(base, *argv, status=0):
    p = subprocess.run(["amtool", *argv, f"--alertmanager.url={base.url}"], capture_output=True, text=True, timeout=60, check=False,
                       env={**os.environ, "HOME": d, "TZ": "UTC"})
    equal(p.returncode, status, f"amtool {argv}: {p.stdout}{p.stderr}")
    lines = [line for line in UUID.sub("U", TIME.sub("T", p.stdout)).splitlines() if not line.startswith(("Updated At", "Uptime"))]
    return [re.sub(r"\s+", " ", line).strip() for line in lines]


def both(*argv, status=0):
    got, want = amtool(varve, *argv, status=status), amtool(peer, *argv, status=status)
    equal(sorted(got), sorted(want), f"amtool {' '.join(argv)}") # rows of one second come in any order
    equal(amtool(below, *argv, status=status), got, f"amtool {' '.join(argv)} below /alertmanager") if "query" in argv else None
    return got


both("alert", "add", "alertname=Tool", "node=n1", "--annotation=summary=s", "--start=2026-01-01T00:00:00Z", "--generator-url=http://g/")
both("alert", "add", "Named", "node=n2", f"--end={at(500)}")
for query in (["alertname=Tool"], ["-o", "extended"], ["-o", "json", "node=~n.*"], ["--inhibited"], ["--silenced", "--active"], ["--receiver=team"],
              ["nosuch=1"], ["(", "-o", "json"]):
    rows = both("alert", "query", *query) if query[0] != "(" else []
check(any("Tool" in line for line in both("alert", "query", "-o", "extended")), "the alert is there")
ids = {b: subprocess.run(["amtool", "silence", "add", f"--alertmanager.url={b.url}", "-a", "ann", "-c", "com ment", "-d", "2h", "alertname=Tool", "node=~n.+"],
                         capture_output=True, text=True, check=True, env={**os.environ, "HOME": d}).stdout.strip() for b in (varve, peer)}
both("silence", "add", "-c", "c", "--start=2030-01-01T00:00:00Z", "--end=2030-02-01T00:00:00Z", "x=y", "z!=w")
both("silence", "add", "no matcher", status=1)
for query in ([], ["-o", "extended"], ["-o", "json"], ["--expired"], ["--within=3h"], ["alertname=Tool"], ["--created-by=ann"], ["-q"]):
    rows = both("silence", "query", *query)
until("both have marked", lambda: both("alert", "query", "--silenced", "alertname=Tool") != [])
check(any("Tool" in line for line in both("alert", "query", "--silenced", "alertname=Tool")), "the alert is silenced")
for b in (varve, peer):
    amtool(b, "silence", "update", "-d", "4h", "-c", "longer", ids[b])
both("silence", "query", "-o", "extended", "alertname=Tool")
path = os.path.join(d, "silences.json")
with open(path, "w") as f:
    json.dump([x for x in json.loads(peer.request("GET", "/api/v2/silences")[2]) if x["status"]["state"] == "active"], f)
for b in (varve, peer):
    amtool(b, "silence", "expire", ids[b])
    amtool(b, "silence", "import", "--force", path)
equal(sorted(both("silence", "query", "-o", "simple")), sorted(amtool(peer, "silence", "query", "-o", "simple")), "imported")
amtool(varve, "silence", "expire", "00000000-0000-0000-0000-000000000000", status=1)
for labels in (["team=foo", "severity=a"], ["team=bar"], ["alertname=x"], ["team=muted"]):
    both("config", "routes", "test", *labels)
both("config", "routes", "show"), both("cluster", "show")
check(any("group_by" in line for line in amtool(varve, "config", "show")), "config show")

step("Prometheus sends alerts here")
rules = os.path.join(d, "rules.yml")
with open(rules, "w") as f:
    f.write("groups: [{name: g, interval: 1s, rules: [{alert: FromPrometheus, expr: vector(1), labels: {l: v}, annotations: {t: 'é <'}}]}]\n")
sender = prometheus(f"global: {{external_labels: {{cluster: c}}}}\nrule_files: [{rules}]\nalerting: {{alertmanagers: [{{static_configs: "
                    f"[{{targets: ['127.0.0.1:{s.port}']}}]}}, {{path_prefix: /alertmanager, static_configs: [{{targets: ['127.0.0.1:{s.port}']}}]}}]}}\n", ("--rules.alert.resend-delay=1s",))
got = until("its alert is here", lambda: varve.get("alerts?filter=alertname%3DFromPrometheus"), seconds=60)
equal((len(got), got[0]["labels"], got[0]["annotations"], got[0]["receivers"]),
      (1, {"alertname": "FromPrometheus", "cluster": "c", "l": "v"}, {"t": "é <"}, [{"name": "all"}]), "as it was sent")
sent = until("both were counted", lambda: [line for line in sender.get("/metrics")[1].splitlines() if re.match(r"prometheus_notifications_sent_total.*alertmanager/api", line)
                                          and not line.endswith(" 0")], seconds=30)
errors = [line for line in sender.get("/metrics")[1].splitlines() if line.startswith("prometheus_notifications_errors_total")]
check(errors and all(line.endswith(" 0") for line in errors), errors)

if shutil.which("vmalert"):
    step("vmalert sends alerts here, with alertname twice")
    rules = os.path.join(d, "vmrules.yml")
    with open(rules, "w") as f:
        f.write("groups: [{name: g, interval: 1s, rules: [{alert: FromVmalert, expr: vector(1), labels: {l: v}}]}]\n")
    vmalert = Peer("vmalert", "vmalert", f"-datasource.url={varve.url}", f"-notifier.url={varve.url}", f"-rule={rules}", "-httpListenAddr=127.0.0.1:{port}")
    got = until("its alert is here", lambda: varve.get("alerts?filter=alertname%3DFromVmalert"), seconds=60)
    equal((len(got), got[0]["labels"]["l"]), (1, "v"), f"as it was sent:\n{vmalert.tail()}")
    vmalert.stop()

step("Grafana's data source: its URL ends with /alertmanager")
equal(below.request("GET", "/alertmanager/api/v2/status")[0], 404, "so it is no Mimir")
equal(below.request("GET", "/api/v2/status")[0], 200, "it is well")
equal(below.request("GET", "/api/v1/status/buildinfo")[0], 410, "of which it is told nothing more")
check(below.get("alerts?active=true&silenced=true&inhibited=true&unprocessed=true&filter=alertname%3D%22Tool%22"), "alerts")
check(below.get("alerts/groups"), "groups")
made = below.post("silences", {**silence([("alertname", "Grafana", False)]), "id": ""})["silenceID"]
equal(json.loads(below.request("GET", f"/api/v2/silence/{made}")[2])["comment"], "<why>", "a silence of it")
equal(below.request("DELETE", f"/api/v2/silence/{made}")[0], 200, "and its end")
batch = [{"labels": {"alertname": "FromGrafana", "i": str(i)}, "annotations": {}, "startsAt": at(-5), "endsAt": at(200), "generatorURL": "http://g/alerting"} for i in range(64)]
equal(below.post("alerts", batch), None, "alerts of it")
equal(len(below.get("alerts?filter=alertname%3DFromGrafana")), 64, "alerts of it")

step("the rest of a server")
for path in ("/-/healthy", "/-/ready"):
    equal((below.request("GET", path)[0], below.request("GET", path)[2]), (200, "OK"), path)
equal(below.request("GET", "/api/v1/alerts")[0], 410, "API v1")
equal(varve.request("PUT", "/api/v2/alerts", "[]", JSON)[0], 405, "a method")
status, headers, _ = varve.request("OPTIONS", "/api/v2/silences", None, {"Origin": "http://a", "Access-Control-Request-Method": "POST"})
check(status in (200, 204) and "access-control-allow-origin" in headers, headers)
status, headers, _ = varve.request("POST", "/api/v2/silences", "{}", {**JSON, "Origin": "http://foreign", "Sec-Fetch-Site": "cross-site"})
equal(status, 403, "pages of others silence nothing")

step("silences outlive a crash")
kept = varve.post("silences", silence([("alertname", "Kept", False)]))["silenceID"]
s.kill()
s = Server(data=s.data, flags=[f"--alertmanager.config-file={CONFIG_PATH}"])
varve, below = Base(s.port), Base(s.port, "/alertmanager")
equal(json.loads(varve.request("GET", f"/api/v2/silence/{kept}")[2])["status"], {"state": "active"}, "after a crash")

step("ten thousand alerts")
many = [{"labels": {"alertname": f"many{i % 100}", "instance": f"i{i}", "job": "many", "severity": "page"}, "annotations": {"summary": f"it is {i}"}} for i in range(10000)]
begin = time.time()
varve.post("alerts", many)
posted = time.time()
equal(len(varve.get("alerts?filter=job%3Dmany")), 10000, "alerts")
listed = time.time()
equal(sum(len(g["alerts"]) for g in varve.get("alerts/groups?filter=job%3Dmany")), 10000, "grouped")
grouped = time.time()
print(f"  posted {posted - begin:.3f} s, listed {listed - posted:.3f} s, grouped {grouped - listed:.3f} s", flush=True)
equal(s.stop(), 0, "exit status")

step("a server without a configuration of Alertmanager says so")
s = Server()
varve = Base(s.port)
for method, path, body in (("GET", "/api/v2/alerts", None), ("POST", "/api/v2/alerts", "[]"), ("POST", "/api/v2/silences", "{}"), ("GET", "/api/v2/status", None),
                           ("GET", "/alertmanager/api/v2/status", None), ("GET", "/alertmanager/-/healthy", None)):
    status, _, body = varve.request(method, path, body, JSON)
    check(status == 404 and "--alertmanager.config-file" in body, f"{method} {path}: {status} {body}")
equal(s.stop(), 0, "exit status")
