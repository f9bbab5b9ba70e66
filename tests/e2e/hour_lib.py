"""A scripted hour of alerts: what is posted and when, providers that write down what they are sent, and how two records
of an hour are compared. data/hour has the script, the configuration and the record of Debian's Alertmanager."""
import datetime
import hashlib
import http.server
import json
import os
import re
import threading

from mail_lib import MailServer, parts, visible

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data", "hour")
URL = "http://h.example:9093"  # and /alertmanager, which our server adds by itself
AFTER_S = 900  # that long a sender tells again of an alert that has ended, as Prometheus does


def script():
    with open(os.path.join(FOLDER, "script.json"), encoding="utf-8") as f:
        return json.load(f)


def digest():
    """Of the script and the configuration: a record is of one of them."""
    h = hashlib.sha256()
    for name in ("script.json", "alertmanager.yml"):
        with open(os.path.join(FOLDER, name), "rb") as f:
            h.update(f.read())
    return h.hexdigest()


def configuration(t0_ms, http_port, smtp_port):
    """The configuration as text: @HTTP@ and @SMTP@ are the providers, @+14m@ is the time of day 14 minutes into the hour."""
    with open(os.path.join(FOLDER, "alertmanager.yml"), encoding="utf-8") as f:
        text = f.read()
    clock = lambda m: f"{datetime.datetime.fromtimestamp(t0_ms / 1000 + 60 * int(m[1]), datetime.timezone.utc):%H:%M}"
    text = text.replace("@HTTP@", f"http://127.0.0.1:{http_port}").replace("@SMTP@", f"127.0.0.1:{smtp_port}")
    return re.sub(r"@\+(\d+)m@", clock, text)


def rfc3339(ms):
    return f"{datetime.datetime.fromtimestamp(ms // 1000, datetime.timezone.utc):%Y-%m-%dT%H:%M:%S}.{ms % 1000:03}Z"


# ---- What is posted ----

class Alert:
    """One of a sender's, with what Prometheus remembers of it."""

    def __init__(self, spec, instance, shift_s):
        self.spec, self.shift_s = spec, shift_s
        self.labels = {**spec["labels"], **({"instance": instance} if instance else {})}
        self.began_s = self.ended_s = self.sent_s = None

    def look(self, sender, at_s):
        """(startsAt, endsAt or None) in seconds when it is to be posted at this look of the sender's, else None."""
        fires = any(a + self.shift_s <= at_s < b for a, b in self.spec["fires"])
        if fires and (self.began_s is None or self.ended_s is not None):
            self.began_s, self.ended_s, self.sent_s = at_s, None, None
        elif not fires and self.began_s is not None and self.ended_s is None:
            self.ended_s, self.sent_s = at_s, None
        if self.began_s is None or (self.ended_s is not None and
                                    (self.spec.get("ending") == "silent" or at_s > self.ended_s + AFTER_S)):
            return None
        if self.sent_s is not None and self.sent_s + sender["resend"] >= at_s:
            return None
        self.sent_s = at_s
        ends_s = self.ended_s
        if ends_s is None and sender.get("ends", True):
            ends_s = at_s + 4 * max(sender["resend"], sender["every"])
        return self.began_s + self.spec.get("began", 0), ends_s

    def posted(self, times, at_s, t0_ms):
        name = self.labels["alertname"]
        a = {"labels": self.labels, "startsAt": rfc3339(round(t0_ms + times[0] * 1000)), "generatorURL": "http://p:9090/graph?g0.expr=" +
             hashlib.sha256(name.encode()).hexdigest()[:6] + "&g0.tab=1",
             "annotations": {"summary": f"{name} on {self.labels.get('instance', 'all')}"}}
        if self.spec.get("changing"):
            a["annotations"]["value"] = f"{at_s // 300} of <many>"
        if times[1] is not None:
            a["endsAt"] = rfc3339(round(t0_ms + times[1] * 1000))
        return a


def alerts_of(sender):
    out = []
    for spec in sender["alerts"]:
        names = spec.get("instances", [None])
        out += [Alert(spec, name, i * spec.get("stagger", 0)) for i, name in enumerate(names)]
    return out


def events(of, t0_ms):
    """[(ms since the beginning, "alerts", body) or (ms, "silence", entry of the script)] in order."""
    out = []
    for sender in of["senders"]:
        alerts, at_s = alerts_of(sender), sender["phase"]
        while at_s < of["seconds"]:
            looks = [(a, a.look(sender, at_s)) for a in alerts]
            body = [a.posted(times, at_s, t0_ms) for a, times in looks if times]
            if body:
                out.append((round(at_s * 1000), "alerts", body))
            at_s += sender["every"]
    out += [(s["at"] * 1000, "silence", s) for s in of["silences"]]
    return sorted(out, key=lambda e: e[0])


MATCHER = re.compile(r"(\w+)(!~|=~|!=|=)(.*)")


class Silences:
    """Silences of the script at one server: what is said of each, with the ids that the server gave."""

    def __init__(self):
        self.ids, self.said = {}, {}

    def request(self, s, t0_ms):
        """(method, path below /api/v2, body or None)"""
        if s["do"] == "end":
            return "DELETE", "/silence/" + self.ids[s["name"]], None
        body = dict(self.said.get(s["name"], {"createdBy": "me", "comment": s["name"]}))
        if "matchers" in s:
            body["matchers"] = [{"name": m[1], "value": m[3], "isRegex": m[2].endswith("~"), "isEqual": m[2][0] == "="}
                                for m in map(MATCHER.fullmatch, s["matchers"])]
        if s["do"] == "make":
            body["startsAt"] = rfc3339(t0_ms + s.get("from", s["at"]) * 1000)
        else:
            body["id"] = self.ids[s["name"]]
        body["endsAt"] = rfc3339(t0_ms + s["until"] * 1000)
        self.said[s["name"]] = {k: v for k, v in body.items() if k != "id"}
        return "POST", "/silences", body


# ---- Providers ----

class Providers:
    """All providers of the configuration: requests to /RECEIVER/KIND/INDEX/..., mails to RECEIVER-INDEX@. `offset_ms()` says
    how far the hour has gone; `records` are what came, as the golden file has them."""

    def __init__(self, outages, offset_ms):
        self.outages, self.offset_ms, self.records, self.lock = outages, offset_ms, [], threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                _, receiver, kind, index, *rest = self.path.split("/")
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status = outer.put(f"{receiver}/{kind}/{index}", 202 if kind in ("opsgenie", "pagerduty") else 200,
                                   normal(kind, self.command, "/".join(rest), self.headers.get("Authorization"), body))
                answer, content_type = (b"ok", "text/plain") if kind == "slack" else (b"{}", "application/json")
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_PUT = do_POST

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *args: None  # clients that give up
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.mail = MailServer(judge=self.judge)

    def judge(self, sender, recipients, message):
        receiver, index = recipients[0].split("@")[0].rsplit("-", 1)
        status = self.put(f"{receiver}/email/{index}", 250, normal_mail(sender, recipients, message))
        return f"{status} " + ("taken" if status == 250 else "not now")

    def put(self, to, status, body):
        at_ms = self.offset_ms()
        for o in self.outages:
            if o["to"] == to and o["from"] * 1000 <= at_ms < o["until"] * 1000:
                status = o["status"]
        with self.lock:
            self.records.append({"at": at_ms, "to": to, "status": status, "body": body})
        return status

    def taken(self):
        with self.lock:
            return sorted(self.records, key=lambda r: (r["at"], r["to"]))


def normal(kind, method, path, authorization, body):
    """A request with what is otherwise since 0.25, or of this program, taken out."""
    if kind == "webhook":
        body.pop("notification_reason", None)  # since 0.32
        body.pop("routeLabels", None)
        for a in body["alerts"]:
            a["endsAt"] = a["endsAt"][:19] + "Z"  # resolve_timeout counts from when an alert came
    details = body.get("payload", {}).get("custom_details", {})
    for name in ("firing", "num_firing", "num_resolved", "resolved"):
        if name in details and not str(details[name]).startswith("[ "):  # the default: JSON since 0.30, text before
            details[name] = "default"
    return body if kind in ("webhook", "slack") else {"": " ".join(filter(None, (method, path, authorization))), **body}


def normal_mail(sender, recipients, message):
    headers, texts = parts(message)
    for name in ("Message-Id", "Date", "Content-Type"):  # of each mail, of the moment
        headers.pop(name, None)
    html = texts.get("text/html", "")
    if "<style" in html or "<!DOCTYPE" in html or "<html" in html:  # the default: the same words and links
        texts["text/html"] = " ".join(visible(html))
    return {"from": sender, "to": recipients, "headers": headers, **texts}


# ---- Records ----

def write_record(path, header, records):
    with open(path, "w", encoding="utf-8") as f:
        for line in (header, *records):
            f.write(json.dumps(line, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n")


def read_record(path):
    """(header, records)"""
    with open(path, encoding="utf-8") as f:
        lines = [json.loads(line) for line in f]
    return lines[0], lines[1:]


def group_of(record):
    """What tells the groups of one integration apart."""
    b = record["body"]
    for key in ("groupKey", "dedup_key", "alias"):
        if key in b:
            return b[key]
    if "attachments" in b:
        return b["attachments"][0].get("footer", "")
    if "" in b:
        return re.sub(r".*alerts/(\w+)/.*", r"\1", b[""])
    return b.get("headers", {}).get("X-Group", "")


def is_sent(record):
    return record["status"] < 300


def by(key, records):
    out = {}
    for r in records:
        out.setdefault(key(r), []).append(r)
    return out


def tries(records):
    """Of one group: [(delivered or None, its first failed try or None)]; what was never delivered comes last."""
    out, failed = [], None
    for r in records:
        if is_sent(r):
            out.append((r, failed))
            failed = None
        elif failed is None:
            failed = r
    return out + ([(None, failed)] if failed else [])


class Comparison:
    """Alertmanager's record of the hour and ours. `problems` is what differs beyond what must: within TOLERANCE_MS is the same
    time. What may differ:
    - Tries after the first are not compared one by one, and what is delivered after them comes in the minute after the
      provider is back: both have jitter in their pauses.
    - Alertmanager 0.25 does not read the answer to the end of a mail, so it takes a refused one for sent and never tries it
      again (later versions do). Ours must be delivered once the server takes it.
    - AT_ONCE: one by one, deliveries at which a group was made of alerts that had waited long enough elsewhere, and so was
      flushed at once: with all alerts of the request that brought them, but by Alertmanager with those of them that were in
      the group when its timer ran, at least the first."""

    AT_ONCE = {("night/webhook/0", 1562)}  # where, and the second; found in the record

    TOLERANCE_MS, RETRY_MS = 1000, 60000

    def __init__(self, golden, got, outages):
        self.problems, self.pairs, self.outages = [], [], outages
        a, b = by(lambda r: (r["to"], group_of(r)), golden), by(lambda r: (r["to"], group_of(r)), got)
        for key in sorted({*a, *b}):
            self.compare_group(key, tries(a.get(key, [])), tries(b.get(key, [])))
        for to, pairs in by(lambda p: p[0]["to"], self.pairs).items():
            self.compare_order(to, pairs)

    def say(self, key, text):
        self.problems.append(f"{key[0]} {key[1]}: {text}")

    def compare_group(self, key, a, b):
        if "/email/" in key[0]:
            a = [pair for sent, refused in a for pair in ([(refused, None)] if refused else []) + ([(sent, None)] if sent else [])]
        for i in range(max(len(a), len(b))):
            if i >= len(a) or i >= len(b):
                r = next(x for x in (a if i < len(a) else b)[i] if x)
                self.say(key, f"{'missing' if i < len(a) else 'too much'}: at {r['at']} ms: {shown(r)}")
                return
            (sent, failed), (our_sent, our_failed) = a[i], b[i]
            if failed is None and not is_sent(sent):  # the mail that was refused
                failed = sent
            if (sent is None, failed is None) != (our_sent is None, our_failed is None):
                self.say(key, f"at {(sent or failed)['at']} ms: delivered or failed otherwise: {b[i]}")
                return
            if failed:
                self.compare_pair(key, failed, our_failed)
            if sent and not failed:
                self.compare_pair(key, sent, our_sent)
            elif sent:
                self.compare_retried(key, sent, our_sent)

    def compare_pair(self, key, a, b):
        self.pairs.append((a, b))
        if abs(a["at"] - b["at"]) > self.TOLERANCE_MS:
            self.say(key, f"at {b['at']} ms, not {a['at']}: {shown(a)}")
        if (key[0], a["at"] // 1000) in self.AT_ONCE and is_part(a["body"], b["body"]):
            return
        if (a["status"], a["body"]) != (b["status"], b["body"]):
            self.say(key, f"at {a['at']} ms: {first_difference(a['body'], b['body'])}")

    def compare_retried(self, key, a, b):
        times = [r["at"] for r in (a, b) if is_sent(r)]
        ends = [o["until"] * 1000 for o in self.outages if o["to"] == key[0] and o["until"] * 1000 <= min(times)]
        if not ends or max(times) - max(ends) > self.RETRY_MS:
            self.say(key, f"tried again at {times} ms, of outages that ended at {ends}")
        if a["body"] != b["body"]:
            self.say(key, f"tried again at {a['at']} ms: {first_difference(a['body'], b['body'])}")

    def compare_order(self, to, pairs):
        """What came 200 ms apart or more comes in the same order."""
        pairs = sorted(pairs, key=lambda p: p[0]["at"])
        for (a, our_a), (b, our_b) in zip(pairs, pairs[1:]):
            if b["at"] - a["at"] >= 200 and our_b["at"] < our_a["at"]:
                self.say((to, ""), f"order of {a['at']} and {b['at']} ms: {our_a['at']}, {our_b['at']}")

    def lateness(self):
        return sorted(b["at"] - a["at"] for a, b in self.pairs)


def is_part(a, b):
    """Do two webhooks differ only in that the first has fewer of the alerts?"""
    rest = lambda body: {k: v for k, v in body.items() if k != "alerts" and not k.startswith("common")}
    return rest(a) == rest(b) and 0 < len(a["alerts"]) and all(x in b["alerts"] for x in a["alerts"])


def shown(record):
    return json.dumps(record["body"], ensure_ascii=False, sort_keys=True)[:300]


def first_difference(a, b, path=""):
    """Where two bodies differ."""
    if isinstance(a, dict) and isinstance(b, dict):
        for k in sorted({*a, *b}):
            if a.get(k) != b.get(k):
                return first_difference(a.get(k), b.get(k), f"{path}.{k}")
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for i, (x, y) in enumerate(zip(a, b)):
            if x != y:
                return first_difference(x, y, f"{path}[{i}]")
    return f"{path}: {b!r}, want {a!r}"
