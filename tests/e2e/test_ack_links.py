"""Links in messages: the page does nothing by itself, its form acknowledges, without a token of the API where others
need one; what was forged, is too old or is about something that is over says so; a new secret ends old links."""
from alert_lib import *

TOKEN, SECRET = "t0p-s3cret-token", "a secret of more than sixteen bytes"
d = folder()
am_path, ext_path, secret_path, tokens = (os.path.join(d, name) for name in ("am.yml", "ext.yml", "ack.key", "tokens.yml"))
receiver = Receiver()
receiver.ways = {"one": status_ok}
put(am_path, f"""route: {{receiver: on-call, group_by: [alertname], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}
receivers: [{{name: on-call, webhook_configs: [{{url: 'http://127.0.0.1:{receiver.port}/one/hook'}}]}}]
""")
EXT = """escalation_policies: [{name: p, levels: [{}, {receivers: [on-call], after: 1h}]}]
escalation_bindings: [{matchers: [severity=critical], policy: p}]
"""
links = lambda more="": EXT + "acknowledgements: {links: {enabled: true, secret_file: ack.key" + more + "}}\n"
put(ext_path, links())
put(secret_path, SECRET + "\n")
put(tokens, f"tokens: [{{name: ops, sha256: {__import__('hashlib').sha256(TOKEN.encode()).hexdigest()}, scopes: [read, write, admin]}}]\n")
AUTH = {"Authorization": "Bearer " + TOKEN}
port = free_port()
s = Server(port=port, wait=False, flags=[
    f"--alertmanager.config-file={am_path}", f"--alertmanager.extensions-file={ext_path}", f"--web.token-file={tokens}",
    f"--web.external-url=http://127.0.0.1:{port}/varve", "--web.open-health"])


def is_up():
    try:
        return s.request("GET", "/varve/health/ready")[0] == 200
    except OSError:
        return False


until("the server is up", is_up)


def alert(name, ends=False):
    now = time.time()
    at = lambda t: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(t))
    a = {"labels": {"alertname": name, "severity": "critical", "note": "<b>&\"'"},
         "startsAt": at(now - 100 if ends else now - 1), "endsAt": at(now - 1 if ends else now + 3600)}
    equal(s.request("POST", "/varve/api/v2/alerts", json.dumps([a]), {"Content-Type": "application/json", **AUTH})[0], 200, "taken")


def told(name):
    all_ = [json.loads(body) for _, _, body in receiver.of("one")]
    return [m for m in all_ if m["groupLabels"] == {"alertname": name}]


def incident(name):
    status, _, body = s.request("GET", f"/varve/api/v1/alerting/incidents?matcher=alertname%3D{name}", headers=AUTH)
    equal(status, 200, body)
    return json.loads(body)["data"][0]


def link(name):
    until(f"{name} is told", lambda: told(name))
    url = told(name)[-1]["ackURL"]
    check(url.startswith(f"http://127.0.0.1:{port}/varve/api/v1/alerting/ack?token="), url)
    return url.split(str(port), 1)[1]


def page(method, path, form=None, status=200):
    body = urllib.parse.urlencode(form) if form is not None else None
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": "null"} if form is not None else {}
    got, answer, text = s.request(method, path, body, headers)
    equal(got, status, text)
    if method == "GET":
        equal(answer["content-type"], "text/html; charset=utf-8", "type")
        check("noindex" in answer["x-robots-tag"] and answer["cache-control"] == "no-store", f"{answer}")
        equal(answer["content-security-policy"].split(";")[0], "default-src 'none'", "policy")
        check("no-referrer" == answer["referrer-policy"] and b"<script" not in text, f"{answer} {text!r}")
    check(SECRET.encode() not in text, "the secret is shown")
    return text.decode()


step("a GET shows the incident and changes nothing")
equal(s.request("GET", "/varve/api/v1/alerting/incidents")[0], 401, "the API asks who it is")
alert("a")
a = link("a")
for _ in range(3):
    text = page("GET", a)
check("&#60;b&#62;&#38;&#34;&#39;" in text and "<b>" not in text, text)
check('<form method="post">' in text and 'value="on-call"' in text, text)
equal(incident("a")["state"], "open", "after three looks")
equal(s.request("HEAD", a)[0], 200, "HEAD")
equal(incident("a")["state"], "open", "after HEAD")
equal(s.request("DELETE", a)[0], 405, "other methods")

step("its form acknowledges, without a token of the API")
page("POST", a, {"by": "x" * 257}, 400)
page("POST", a, {"by": "ann\n"}, 400)
text = page("POST", a, {"by": "Ann <ann@x>", "comment": "on it"})
check("Acknowledged by Ann &#60;ann@x&#62;" in text, text)
ack = incident("a")["acknowledgement"]
equal((incident("a")["state"], ack["by"], ack["comment"]), ("acked", "Ann <ann@x>", "on it"), "acknowledged")
check("Acknowledged by Ann" in page("GET", a), "shown")
page("POST", a, {})
equal(incident("a")["acknowledgement"]["by"], "on-call", "who says no name is the receiver")

step("nothing else is open to who has a link")
token = a.split("token=")[1]
for path in (f"/varve/api/v1/alerting/incidents?token={token}", f"/varve/api/v1/alerting/incidents/{incident('a')['id']}/unack"):
    got = s.request("POST" if path.endswith("unack") else "GET", path, headers={"Authorization": f"Bearer {token}"})[0]
    equal(got, 401, path)

step("what was forged, is over or is not known")
id_ = incident("a")["id"]
page("GET", a.replace(id_, "0" * 16), status=403)
page("POST", a[:-1] + ("0" if a[-1] != "0" else "1"), {"by": "eve"}, 403)
page("GET", "/varve/api/v1/alerting/ack", status=403)
page("GET", "/varve/api/v1/alerting/ack?token=" + "9" * 5000, status=403)
alert("a", ends=True)
until("the end", lambda: incident("a")["state"] == "resolved")
until("the end is told", lambda: told("a")[-1]["status"] == "resolved")
check("ackURL" not in told("a")[-1], "the end has no link")
check("resolved" in page("GET", a, status=409) and "resolved" in page("POST", a, {"by": "ann"}, 409), "it is over")

step("another secret ends old links; a bad one is refused as a whole")
alert("b")
b = link("b")
page("GET", b)
put(secret_path, "short")
reload = lambda: s.request("POST", "/varve/-/reload", headers=AUTH)
status, _, body = reload()
check(status == 500 and b"ack.key" in body and b"short" not in body.replace(b"shorter", b""), f"{status} {body!r}")
page("GET", b)
put(secret_path, SECRET[::-1])
equal(reload()[0], 200, "reload")
page("POST", b, {"by": "ann"}, 403)
equal(incident("b")["state"], "open", "by an old link")

step("links that end, and none at all")
put(ext_path, links(", ttl: 1s, base_url: 'https://mon.example/x/'"))
equal(reload()[0], 200, "reload")
alert("c")
until("c is told", lambda: told("c"))
url = told("c")[-1]["ackURL"]
check(url.startswith("https://mon.example/x/api/v1/alerting/ack?token="), url)
c = url.replace("https://mon.example/x", "/varve")
until("the link has ended", lambda: s.request("GET", c)[0] == 410)
page("POST", c, {"by": "ann"}, 410)
equal(incident("c")["state"], "open", "by a link that had ended")
put(ext_path, EXT)
equal(reload()[0], 200, "reload")
page("GET", b, status=404)
alert("d")
until("d is told", lambda: told("d"))
check("ackURL" not in told("d")[-1], "no links")

step("tries are bounded, and nobody with a good link pays for it")
put(ext_path, links())
equal(reload()[0], 200, "reload")
alert("e")
e = link("e")
codes = {s.request("GET", e[:-9] + f"{i:09d}")[0] for i in range(80)}
equal(codes, {403, 429}, "codes of forged links")
page("GET", e)
codes = [s.request("POST", e, "by=x", {"Content-Type": "application/x-www-form-urlencoded"})[0] for i in range(70)]
equal((codes[0], set(codes)), (200, {200, 429}), "codes of one link")

step("the command checks the secret too")
run = lambda: subprocess.run([VARVE, "check", "alertmanager", f"--extensions-file={ext_path}", am_path], capture_output=True, text=True)
equal(run().returncode, 0, "good")
os.unlink(secret_path)
p = run()
check(p.returncode == 1 and "ack.key cannot be read" in p.stdout, f"{p.returncode} {p.stdout}")
check(SECRET not in s.log(), "the secret is in the log")
equal(s.stop(), 0, "exit status")
print("ok")
