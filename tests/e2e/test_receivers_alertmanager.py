"""Receivers beside Debian's Alertmanager: one configuration, the same alerts; the bodies that both send are compared, as
JSON, mails by their parts. What newer versions of Alertmanager send otherwise than 0.25 is named in differences()."""
import datetime
import ssl

from alert_lib import *
from mail_lib import MailServer, parts, visible
from peers import Peer, need

need("prometheus-alertmanager", "openssl")

d = folder()
URL = "http://h.example:9093"


class Providers:
    """All providers on one port: requests to /WHO/KIND/... are kept as got[WHO][KIND] = [(method, path, headers, JSON)]."""

    ANSWERS = {"slack": (200, "text/plain", b"ok"),
               "telegram": (200, "application/json",
                            b'{"ok":true,"result":{"message_id":1,"chat":{"id":-5,"type":"group"},"date":1}}'),
               "discord": (204, "", b"")}

    def __init__(self):
        self.got, self.lock = {"varve": {}, "peer": {}}, threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                _, who, kind, *rest = self.path.split("/")
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with outer.lock:
                    outer.got[who].setdefault(kind, []).append(
                        (self.command, "/".join(rest), {k.lower(): v for k, v in self.headers.items()}, json.loads(body)))
                status, content_type, answer = outer.ANSWERS.get(kind, (202, "application/json", b"{}"))
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_PUT = do_POST

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *args: None  # clients that give up
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def of(self, who, kind):
        with self.lock:
            return list(self.got[who].get(kind, []))


TEMPLATES = ["__subject", "__alertmanager", "__alertmanagerURL", "__description", "slack.default.title",
             "slack.default.username", "slack.default.fallback", "slack.default.pretext", "slack.default.titlelink",
             "slack.default.text", "slack.default.footer", "slack.default.callbackid", "pagerduty.default.description",
             "pagerduty.default.client", "pagerduty.default.clientURL", "opsgenie.default.message",
             "opsgenie.default.description", "opsgenie.default.source", "telegram.default.message",
             "discord.default.title", "discord.default.message", "pushover.default.title", "pushover.default.message",
             "pushover.default.url", "victorops.default.state_message", "victorops.default.entity_display_name",
             "victorops.default.monitoring_tool", "sns.default.subject", "sns.default.message", "webex.default.message",
             "email.default.subject"]
EXPRESSIONS = ["{{ .Receiver }} {{ .Status }} {{ len .Alerts }}", "{{ .GroupLabels.SortedPairs.Names }}",
               "{{ range .Alerts }}{{ .Fingerprint }} {{ .StartsAt.Unix }} {{ .EndsAt.IsZero }};{{ end }}",
               "{{ (.CommonLabels.Remove (stringSlice `job`)).Values | join `+` | toUpper }}",
               "{{ range $k, $v := .CommonAnnotations }}{{ $k }}={{ $v | title }};{{ end }}",
               "{{ reReplaceAll `(a+)` `<$1>` `baab` }} {{ match `^x` `xy` }}", "{{ with .CommonLabels.nothing }}x{{ end }}-",
               "{{ (index .Alerts 0).StartsAt.Format `2006-01-02T15:04:05.000Z07:00` }}", "{{ printf `%q %v` .Status 1.5 }}",
               "{{ template `pagerduty.default.instances` .Alerts }}", "{{ .ExternalURL | urlquery }}",
               "{{ template `mine` . }}", "{{ safeHtml `<b>` }}"]


def config(who, port, mail):
    at = f"http://127.0.0.1:{port}/{who}"
    fields = [{"title": t, "value": "{{ template \"" + t + "\" . }}."} for t in TEMPLATES]
    fields += [{"title": t, "value": t, "short": True} for t in EXPRESSIONS]
    return json.dumps({  # JSON is YAML
        "global": {"smtp_smarthost": f"127.0.0.1:{mail.port}", "smtp_from": "Am <am@x.org>", "smtp_require_tls": False,
                   "smtp_hello": "here.x"},
        "templates": [f"{d}/*.tmpl"],
        "route": {"receiver": "all.x", "group_by": ["alertname", "cluster"], "group_wait": "1s", "group_interval": "4s"},
        "receivers": [{
            "name": "all.x",
            "webhook_configs": [{"url": at + "/webhook/1"}, {"url": at + "/webhook-cut/1", "max_alerts": 1}],
            "pagerduty_configs": [
                {"routing_key": "rkey", "url": at + "/pagerduty/v2/enqueue", "severity": "{{ .CommonLabels.severity }}",
                 "class": "c {{ .Status }}", "component": "x", "group": "{{ .GroupLabels.cluster }}",
                 "details": {"firing": "[f {{ len .Alerts.Firing }}", "resolved": "[r", "num_firing": "[n", "num_resolved":
                             "[m", "mine": "<{{ .CommonAnnotations.summary }}>"},
                 "images": [{"src": "http://i/{{ .Status }}", "alt": "a", "href": "h"}],
                 "links": [{"href": "http://l/", "text": "t {{ .Status }}"}]},
                {"routing_key": "rkey", "url": at + "/pagerduty-default/v2/enqueue"}],
            "opsgenie_configs": [
                {"api_key": "okey", "api_url": at + "/opsgenie", "details": {"k": "{{ .Status }}", "job": "mine"},
                 "responders": [{"name": "ops", "type": "team"}, {"name": "a,{{ .CommonLabels.job }},", "type": "teams"}],
                 "tags": "a, b,,{{ .Status }}", "note": "n <x>", "priority": "P1", "entity": "e", "actions": "x,y",
                 "update_alerts": True, "message": "{{ printf `%0200d` 7 }}ü"},
                {"api_key": "okey", "api_url": at + "/opsgenie-default/"}],
            "slack_configs": [
                {"api_url": at + "/slack/T/B/x", "channel": "#c", "send_resolved": True},
                {"api_url": at + "/slack/T/B/y", "send_resolved": True, "username": "u", "icon_emoji": ":x:", "text": "t",
                 "icon_url": "http://i", "link_names": True, "pretext": "p", "footer": "f", "short_fields": False,
                 "fields": fields, "image_url": "http://img", "thumb_url": "http://th", "mrkdwn_in": ["text"],
                 "title": "{{ printf `%01100d` 7 }}", "callback_id": "cb",
                 "actions": [{"type": "button", "text": "Go", "url": "http://go/{{ .Status }}", "style": "primary"},
                             {"type": "button", "text": "Ack", "name": "n", "value": "v",
                              "confirm": {"text": "sure", "title": "t", "ok_text": "y", "dismiss_text": "no"}}]}],
            "telegram_configs": [
                {"bot_token": "1:tok", "api_url": at + "/telegram", "chat_id": -5, "parse_mode": "HTML"},
                {"bot_token": "1:tok", "api_url": at + "/telegram", "chat_id": -5, "parse_mode": "MarkdownV2",
                 "disable_notifications": True, "message": "{{ printf `%05000d` 7 }}"}],
            "discord_configs": [{"webhook_url": at + "/discord/1/tok"}],
            "email_configs": [
                {"to": "Ops <ops@x.org>, b@x.org", "send_resolved": True},
                {"to": "c@x.org", "send_resolved": True, "from": "other@x.org", "text": "t {{ .Status }}\n=.\n. ü " + "x" * 200,
                 "html": "<a href='{{ (index .Alerts 0).GeneratorURL }}'>{{ range .Alerts }}<i title={{ .Labels.instance }}>"
                         "{{ .Annotations.summary }}</i>{{ end }}</a><script>x = {{ .CommonLabels.job }}; y = {{ len .Alerts }}</script>",
                 "headers": {"subject": "Ü {{ .Status }} " + "long " * 30, "X-Thing": "{{ .CommonLabels.job }}"}}],
        }]}, indent=1)


def put(name, text):
    with open(os.path.join(d, name), "w", encoding="utf-8") as f:
        f.write(text)
    return os.path.join(d, name)


step("both start")
put("mine.tmpl", '{{ define "mine" }}mine: {{ .Status }} {{ template "__subject" . }}{{ end }}'
                 '{{ define "victorops.default.monitoring_tool" }}replaced{{ end }}')
providers, mails = Providers(), {"varve": MailServer(), "peer": MailServer()}
paths = {who: put(f"{who}.yml", config(who, providers.port, mails[who])) for who in mails}
am = Peer("alertmanager", "prometheus-alertmanager", f"--config.file={paths['peer']}", "--storage.path={folder}/data",
          "--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=",
          f"--web.external-url={URL}/alertmanager", ready="/alertmanager/-/ready")
s = Server(flags=[f"--alertmanager.config-file={paths['varve']}", f"--web.external-url={URL}"])


# Not long ago: a group whose alerts have waited for group_wait is flushed at once, by Alertmanager with the first of them.
STARTS = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=3)


def post(resolved=False):
    alerts = [{"labels": {"alertname": "Höhe <b>", "cluster": "eu 'x'", "job": "n&m", "severity": "critical", "instance": i},
               "annotations": {"summary": "a \"quoted\" <i>text</i> & ü", "own": i, "empty": ""},
               "generatorURL": f"http://g/{ord(i[0])}?x=1&y=2", "startsAt": f"{STARTS:%Y-%m-%dT%H:%M:%S}.678Z"} for i in ("a b", "c\n\"d")]
    if resolved:
        now = lambda: datetime.datetime.now(datetime.timezone.utc)
        until("they have begun", lambda: now() > STARTS + datetime.timedelta(seconds=3))
        ends_at = f"{now() - datetime.timedelta(seconds=1):%Y-%m-%dT%H:%M:%S.123Z}"
        for a in alerts:
            a["endsAt"] = ends_at
    for port in (s.port, am.port):
        c = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        c.request("POST", "/alertmanager/api/v2/alerts", json.dumps(alerts), {"Content-Type": "application/json"})
        r = c.getresponse()
        equal((r.status, r.read()), (200, b""), f"alerts are taken by {port}")
        c.close()


KINDS = {"webhook": 1, "webhook-cut": 1, "pagerduty": 1, "pagerduty-default": 1, "opsgenie": 3, "opsgenie-default": 1,
         "slack": 2, "telegram": 2, "discord": 1}
RESOLVED = {**KINDS, "opsgenie": 1}


def differences(kind, request):
    """What is otherwise since 0.25, or of this program, taken out."""
    method, path, headers, body = request
    body = json.loads(json.dumps(body))
    equal(headers["content-type"], "application/json", kind)
    if kind.startswith("webhook"):
        body.pop("notification_reason", None)  # since 0.32
        body.pop("routeLabels", None)
    if kind == "pagerduty-default":  # JSON since 0.30, texts before
        body["payload"]["custom_details"] = sorted(body["payload"]["custom_details"])
    return method, path, headers.get("authorization"), body


def compare(counts, done, what):
    for kind, count in counts.items():
        want = done.get(kind, 0) + count
        for who in mails:
            until(f"{what}: {who} sent to {kind}", lambda who=who: len(providers.of(who, kind)) >= want, seconds=30)
        got = [differences(kind, r) for r in providers.of("varve", kind)[done.get(kind, 0):want]]
        peer = [differences(kind, r) for r in providers.of("peer", kind)[done.get(kind, 0):want]]
        key = lambda r: (r[0], r[1], json.dumps(r[3].get("parse_mode", "")))
        for a, b in zip(sorted(got, key=key), sorted(peer, key=key)):
            equal(a, b, f"{what}: {kind}")
        done[kind] = want


def mails_of(who, begin):
    return sorted(mails[who].taken()[begin:begin + 2], key=lambda m: m[1])


def compare_mails(begin, what):
    for who in mails:
        until(f"{what}: {who} sent its mails", lambda who=who: len(mails[who].taken()) >= begin + 2, seconds=30)
    for (a_from, a_to, a), (b_from, b_to, b) in zip(mails_of("varve", begin), mails_of("peer", begin)):
        equal((a_from, a_to), (b_from, b_to), f"{what}: envelope")
        (a_headers, a_parts), (b_headers, b_parts) = parts(a), parts(b)
        for name in ("Message-Id", "Date", "Content-Type"):
            check(a_headers.pop(name) and b_headers.pop(name), f"{what}: {name}")
        equal(a_headers, b_headers, f"{what}: headers")
        if a_to[0] == "ops@x.org":  # the same words and links; looks are of each program
            equal(visible(a_parts["text/html"]), visible(b_parts["text/html"]), f"{what}: the default mail")
        else:
            equal(a_parts, b_parts, f"{what}: parts")


step("alerts fire: what both send")
done = {}
post()
compare(KINDS, done, "firing")
compare_mails(0, "firing")
pages = providers.of("varve", "pagerduty-default")[0][3]
equal((pages["payload"]["custom_details"]["num_firing"], [a["status"] for a in pages["payload"]["custom_details"]["firing"]]),
      (2, ["firing", "firing"]), "details as JSON")

step("they are resolved: what both send")
post(resolved=True)
compare(RESOLVED, done, "resolved")
compare_mails(2, "resolved")
equal(providers.of("varve", "pagerduty")[1][3]["event_action"], "resolve", "the incident is closed")
s.stop()

step("mail over TLS")


def openssl(*argv):
    r = subprocess.run(["openssl", *argv], capture_output=True, text=True)
    check(r.returncode == 0, f"openssl {argv}: {r.stderr}")


openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=mail",
        "-addext", "subjectAltName=DNS:mail.x", "-keyout", f"{d}/key", "-out", f"{d}/crt")
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(f"{d}/crt", f"{d}/key")
started, implicit = MailServer(tls=context, auth="LOGIN PLAIN"), MailServer(tls=context, implicit=True, auth="CRAM-MD5")
strict, plain = MailServer(tls=context), MailServer()
TLS = {"tls_config": {"ca_file": f"{d}/crt", "server_name": "mail.x"}}


def mail(server, **keys):
    return {"smarthost": f"127.0.0.1:{server.port}", "from": "a@x", "to": "b@x", "auth_username": "me", "html": "x", **keys}


put("tls.yml", json.dumps({
    "route": {"receiver": "r", "group_wait": "0s", "group_interval": "1m"},
    "receivers": [{"name": "r", "email_configs": [
        mail(started, auth_password="pass-word-1", **TLS),
        mail(implicit, auth_secret="pass-word-2", force_implicit_tls=True, **TLS),
        mail(strict, auth_password="pass-word-3"),  # an authority nobody knows
        mail(plain, auth_password="pass-word-4")]}]}))
s = Server(flags=[f"--alertmanager.config-file={d}/tls.yml"])
c = http.client.HTTPConnection("127.0.0.1", s.port, timeout=20)
c.request("POST", "/alertmanager/api/v2/alerts", '[{"labels":{"alertname":"A"}}]', {"Content-Type": "application/json"})
equal(c.getresponse().status, 200, "an alert is taken")
until("mails over TLS", lambda: len(started.taken()) == 1 and len(implicit.taken()) == 1)
equal([(secure, words[0]) for secure, words in started.logins + implicit.logins], [(True, "PLAIN"), (True, "CRAM-MD5")],
      "logins over TLS")
time.sleep(1)
equal((strict.taken(), strict.logins, plain.taken(), plain.logins), ([], [], [], []), "nothing without trust, nothing in the clear")
check("pass-word" not in s.log(), "no password in the log")
s.stop()
print("ok")
