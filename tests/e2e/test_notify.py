"""From the sample that breaks a rule to the person: in time, once, through kill -9, reloads and providers that hang."""
import signal

from alert_lib import *

d = folder()
path, am_path = os.path.join(d, "prometheus.yml"), os.path.join(d, "alertmanager.yml")
receiver, released = Receiver(), threading.Event()
SECRET = "canary-9d1f4"


def hook(name, more=""):
    return f"{{url: 'http://127.0.0.1:{receiver.port}/{name}/hook?token={SECRET}'{more}}}"


def alertmanager(*more):
    return f"""global: {{resolve_timeout: 5m}}
route:
  receiver: all
  group_by: [alertname]
  group_wait: 1s
  group_interval: 2s
  repeat_interval: 1h
  routes:
  - {{receiver: hangs, matchers: [to = hangs], group_wait: 0s, continue: true}}
{"".join(more)}receivers:
- name: all
  webhook_configs: [{hook("all")}]
- name: other
  webhook_configs: [{hook("other")}]
- name: hangs
  webhook_configs: [{hook("hangs", ", timeout: 40s")}]
"""


receiver.ways = {"all": status_ok, "other": status_ok, "hangs": lambda h: released.wait(600) and status_ok(h)}
put(os.path.join(d, "rules.yml"), """groups:
- name: g
  interval: 1s
  rules:
  - alert: High
    expr: m > 1
    labels: {severity: page}
    annotations: {summary: 'value {{ $value }} of {{ $labels.i }}'}
""")
put(path, "global: {evaluation_interval: 1s, external_labels: {cluster: c1, replica: r1}}\nrule_files: [rules.yml]\n"
          "alerting: {alert_relabel_configs: [{regex: replica, action: labeldrop}]}\n")
put(am_path, alertmanager())
FLAGS = [f"--config.file={path}", f"--alertmanager.config-file={am_path}", "--web.external-url=http://example.org/v/",
         "--web.route-prefix=/", "--rules.alert.resend-delay=2s"]
s = Server(flags=FLAGS)


def sample(value, **labels):
    s.write([({"__name__": "m", **labels}, [(int(time.time() * 1000), value)])])


def told(name):
    """[(time, status, {instance: status})] in order."""
    out = []
    for at, _, body in receiver.of(name):
        m = json.loads(body)
        out.append((at, m["status"], {a["labels"].get("i"): a["status"] for a in m["alerts"]}))
    return out


step("a sample breaks a rule")
began = time.time()
sample(5, i="a")
until("somebody is told", lambda: told("all"))
took = told("all")[0][0] - began
print(f"  told {took:.2f} s after the sample, with 1 s between evaluations and 1 s of group wait")
m = json.loads(receiver.of("all")[0][2])
equal((m["receiver"], m["status"], m["groupLabels"], m["externalURL"]),
      ("all", "firing", {"alertname": "High"}, "http://example.org/v/alertmanager"), "the message")
alert, = m["alerts"]
equal(alert["labels"], {"alertname": "High", "cluster": "c1", "i": "a", "severity": "page"}, "labels, relabelled")
equal(alert["annotations"], {"summary": "value 5 of a"}, "annotations")
check(alert["generatorURL"].startswith("http://example.org/v/graph?g0.expr=m+%3E+1"), alert["generatorURL"])

step("killed, nothing is told twice; what changes is told")
until("it is noted that they were", lambda: b'\nalertmanager_notifications_total{integration="webhook"} 1\n' in s.request("GET", "/metrics")[2])
s.kill()
s = Server(data=s.data, flags=FLAGS)
sample(5, i="a")
time.sleep(5)
equal([x[2] for x in told("all")], [{"a": "firing"}], "after kill -9")
sample(7, i="b")
until("another alert", lambda: len(told("all")) == 2)
equal(told("all")[1][2], {"a": "firing", "b": "firing"}, "of the group")

step("a reload that fails changes nothing, one that works does")
for text, why in (("route: {receiver: nobody}\nreceivers: [{name: all}]\n", b"nobody"), ("route: {\n", b"alertmanager.yml:"),
                  (alertmanager("  templates: 1\n"), b"templates")):
    put(am_path, text)
    status, _, body = s.request("POST", "/-/reload")
    check(status == 500 and why in body, f"{status} {body!r}")
put(am_path, alertmanager("  - {receiver: other, matchers: [i = c]}\n"))
equal(s.request("POST", "/-/reload")[0], 200, "reload")
sample(5, i="c")
until("the other receiver", lambda: told("other"))
equal(told("other")[0][2], {"c": "firing"}, "its message")
equal(len(told("all")), 2, "messages to the first")

step("a provider that hangs holds up no other")
for n in range(40):
    sample(5, i=f"h{n:02}", to="hangs")
until("the hanging one was asked", lambda: receiver.of("hangs"))
began = time.time()
sample(9, i="d")
until("others are told", lambda: "d" in told("all")[-1][2])
check(time.time() - began < 15, "too late")

step("resolved")
for i in "abcd":
    sample(0, i=i)
until("all are told so", lambda: {k for _, _, alerts in told("all") for k, v in alerts.items() if v == "resolved"} >= set("abd"))
until("the other, too", lambda: told("other")[-1][1] == "resolved")

step("nothing shows secrets; the end is quick although somebody hangs")
_, _, metrics = s.request("GET", "/metrics")
for line in (b"alertmanager_notifications_failed_total{integration=\"webhook\"} 0", b"alertmanager_config_last_reload_successful 1",
             b"alertmanager_alerts_received_total{status=\"resolved\",version=\"v2\"} ", b"alertmanager_receivers 3"):
    check(line in metrics, f"{line} is not in the metrics")
began = time.time()
equal(s.stop(), 0, "exit status")
check(time.time() - began < 10, f"{time.time() - began:.1f} s to stop")
with open(s.log_path) as f:
    check(SECRET not in f.read() + metrics.decode(), "a secret is shown")
released.set()

step("bad files end it at once")
for text, why in (("route: {receiver: nobody}\nreceivers: [{name: all}]\n", "nobody"), (None, "alertmanager.yml")):
    os.unlink(am_path)
    if text is not None:
        put(am_path, text)
    s = Server(flags=FLAGS, wait=False)
    check(s.process.wait(20) != 0, "it started")
    check(why in s.log(), s.log())
    if text is None:
        break
print("ok")
