"""Alerts of rules on their way: to Debian's Alertmanager, as Debian's Prometheus sends them, past Alertmanagers that
hang, refuse and are slow.
"""
import calendar
import re
import threading

from alert_lib import *

for program in ("prometheus", "prometheus-alertmanager", "amtool"):
    if not shutil.which(program):
        skip(f"this needs {program}")

RULES = r"""groups:
- name: g
  rules:
  - alert: High
    expr: m > 1
    labels: {severity: page, from: '{{ $labels.i }}', dropped: ''}
    annotations: {summary: 'value {{ $value }} is <&> "high"', text: "é\u2028\n", empty: ''}
  - alert: Always
    expr: vector(1) == on () (vector(1) + vector(0))
    for: 1s
"""
GLOBAL = "global: {evaluation_interval: 1s, external_labels: {cluster: c1, replica: r1}}\nrule_files: [rules.yml]\n"
ALERTING = "alerting:\n  alert_relabel_configs: [{regex: replica, action: labeldrop}]\n  alertmanagers:\n"
LONG = 120  # seconds, for machines that are busy
ALWAYS, TIME = "Always", re.compile(r'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"')

receiver, released = Receiver(), threading.Event()
receiver.ways = {"hangs": lambda h: released.wait(600) and False, "refuses": receiver.refuse,
                 "slow": lambda h: time.sleep(1)}
am = Alertmanager()


def files(sections):
    d = folder()
    with open(os.path.join(d, "rules.yml"), "w") as f:
        f.write(RULES)
    with open(os.path.join(d, "prometheus.yml"), "w") as f:
        f.write(GLOBAL + ALERTING + sections)
    return os.path.join(d, "prometheus.yml"), d


config, _ = files(section(receiver, "hangs", ", timeout: 30m") + section(receiver, "refuses") + section(receiver, "slow") +
                  section(receiver, "good") + f"  - static_configs: [{{targets: ['127.0.0.1:{am.port}']}}]\n")
SAME = ["--web.external-url=http://example.org:9090/", "--rules.alert.resend-delay=5s"]
s = Server(flags=[f"--config.file={config}", *SAME])
peer_config, d = files(section(receiver, "peer"))
peer_port = free_port()
with open(os.path.join(d, "log"), "wb") as log:
    peer = start(["prometheus", f"--config.file={peer_config}", f"--storage.tsdb.path={d}/data", *SAME, "--web.route-prefix=/",
                  f"--web.listen-address=127.0.0.1:{peer_port}", "--web.enable-remote-write-receiver"], stdout=log, stderr=log)


class Peer:
    @staticmethod
    def request(method, path, body=None, headers=None):
        c = http.client.HTTPConnection("127.0.0.1", peer_port, timeout=20)
        c.request(method, path, body=body, headers=headers or {})
        r = c.getresponse()
        return r.status, r.headers, r.read()


def peer_is_ready():
    try:
        return Peer.request("GET", "/-/ready")[0] == 200
    except OSError:
        return False


def put(value, *names):
    now = int(time.time() * 1000)
    for to in (s, Peer):
        write(to, [({"__name__": "m", "i": n}, [(now, value)]) for n in names])


def raw_alerts(name, alertname):
    """Alerts as they were written, in order: (text with times taken out, labels, seconds of startsAt, endsAt, arrival)."""
    out, decoder = [], json.JSONDecoder()
    stamp = lambda text: calendar.timegm(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")) + float(text[19:-1])
    for at, _, body in receiver.of(name):
        text = body.decode()
        check(text[0] == "[" and text[-1] == "]", f"{name}: {text}")
        pos = 1
        while pos < len(text):
            a, end = decoder.raw_decode(text, pos)
            if a["labels"]["alertname"] == alertname:
                out.append((TIME.sub("T", text[pos:end]), a["labels"], stamp(a["startsAt"]), stamp(a["endsAt"]), at))
            pos = end + 1
    return out


def of(name, i, resolved=False):
    return [a for a in raw_alerts(name, "High") if a[1]["i"] == i and (a[3] <= a[4]) == resolved]


step("all are there")
am.wait_ready()
until("the peer is ready", peer_is_ready, seconds=LONG)
until("their first alerts", lambda: raw_alerts("peer", ALWAYS) and raw_alerts("good", ALWAYS), seconds=LONG)

step("bodies are those of Prometheus, byte for byte but for the times")
put(5, "a", "b")
until("both have told", lambda: all(of(n, i) for n in ("good", "peer") for i in "ab"), seconds=LONG)
for alerts in zip(*((of(n, "a")[0], of(n, "b")[0], raw_alerts(n, ALWAYS)[0]) for n in ("good", "peer"))):
    equal(alerts[0][0], alerts[1][0], "an alert")
for n in ("good", "peer"):
    equal(of(n, "a")[0][3] - of(n, "a")[0][2], 20, f"{n}: four resend delays from the evaluation to the end")
    headers = receiver.of(n)[0][1]
    equal((headers["Content-Type"], headers.get("Content-Encoding")), ("application/json", None), f"{n}: headers")
equal(of("good", "a")[0][1], {"alertname": "High", "cluster": "c1", "from": "a", "i": "a", "severity": "page"}, "labels")

step("they appear in the Alertmanager, with its own idea of them")


def seen(*matchers):
    return sorted(a["labels"]["alertname"] + a["labels"].get("i", "") for a in am.query(*matchers))


until("amtool shows them", lambda: seen() == ["Always", "Higha", "Highb"], seconds=LONG)
shown = am.query("i=a")[0]
equal(shown["labels"], of("good", "a")[0][1], "labels")
equal(shown["annotations"], {"summary": 'value 5 is <&> "high"', "text": "é\u2028\n", "empty": ""}, "annotations")
equal(shown["generatorURL"], "http://example.org:9090/graph?g0.expr=m+%3E+1&g0.tab=1", "link")

step("what is resolved here is resolved there")
put(0, "a")
until("both have told", lambda: all(of(n, "a", resolved=True) for n in ("good", "peer")), seconds=LONG)
ends = [of(n, "a", resolved=True)[0] for n in ("good", "peer")]
equal(ends[0][0], ends[1][0], "a resolved alert")
equal(of("good", "a", resolved=True)[0][2], of("good", "a")[0][2], "it began when it began")
until("amtool shows it no more", lambda: seen() == ["Always", "Highb"], seconds=LONG)

step("who hangs, refuses or is slow holds up nobody else")
equal(len(receiver.of("hangs")), 1, "requests to the one that hangs")
for n in ("good", "refuses", "slow"):
    check(of(n, "a", resolved=True), f"{n} was told while another hangs")
put(7, "c")
begun = time.time()
until("the next alert arrives", lambda: of("good", "c"), seconds=LONG)
print(f"  after {time.time() - begun:.2f} s, with an interval of 1 s")
until("... and there", lambda: seen("i=c") == ["Highc"], seconds=LONG)
equal(len(receiver.of("hangs")), 1, "requests to the one that hangs")


def metric(name, alertmanager):
    text = s.request("GET", "/metrics")[2].decode()
    url = f"http://127.0.0.1:{receiver.port}/{alertmanager}/api/v2/alerts"
    return float(re.search(rf'^prometheus_notifications_{name}{{alertmanager="{re.escape(url)}"}} (\S+)$', text, re.M)[1])


until("all that was sent is counted", lambda: metric("sent_total", "good") == len(receiver.alerts("good")))
until("and what was refused", lambda: metric("errors_total", "refuses") == metric("dropped_total", "refuses") ==
      len(receiver.alerts("refuses")) > 0)
equal(metric("sent_total", "refuses"), 0, "sent to who refuses")
check(metric("queue_length", "hangs") >= 3, "alerts wait for the one that hangs")
until("health tells of it", lambda: "1 of 5 fail" in str(json.loads(s.request("GET", "/health?fresh=1&check=alertmanagers")[2])),
      seconds=LONG)

step("queues are drained when the server ends")
waiting = metric("queue_length", "hangs")
threading.Timer(0.5, released.set).start()
equal(s.stop(), 0, "exit status")
check(len(receiver.alerts("hangs")) >= 1 + waiting, "what was queued was sent")
check([a for a in receiver.alerts("hangs") if a["labels"].get("i") == "c"], "to the last alert")
