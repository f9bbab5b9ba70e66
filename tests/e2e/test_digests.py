"""Digests: at its time each receiver is told once what happened, by mail and webhook, through kill -9 and a provider that is down."""
from alert_lib import *
from mail_lib import MailServer, parts, visible

d, receiver, mail = folder(), Receiver(), MailServer()
JSON = {"Content-Type": "application/json"}
am, ext, slos, data = (os.path.join(d, n) for n in ("am.yml", "ext.yml", "slos", "data"))
os.mkdir(slos)


def answer(status):
    def way(handler):
        handler.send_response(status)
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return True
    return way


def put(path, text):
    with open(path, "w") as f:
        f.write(text)


def post(what, body):
    equal(s.request("POST", f"/api/v2/{what}", json.dumps(body), JSON)[0], 200, what)


def at(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


put(am, f"""route: {{receiver: nobody}}
receivers:
- {{name: nobody}}
- name: daily
  email_configs:
  - {{to: ops@x.org, from: varve@x.org, smarthost: '127.0.0.1:{mail.port}', require_tls: false, headers: {{subject: '{{{{ .Status }}}}'}}}}
  webhook_configs: [{{url: 'http://127.0.0.1:{receiver.port}/hook/x', send_resolved: false}}]
""")
put(ext, "digests: []\n")
FLAGS = [f"--alertmanager.config-file={am}", f"--alertmanager.extensions-file={ext}", "--alertmanager.start-delay=0s",
         f"--slo.files={slos}/*.yml", "--slo.evaluation-delay=0s", f"--config.file={os.path.join(d, 'p.yml')}"]
put(os.path.join(d, "p.yml"), "global: {evaluation_interval: 5s}\n")
s = Server(data, flags=FLAGS)

step("two hours of requests of which half fail; alerts that fire, end and are silenced")
now = int(time.time()) // 60 * 60
for code in ("200", "500"):
    s.write([({"__name__": "requests_total", "code": code}, [(t * 1000, float(t - now + 7200)) for t in range(now - 7200, now + 60, 60)])])
put(os.path.join(slos, "a.yml"), """version: prometheus/v1
service: shop
slos:
- name: checkout
  objective: 99
  sli: {events: {error_query: 'sum(rate(requests_total{code="500"}[{{.window}}]))', total_query: 'sum(rate(requests_total[{{.window}}]))'}}
  alerting: {page_alert: {disable: true}, ticket_alert: {disable: true}}
""")
equal(s.request("POST", "/-/reload")[0], 200, "reload")
post("alerts", [{"labels": {"alertname": name, "severity": "page", "i": i}, "endsAt": at(ends)} for name, i, ends in
                (("Gone", "a", 3600), ("Disk<Full>", "a", 3600), ("Disk<Full>", "b", 3600))] + [{"labels": {"alertname": "Other"}, "endsAt": at(3600)}])
post("alerts", [{"labels": {"alertname": "Gone", "severity": "page", "i": "a"}, "startsAt": at(-60), "endsAt": at(-1)}])
post("silences", {"matchers": [{"name": "i", "value": "b", "isRegex": False}], "startsAt": at(-1), "endsAt": at(3600), "createdBy": "dba", "comment": "& so"})
slo = until("the budget is known", lambda: [x for x in s.api("slos")[1]["data"]["slos"] if x["bookedUntil"] and x["budget"]["remaining"]], seconds=60)
check(slo[0]["budget"]["remaining"] < 0, slo)
equal(s.stop(), 0, "stop")

step("its time comes; the webhook is down, then the server is killed")
due = int(time.time()) + 6  # a zone some seconds away from whole minutes has it be any second
east = -due % 60
clock = time.strftime("%H:%M", time.gmtime(due + east))
DIGEST = f"digests:\n- {{receiver: daily, matchers: ['severity=~\".+\"'], schedule: {{times: ['{clock}'], location: Local}}}}\n"
put(ext, DIGEST)
wrapper = ["env", f"TZ=Fixed/UTC+00:00:{east:02}"]
receiver.ways["hook"] = answer(500)
s = Server(data, flags=FLAGS, wrapper=wrapper)


def metric(name):
    return float(next(line for line in s.request("GET", "/metrics")[2].decode().splitlines() if line.startswith(name + " ")).split()[1])


until("the webhook was asked", lambda: receiver.of("hook"), seconds=15)
check(0 <= receiver.of("hook")[0][0] - due < 5, "in time")
until("the mail came", mail.taken)
until("that is noted", lambda: metric('alertmanager_notifications_total{integration="email"}') == 1)
equal(metric("varve_alert_notices_pending"), 1, "pending")
s.process.kill()
s.process.wait()
receiver.ways["hook"] = answer(200)
before = len(receiver.of("hook"))
s = Server(data, flags=FLAGS, wrapper=wrapper)
until("the webhook is told", lambda: len(receiver.of("hook")) > before)
until("nothing is pending", lambda: metric("varve_alert_notices_pending") == 0)

step("what it says")
body = json.loads(receiver.of("hook")[-1][2])
equal((body["version"], body["status"], body["receiver"], body["notification_reason"], len(body["alerts"])), ("4", "resolved", "daily", "notice", 1), "body")
equal(body["commonLabels"], {"alertname": "Digest", "receiver": "daily", "severity": "info"}, "labels")
notes = body["commonAnnotations"]
equal({k: notes[k] for k in ("fired", "resolved", "open", "silences", "objectives")},
      {"fired": "3", "resolved": "1", "open": "2", "silences": "1", "objectives": "1"}, "numbers")
text = notes["description"]
for line in ("Open: 2\n- Disk<Full>: 2 (1 muted), since ", "Fired: 3\n- Disk<Full>: 2\n- Gone: 1\n", "Resolved: 1\n- Gone: 1\n",
             "Silences: 1\n- {i=\"b\"}: until ", ", by dba: & so\n", "Objectives short of budget: 1\n- shop/checkout: overspent by "):
    check(line in text, text)
check("Other" not in text, text)
headers, bodies = parts(mail.taken()[0][2])
check(headers["Subject"].startswith("Digest ") and "2 open, 3 fired, 1 resolved, 1 silence, 1 objective short of budget" in headers["Subject"], headers)
equal(headers["Subject"], notes["summary"], "the title")
equal(bodies["text/plain"].replace("\r\n", "\n").strip(), text.strip(), "plain text")
words = " ".join(visible(bodies["text/html"]))
check("Open: 2 Disk<Full> 2 (1 muted), since" in words and "by dba: & so" in words and "<Full>" not in bodies["text/html"], bodies["text/html"])

step("once, whatever is restarted and reloaded")
count = len(receiver.of("hook"))
equal(s.stop(), 0, "stop")
s = Server(data, flags=FLAGS, wrapper=wrapper)
equal(s.request("POST", "/-/reload")[0], 200, "reload")
time.sleep(2.5)
equal((len(receiver.of("hook")), len(mail.taken())), (count, 1), "messages")
equal(s.stop(), 0, "stop")
print("ok")
