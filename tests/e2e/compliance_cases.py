"""Four groups of alerting rules with the samples they are given over 37 minutes, and what may be seen at each moment:
cases of the same shape as those of Prometheus' compliance suite for whoever generates alerts. compliance_alerts.py runs them.

Times are counted in samples, 15 s apart, from the first one on. A moment may allow more than one picture: rules are
evaluated every 30 s, and samples and requests take up to RTT_S.
"""
SAMPLE_S, INTERVAL_S, RESEND_S, RTT_S, RESOLVED_S = 15, 30, 60, 5, 900
METRIC = "compliance_source"


def expand(notation):
    """"3 0x2 9": 3, twice more of it, 9; AxB adds A, B times."""
    values, v = [], 0.0
    for token in notation.split():
        step, x, times = token.partition("x")
        if x:
            for _ in range(int(times)):
                v += float(step)
                values.append(v)
        else:
            v = float(token)
            values.append(v)
    return values


def within(t, first, last, early=0.0, late=INTERVAL_S):
    """Is t in the time from sample `first` to sample `last`, and somewhat more?"""
    return first * SAMPLE_S - early < t <= last * SAMPLE_S + late + 2 * RTT_S


def before(t, last):
    return within(t, 0, last)


def after(t, first, early=0.0):
    return within(t, first, 240, early, 0)


class Rule:
    def __init__(self, group, name, threshold=None, expr=None, wait=0, labels=None, annotations=None):
        self.name = f"{group}_{name}"
        self.metric = {"__name__": METRIC, "alertname": self.name, "rulegroup": group}
        self.expr = expr or '{__name__="%s", alertname="%s", rulegroup="%s"} > %d' % (METRIC, self.name, group, threshold)
        self.wait = wait
        self.labels = {**labels, "rulegroup": group}
        self.annotations = annotations

    def alert(self, state, value, active, texts, **more):
        """One alert of a picture: active is the sample that began it."""
        return {"rule": self, "labels": {"alertname": self.name, **self.labels, **more}, "annotations": texts, "state": state,
                "value": value, "active": active}


class Case:
    """rules: in order. series: [(labels, values)]. until: when it is over, in samples. pictures(t): the allowed lists of
    alerts t seconds after the first sample. told: [(rule, more labels, annotations, first, next, resolved, starts, last)],
    where the first is a sample and the rest are its followers: see Told in compliance_alerts.py."""
    rules, series, until, told = (), (), 0, ()

    def pictures(self, t):
        raise NotImplementedError


class WaitsFiresEnds(Case):
    """Waits, fires, ends, waits and fires again while its end is still told of; values change annotations."""
    name = "WaitsFiresEnds"

    def __init__(self):
        r = Rule(self.name, "Simple", 10, wait=360, labels={"foo": "bar"},
                 annotations={"description": "A simple alert", "summary": "The value is {{$value}} {{.Value}}"})
        self.rule, self.rules = r, [r]
        values = expand("3 5 0x2 9 0x3 11 0x12 15 0x11 0x20 19 0x15 9 0x19 15 0x24 0x20 8 0x15")
        self.series, self.until = [(r.metric, values)], len(values)
        eleven, fifteen, nineteen = (self.texts(v) for v in (11, 15, 19))
        self.told = [(r, {}, fifteen, 32, 53, 53, 69, 32, False, True), (r, {}, nineteen, 53, 69, 69, 69, 32, False, False),
                     (r, {}, nineteen, 69, 89, 89, 69, 32, True, True), (r, {}, fifteen, 113, 134, 134, 134, 113, False, True),
                     (r, {}, fifteen, 134, 194, None, 134, 113, True, True)]

    @staticmethod
    def texts(v):
        return {"description": "A simple alert", "summary": f"The value is {v} {v}"}

    def pictures(self, t):
        one = lambda state, v, active: [self.rule.alert(state, v, active, self.texts(v))]
        seen = []
        if before(t, 8) or within(t, 69, 89, 1) or after(t, 134):
            seen.append([])
        for first, last, state, v, active in ((8, 21, "pending", 11, 8), (21, 32, "pending", 15, 8), (32, 53, "firing", 15, 8),
                                              (53, 69, "firing", 19, 8), (89, 113, "pending", 15, 89), (113, 134, "firing", 15, 89)):
            if within(t, first, last, 1):
                seen.append(one(state, v, active))
        return seen


class WaitsOnly(Case):
    """Waits, then its data ends; and a rule that never begins. Nobody is told of anything."""
    name = "WaitsOnly"

    def __init__(self):
        self.rule = Rule(self.name, "Waiting", 10, wait=180, labels={"foo": "bar"}, annotations={"description": "A simple alert"})
        never = Rule(self.name, "Never", 99, wait=180, labels={"ba_dum": "tss"}, annotations={"description": "This never fires"})
        self.rules = [self.rule, never]
        values = expand("3 5 0x2 9 0x3 11 0x10 9")
        self.series, self.until = [(r.metric, values) for r in self.rules], len(values) + 40

    def pictures(self, t):
        seen = []
        if before(t, 8) or after(t, 19):
            seen.append([])
        if within(t, 8, 19, 1):
            seen.append([self.rule.alert("pending", 11, 8, self.rule.annotations)])
        return seen


QUERY = ("""{{ define "inner" }}With {{.arg0}} {{.arg1}} {{.arg2}}: {{ with query "%s{rulegroup='ZeroAndSmall',for='template'}" }}"""
         """first {{ . | sortByLabel "id" | first | label "id"}};{{ range $v := sortByLabel "id" .}} {{ . | label "id" }}="""
         """{{ . | value }}{{end}}{{end}}{{ end }}{{ template "inner" (args "foo" "bar" 99) }}""") % METRIC
NUMBERS = "{{humanize 1048576}} {{humanize1024 1048576}} {{humanizeDuration 135.3563}} {{humanizePercentage 0.959}} {{humanizeTimestamp 1643114203}}"
STRINGS = ("""{{title "this part"}} {{toUpper "is testing"}} {{toLower "THE STRINGS"}}. {{ stripPort "[::1]:6006"}} {{ stripPort "127.0.0.1:4004"}}. """
           """{{parseDuration "2h10m15s"}}. {{if match "[0-9]+" "1234"}}{{reReplaceAll "r.*d" "replaced" "rpld text"}}{{end}}. """
           """{{if match "[0-9]+$" "1234a"}}WRONG{{end}}.""")


class ZeroAndSmall(Case):
    """Without `for`: fires at once. With one below the interval: at the second evaluation. The first fires again when its
    first end is told of no longer."""
    name = "ZeroAndSmall"

    def __init__(self):
        self.zero = Rule(self.name, "Zero", 10, labels={"foo": "bar"},
                         annotations={"description": "Fires at once", "template_test": NUMBERS, "template_query_test": QUERY})
        self.small = Rule(self.name, "Small", 13, wait=15, labels={"ba_dum": "tss"},
                          annotations={"description": "Fires one later", "template_test": STRINGS})
        self.rules = [self.zero, self.small]
        values = expand("3 5 0x2 9 0x3 15 0x12 9 0x71 11 0x12 9")
        self.series, self.until = [(r.metric, values) for r in self.rules], len(values) + 20
        for i in (1, 2, 3):
            labels = {"__name__": METRIC, "rulegroup": self.name, "for": "template", "id": str(100 + i), "__value__": f"val{i}"}
            self.series.append((labels, expand(f"{i} 0x27 {2 * i} 0x200")))
        small = {"description": "Fires one later", "template_test": "This Part IS TESTING the strings. ::1 127.0.0.1. 7815. replaced text. ."}
        once, twice, self.small_texts = self.texts(1), self.texts(2), small
        self.told = [(self.zero, {}, once, 8, 21, 21, 21, 8, False, True), (self.zero, {}, once, 21, 81, 93, 21, 8, True, True),
                     (self.zero, {}, twice, 93, 106, 106, 106, 93, False, True), (self.zero, {}, twice, 106, 166, None, 106, 93, True, True),
                     (self.small, {}, small, 10, 21, 21, 21, 10, False, True), (self.small, {}, small, 21, 81, None, 21, 10, True, True)]

    @staticmethod
    def texts(k):
        return {"description": "Fires at once", "template_test": "1.049M 1Mi 2m 15s 95.9% 2022-01-25 12:36:43 +0000 UTC",
                "template_query_test": f"With foo bar 99: first 101; 101={k} 102={2 * k} 103={3 * k}"}

    def pictures(self, t):
        seen = []
        if before(t, 8) or within(t, 21, 93, 1) or after(t, 106):
            seen.append([])
        first, small = self.zero.alert("firing", 15, 8, self.texts(1)), lambda state: self.small.alert(state, 15, 8, self.small_texts)
        if within(t, 8, 21, 1) and within(t, 8, 8, 1, 2 * INTERVAL_S):
            seen.append([first, small("pending")])
        if within(t, 8, 21, 1) and within(t, 10, 21):
            seen.append([first, small("firing")])
        if within(t, 93, 106, 1):
            seen.append([self.zero.alert("firing", 11, 93, self.texts(2))])
        return seen


class MoreAndOrder(Case):
    """A second alert begins while the first fires; a rule that reads the ALERTS that the one before it has just written,
    and whose template sees the labels of the series, not those of the rule."""
    name = "MoreAndOrder"

    def __init__(self):
        a = Rule(self.name, "First", 10, wait=180, labels={"foo": "bar"}, annotations={"description": "More of it comes later"})
        one, two = ('ALERTS{alertstate="firing", alertname="%s", foo="bar", rulegroup="%s", variant="%s"}' % (a.name, self.name, v)
                    for v in ("one", "two"))
        b = Rule(self.name, "Second", expr=f"({one} + ignoring(variant) {two}) == 2", labels={"foo": "baz", "ba_dum": "tss"},
                 annotations={"description": "Based on ALERTS. It was {{$labels.alertname}}, foo was {{.Labels.foo}}."})
        self.first, self.second, self.rules = a, b, [a, b]
        one, two = expand("1 0x7 11 0x64 9 0x20"), expand("1 0x31 11 0x32 9 0x20")
        self.series = [({**a.metric, "variant": "one"}, one), ({**a.metric, "variant": "two"}, two)]
        self.until = max(len(one), len(two))
        self.second_texts = {"description": f"Based on ALERTS. It was {a.name}, foo was bar."}
        state = {"alertstate": "firing"}
        for r, more, texts, first, last in ((a, {"variant": "one"}, a.annotations, 20, 73), (a, {"variant": "two"}, a.annotations, 44, 65),
                                            (b, state, self.second_texts, 44, 65)):
            self.told = [*self.told, (r, more, texts, first, last, last, last, first, False, True),
                         (r, more, texts, last, last + 60, None, last, first, True, True)]

    def pictures(self, t):
        one_off, one_waits, one_fires = before(t, 8) or after(t, 73), within(t, 8, 20, 1), within(t, 20, 73, 1)
        two_off, two_waits, two_fires = before(t, 32) or after(t, 65), within(t, 32, 44, 1), within(t, 44, 73, 1)
        one = lambda state: self.first.alert(state, 11, 8, self.first.annotations, variant="one")
        two = lambda state: self.first.alert(state, 11, 32, self.first.annotations, variant="two")
        seen = []
        if one_off and two_off:
            seen.append([])
        if one_waits and two_off:
            seen.append([one("pending")])
        if one_fires and two_off:
            seen.append([one("firing")])
        if one_fires and two_waits:
            seen.append([one("firing"), two("pending")])
        if one_fires and two_fires:
            seen.append([one("firing"), two("firing"), self.second.alert("firing", 2, 44, self.second_texts, alertstate="firing")])
        return seen


def all_cases():
    return [WaitsFiresEnds(), WaitsOnly(), ZeroAndSmall(), MoreAndOrder()]


def rules_file(cases):
    """As JSON, which is YAML."""
    import json
    return json.dumps({"groups": [{"name": c.name, "interval": f"{INTERVAL_S}s", "rules": [
        {"alert": r.name, "expr": r.expr, **({"for": f"{r.wait}s"} if r.wait else {}), "labels": r.labels, "annotations": r.annotations}
        for r in c.rules]} for c in cases]}, indent=1)
