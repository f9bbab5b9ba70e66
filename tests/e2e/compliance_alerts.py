"""Is this a correct generator of alerts, by the clock? `compliance_alerts.py VARVE` or `compliance_alerts.py prometheus`, 38 minutes.

It asks what Prometheus' compliance suite asks, at the same times and with the same tolerances: samples by remote write
each 15 s; every 30 s /api/v1/alerts, /api/v1/rules and the series ALERTS; and each alert posted to an Alertmanager, which
must be expected, in time, and with the right beginning and end. The cases are in compliance_cases.py. Exits 1 when a
group failed. Too long for each day: tests/e2e/test_alert_compliance.py is the same in short.
"""
import datetime
import http.server
import json
import os
import sys
import threading
import time
import urllib.parse
import urllib.request

from compliance_cases import INTERVAL_S, RESEND_S, RESOLVED_S, RTT_S, SAMPLE_S, all_cases, rules_file
from lib import Server, field, folder, snappy, start, free_port, time_series, V1

FOUND, FOUND_LOCK = [], threading.Lock()


def found(group, text):
    with FOUND_LOCK:
        FOUND.append(group)
    print(f"[{time.strftime('%H:%M:%S')}] {group}: {text}", flush=True)


def instant(text):
    """Seconds since 1970 of an RFC 3339 time, to the microsecond; 0 of Go's zero time."""
    head, dot, rest = text.replace("Z", "+00:00").partition(".")
    if dot:
        digits = rest[:next(i for i, c in enumerate(rest) if not c.isdigit())]
        head += "." + digits[:6].ljust(6, "0") + rest[len(digits):]
    t = datetime.datetime.fromisoformat(head)
    return 0 if t.year == 1 else t.timestamp()


class Told:
    """One alert that somebody must be told of at a time: it may come between `at` and `at` + tolerance (and two requests' time)."""

    def __init__(self, zero, row, sample, order):
        rule, more, texts, first, _, follows, resolved, starts, self.resolved, new = row
        moment = lambda n: zero + n * SAMPLE_S
        self.group, self.order = rule.labels["rulegroup"], order
        self.labels, self.annotations = {"alertname": rule.name, **rule.labels, **more}, texts
        self.at, self.starts, self.resolved_at = zero + sample, moment(starts), moment(resolved)
        self.follows = None if follows is None else moment(follows)
        self.again = not (new and sample == first * SAMPLE_S)
        self.tolerance = 2 * INTERVAL_S if self.resolved and not self.again else INTERVAL_S

    def key(self):
        return json.dumps(self.labels, sort_keys=True)

    def late(self, now):
        return self.at + self.tolerance + 2 * RTT_S < now

    def in_time(self, now):
        return self.at < now < self.at + self.tolerance + 2 * RTT_S

    def too_long_over(self):
        return self.resolved and self.at - self.resolved_at > RESOLVED_S

    def void(self):
        return self.too_long_over() or (self.follows is not None and self.at > self.follows)

    def may_miss(self):
        passed = lambda t: self.in_time(t) or self.at > t
        return self.too_long_over() or (self.follows is not None and passed(self.follows)) or (not self.resolved and passed(self.resolved_at))

    def wrong(self, now, a):
        """What is wrong with an alert that came now; None: it is this one."""
        near = lambda want, got: want < got < want + self.tolerance
        starts, ends = (instant(a.get(k) or "0001-01-01T00:00:00Z") for k in ("startsAt", "endsAt"))
        if a["labels"] != self.labels:
            return f"labels {a['labels']}, want {self.labels}"
        if a.get("annotations", {}) != self.annotations:
            return f"annotations {a.get('annotations')}, want {self.annotations}"
        if not self.in_time(now):
            return f"came {now - self.at:.1f} s after its time"
        if starts and not near(self.starts, starts):
            return f"startsAt is {starts - self.starts:.1f} s after it fired"
        want = self.resolved_at if self.resolved else now + 4 * max(RESEND_S, INTERVAL_S)
        if ends and not near(want, ends) and not near(want - 2 * RTT_S, ends):
            return f"endsAt is {ends - want:.1f} s after what it should be"
        urllib.parse.urlparse(a.get("generatorURL", ""))
        return None


class Alertmanager:
    """Takes alerts and compares them with those expected."""

    def __init__(self):
        self.lock, self.waiting, self.count, outer = threading.Lock(), {}, 0, self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                now = time.time()
                outer.take(now, json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def expect(self, case, zero):
        with self.lock:
            order = 0
            for row in case.told:
                for sample in range(row[3] * SAMPLE_S, row[4] * SAMPLE_S, RESEND_S):
                    order += 1
                    t = Told(zero, row, sample, order)
                    self.waiting.setdefault(t.key(), []).append(t)

    def sweep(self, now):
        """Forget what is late; it was missed, unless it was not sure to come."""
        for key, waiting in self.waiting.items():
            for t in waiting:
                if not t.void() and t.late(now) and not t.may_miss():
                    found(t.group, f"never came: {t.labels}, resolved: {t.resolved}, again: {t.again}, {now - t.at:.0f} s ago")
            self.waiting[key] = [t for t in waiting if not t.void() and not t.late(now)]

    def take(self, now, alerts):
        with self.lock:
            matched = [self.take_one(now, a) for a in alerts]
            self.count += len(alerts)
            for t in matched:
                # The next of the same alert comes a resend delay after this one, not after the plan.
                for later in self.waiting.get(t.key(), []) if t else []:
                    if not later.again:
                        break
                    later.at = now + RESEND_S - RTT_S

    def take_one(self, now, a):
        self.sweep(now)
        group, key = a["labels"].get("rulegroup", "?"), json.dumps(a["labels"], sort_keys=True)
        possible = [t for t in self.waiting.get(key, []) if t.in_time(now)]
        if not possible:
            return found(group, f"not expected now: {a}")
        wrongs = [t.wrong(now, a) for t in possible]
        if None not in wrongs:
            return found(group, f"{wrongs[0]}: {a}")
        at = wrongs.index(None)
        skipped = False
        for t in possible[:at]:
            if t.may_miss():
                skipped = t.again
            elif not (skipped and t.again):
                skipped = False
                found(group, f"another came instead of {t.labels}, resolved: {t.resolved}, again: {t.again}")
        gone = set(map(id, possible[:at + 1]))
        self.waiting[key] = [t for t in self.waiting[key] if id(t) not in gone]
        return possible[at]

    def remaining(self):
        return [t for waiting in self.waiting.values() for t in waiting if not t.again]


def alerts_differ(zero, want, got):
    """None, or how alerts of the API differ from one picture."""
    key = lambda a: sorted(a["labels"].items())
    want, got = sorted(want, key=key), sorted(got, key=key)
    if len(want) != len(got):
        return f"{len(got)} alerts, not {len(want)}: {got}"
    for w, g in zip(want, got):
        if any(w[k] != g.get(k) for k in ("labels", "annotations", "state")) or float(g["value"]) != w["value"]:
            return f"{g}, not {w['labels']} {w['annotations']} {w['state']} {w['value']}"
        began = instant(g["activeAt"]) - (zero + w["active"] * SAMPLE_S)
        if not -0.001 <= began <= INTERVAL_S + 2 * RTT_S:
            return f"activeAt {began:.1f} s after the sample that began it: {g}"
    return None


def state_of(rule, picture):
    states = {a["state"] for a in picture if a["rule"] is rule}
    return "firing" if "firing" in states else "pending" if states else "inactive"


def rule_differs(now, rule, picture, got):
    want = {"state": state_of(rule, picture), "name": rule.name, "duration": rule.wait, "labels": rule.labels, "annotations": rule.annotations,
            "health": "ok", "type": "alerting"}
    wrong = {k: got.get(k) for k, v in want.items() if got.get(k) != v}
    squeeze = lambda text: "".join(sorted(text.replace(" ", "").replace(",", "")))  # matchers may be told in another order
    if squeeze(got["query"].replace(f'__name__="{rule.metric["__name__"]}"', rule.metric["__name__"])) != squeeze(
            rule.expr.replace(f'__name__="{rule.metric["__name__"]}"', rule.metric["__name__"])):
        wrong["query"] = got["query"]
    if got.get("lastError") or wrong:
        return f"rule {rule.name}: {wrong} {got.get('lastError')}"
    if instant(got["lastEvaluation"]) < now - RTT_S - INTERVAL_S:
        return f"rule {rule.name}: last evaluated {now - instant(got['lastEvaluation']):.1f} s ago"
    return None


def group_differs(now, zero, case, picture, got):
    if got["interval"] != INTERVAL_S or len(got["rules"]) != len(case.rules):
        return f"interval {got['interval']}, {len(got['rules'])} rules"
    if instant(got["lastEvaluation"]) < now - RTT_S - INTERVAL_S:
        return f"last evaluated {now - instant(got['lastEvaluation']):.1f} s ago"
    by_name = {r["name"]: r for r in got["rules"]}
    for rule in case.rules:
        wrong = rule_differs(now, rule, picture, by_name[rule.name])
        if wrong:
            return wrong
    return alerts_differ(zero, picture, [a for r in got["rules"] for a in r["alerts"]])


def series_differ(asked, picture, got):
    key = lambda labels: json.dumps(labels, sort_keys=True)
    want = sorted(key({**a["labels"], "__name__": "ALERTS", "alertstate": a["state"]}) for a in picture)
    seen = sorted(key(s["metric"]) for s in got)
    if want != seen:
        return f"{seen}, not {want}"
    wrong = [s for s in got if float(s["value"][1]) != 1 or int(s["value"][0]) != asked]
    return f"{wrong} at {asked}" if wrong else None


class Run:
    def __init__(self, url, manager):
        self.url, self.manager, self.lock = url, manager, threading.Lock()
        self.cases = {c.name: c for c in all_cases()}
        self.zero, self.over = 0, threading.Event()

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=10) as r:
            answer = json.load(r)
        assert answer["status"] == "success", answer
        return answer["data"]

    def send(self):
        """All samples of all cases, each at its time."""
        series = [s for c in self.cases.values() for s in c.series]
        for i in range(max(len(v) for _, v in series)):
            at_ms = int(self.zero * 1000) + i * SAMPLE_S * 1000
            if self.over.wait(max(0, at_ms / 1000 - time.time())):
                return
            body = snappy(b"".join(time_series(labels, [(at_ms, v[i])]) for labels, v in series if i < len(v)))
            for attempt in range(3):
                try:
                    urllib.request.urlopen(urllib.request.Request(self.url + "/api/v1/write", body, V1), timeout=2).read()
                    break
                except OSError as e:
                    print(f"write {i}, attempt {attempt}: {e}", flush=True)
                    time.sleep(1)
            else:
                found("remote write", f"sample {i} was not taken")

    def each(self, look):
        """look(now) -> {group: function of a picture}, every 30 s until all groups are done."""
        while not self.over.wait(INTERVAL_S):
            now = time.time()
            try:
                compare = look(now)
            except Exception as e:  # as the suite does: try again at the next time
                found("request", repr(e))
                continue
            self.judge(now, compare)

    def judge(self, now, compare):
        with self.lock:
            for name, case in list(self.cases.items()):
                if now > self.zero + case.until * SAMPLE_S:
                    print(f"[{time.strftime('%H:%M:%S')}] {name} is done", flush=True)
                    del self.cases[name]
                    continue
                wrongs = [compare(case, p) for p in case.pictures(now - self.zero)]
                if None not in wrongs:
                    found(name, f"{now - self.zero:.0f} s, {compare.__name__}: " + " | ".join(wrongs))
            if not self.cases:
                self.over.set()

    def look_alerts(self, now):
        got = self.get("/api/v1/alerts")["alerts"]

        def alerts(case, picture):
            return alerts_differ(self.zero, picture, [a for a in got if a["labels"].get("rulegroup") == case.name])
        return alerts

    def look_rules(self, now):
        got = {g["name"]: g for g in self.get("/api/v1/rules")["groups"]}

        def rules(case, picture):
            if now - self.zero < 2 * INTERVAL_S:
                return None
            return group_differs(now, self.zero, case, picture, got[case.name]) if case.name in got else "no such group"
        return rules

    def look_series(self, now):
        text = datetime.datetime.fromtimestamp(int(now), datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        got = self.get("/api/v1/query?" + urllib.parse.urlencode({"query": "ALERTS", "time": text}))["result"]

        def series(case, picture):
            return series_differ(int(now), picture, [s for s in got if s["metric"].get("rulegroup") == case.name])
        return series

    def sweep(self):
        while not self.over.wait(60):
            with self.manager.lock:
                self.manager.sweep(time.time())

    def run(self):
        self.zero = int(time.time() * 1000) / 1000
        for c in self.cases.values():
            self.manager.expect(c, self.zero)
        threads = [threading.Thread(target=self.send), threading.Thread(target=self.sweep)]
        for t in threads:
            t.start()
        time.sleep(SAMPLE_S / 2)
        lookers = [threading.Thread(target=self.each, args=(f,)) for f in (self.look_alerts, self.look_rules, self.look_series)]
        for t in lookers:
            t.start()
        for t in threads + lookers:
            t.join()
        for t in self.manager.remaining():
            found(t.group, f"still expected: {t.labels}, resolved: {t.resolved}")


def serve(d, manager):
    """Starts what is judged; its URL."""
    with open(os.path.join(d, "rules.yml"), "w") as f:
        f.write(rules_file(all_cases()))
    config = os.path.join(d, "prometheus.yml")
    with open(config, "w") as f:
        f.write("global: {evaluation_interval: 1m}\nrule_files: [rules.yml]\nalerting:\n  alertmanagers:\n"
                f"  - static_configs: [{{targets: ['127.0.0.1:{manager.port}']}}]\n")
    if os.path.basename(sys.argv[1]) != "prometheus":
        return f"http://127.0.0.1:{Server(flags=[f'--config.file={config}']).port}"
    port = free_port()
    with open(os.path.join(d, "log"), "ab") as log:
        start(["prometheus", f"--config.file={config}", f"--storage.tsdb.path={d}/data", "--web.enable-remote-write-receiver",
               f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
    for _ in range(200):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready").read()
            break
        except OSError:
            time.sleep(0.1)
    return f"http://127.0.0.1:{port}"


def main():
    manager = Alertmanager()
    run = Run(serve(folder(), manager), manager)
    names = list(run.cases)
    run.run()
    bad = sorted(set(FOUND))
    print(f"{len(names) - len(set(bad) & set(names))} of {len(names)} groups passed; {manager.count} alerts came", flush=True)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
