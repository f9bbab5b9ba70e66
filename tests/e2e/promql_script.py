"""PromQL test scripts, in the language of Prometheus' promqltest: reading, loading, checking.

    clear                                       forget all data
    load 30s                                    series, one value every 30 s from 1970 on
      m{a="b"} 1 2+3x4 _x2 stale {{sum:1}}x3    2+3x4 is 2 5 8 11 14, _ a gap, {{...}} a histogram
      m{a="b"}@st _ -10sx3                      start timestamps, relative to the sample of that place
    eval instant at 1m QUERY                    then: expect ... lines, then the result
    eval range from 0 to 1m step 30s QUERY

`expect` is followed by ordered, fail, warn, no_warn, info, no_info (and `msg: text` or `regex: re`),
`string "..."`, or `range vector from A to B step C`. A block ends at an empty line.
"""
import ast
import json
import math
import re
import struct
import urllib.parse

from lib import V1, V2, f64, field, label, post_write, v2_request, varint, zigzag

TOLERANCE = 1e-6  # relative to the sum of both values
STALE = "stale"
HINTS = {"unknown": 0, "reset": 1, "not_reset": 2, "gauge": 3}
UNITS = {"ms": 1, "s": 1000, "m": 60000, "h": 3600000, "d": 86400000, "w": 604800000, "y": 31536000000}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Bad(Exception):
    """What is wrong with a script, or with an answer."""


def duration_ms(text):
    sign = -1 if text.startswith("-") else 1
    text = text.lstrip("+-")
    if text.isdigit():
        return sign * int(text) * 1000
    parts = re.findall(r"(\d+)(ms|[smhdwy])", text)
    if not parts or "".join(n + u for n, u in parts) != text:
        raise Bad(f"bad duration {text!r}")
    return sign * sum(int(n) * UNITS[u] for n, u in parts)


# ---- Series ----

NUMBER = r"(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[iI]nf|[nN]a[nN])"
HISTOGRAM = r"\{\{[^}]*\}\}"
ITEM = re.compile(rf"(?P<gap>_)(?:x(?P<gaps>\d+))?(?=\s|$)|(?P<stale>stale)(?:x(?P<stales>\d+))?(?=\s|$)"
                  rf"|(?P<base>[+-]?{NUMBER})(?:(?P<by>[+-]{NUMBER})?x(?P<times>\d+))?(?=\s|$)"
                  rf"|(?P<hist>{HISTOGRAM})(?:(?P<sign>[+-])(?P<step>{HISTOGRAM}))?(?:x(?P<htimes>\d+))?(?=\s|$)")
STRING = r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|`[^`]*`'
PAIR = re.compile(rf"\s*(?:({STRING})|([\w:]+))\s*(?:=\s*({STRING}))?\s*(,|(?=\}}))")


def unquote(text):
    return text[1:-1] if text[0] == "`" else ast.literal_eval(text)


def number(text):
    return float(int(text, 16)) if "0x" in text.lower() else float(text)


def read_labels(text):
    """(labels as a sorted tuple of pairs, position behind them)"""
    name = re.match(r"[a-zA-Z_:][\w:]*", text)
    pos = name.end() if name else 0
    pairs = {"__name__": name.group()} if name else {}
    if text[pos:pos + 1] == "{" and text[pos:pos + 2] != "{{":
        pos += 1
        while not text[pos:].lstrip().startswith("}"):
            m = PAIR.match(text, pos)
            if not m:
                raise Bad(f"bad labels in {text!r}")
            key = unquote(m.group(1)) if m.group(1) else m.group(2)
            if m.group(3):
                pairs[key] = unquote(m.group(3))
            else:
                pairs["__name__"] = key
            pos = m.end()
        pos = text.index("}", pos) + 1
    elif not name:
        raise Bad(f"no series in {text!r}")
    return tuple(sorted((k, v) for k, v in pairs.items() if v)), pos


class Histogram:
    """A native histogram: buckets by index, so that layouts do not matter."""

    def __init__(self, text="{{}}"):
        items = dict(re.findall(r"(\w+):(\[[^\]]*\]|\S+)", text[2:-2]))
        listed = lambda key: [number(x) for x in items.get(key, "[]")[1:-1].split()]
        self.schema = int(items.get("schema", 0))
        self.count, self.sum = number(items.get("count", "0")), number(items.get("sum", "0"))
        self.zero, self.zero_width = number(items.get("z_bucket", "0")), number(items.get("z_bucket_w", "0"))
        self.custom = listed("custom_values")
        self.positive = dict(enumerate(listed("buckets"), int(items.get("offset", 0))))
        self.negative = dict(enumerate(listed("n_buckets"), int(items.get("n_offset", 0))))
        self.hint = HINTS[items.get("counter_reset_hint", "unknown")]

    def plus(self, other, sign):
        out = Histogram()
        out.__dict__.update(self.__dict__)
        if self.schema != other.schema or self.custom != other.custom or self.zero_width != other.zero_width:
            raise Bad("only histograms of one layout can be added in a series")
        for key in ("count", "sum", "zero"):
            setattr(out, key, getattr(self, key) + sign * getattr(other, key))
        for key in ("positive", "negative"):
            a, b = getattr(self, key), getattr(other, key)
            setattr(out, key, {i: a.get(i, 0) + sign * b.get(i, 0) for i in a.keys() | b.keys()})
        if sign < 0:
            out.hint = HINTS["gauge"]
        return out

    def bound(self, i):
        if self.schema == -53:
            return -math.inf if i < 0 else self.custom[i] if i < len(self.custom) else math.inf
        return math.ldexp(1, i << -self.schema) if self.schema < 0 else 2.0 ** (i / 2 ** self.schema)

    def shown(self):
        """As the API shows it: count, sum, [(rule, lower, upper, count)] of buckets that are not empty."""
        clip = self.zero_width if self.zero else 0
        buckets = [(1, -self.bound(i), -max(self.bound(i - 1), clip), n) for i, n in sorted(self.negative.items(), reverse=True)]
        buckets += [(3, -self.zero_width, self.zero_width, self.zero)]
        buckets += [(3 if self.schema == -53 and i == 0 else 0, max(self.bound(i - 1), clip) if clip else self.bound(i - 1),
                     self.bound(i), n) for i, n in sorted(self.positive.items())]
        return self.count, self.sum, [b for b in buckets if b[3]]

    def encode(self, ts_ms, start_ms):
        out = f64(2, self.count) + f64(3, self.sum) + varint(4 << 3) + zigzag(self.schema)
        out += f64(5, self.zero_width) + f64(7, self.zero)
        for spans, counts, side in ((8, 10, self.negative), (11, 13, self.positive)):
            end = 0
            for i in sorted(side):
                out += field(spans, varint(1 << 3) + zigzag(i - end) + varint(2 << 3) + varint(1))
                end = i + 1
            out += field(counts, b"".join(struct.pack("<d", side[i]) for i in sorted(side))) if side else b""
        out += varint(14 << 3) + varint(self.hint) + varint(15 << 3) + varint(ts_ms)
        out += field(16, b"".join(struct.pack("<d", v) for v in self.custom)) if self.custom else b""
        return out + (varint(17 << 3) + varint(start_ms) if start_ms else b"")


def read_values(text):
    values, pos = [], 0
    while text[pos:].strip():
        pos += len(text[pos:]) - len(text[pos:].lstrip())
        m = ITEM.match(text, pos)
        if not m:
            raise Bad(f"bad values at {text[pos:]!r}")
        pos = m.end()
        if m["gap"]:
            values += [None] * int(m["gaps"] or 1)
        elif m["stale"]:
            values += [STALE] * (int(m["stales"] or 0) + 1)
        elif m["hist"]:
            values.append(Histogram(m["hist"]))
            for _ in range(int(m["htimes"] or 0)):
                sign = {"+": 1, "-": -1}.get(m["sign"])
                values.append(values[-1].plus(Histogram(m["step"]), sign) if sign else values[-1])
        else:
            v = number(m["base"])
            for _ in range(int(m["times"] or 0) + 1):
                values.append(v)
                v += number(m["by"] or "0")
    return values


def read_starts(text):
    starts = []
    for item in text.split():
        m = re.fullmatch(r"(?:(_)|([+-]?\w*?[a-z0-9])([+-]\w+?)?)(?:x(\d+))?", item)
        if not m:
            raise Bad(f"bad start timestamps {item!r}")
        if m[1]:
            starts += [None] * int(m[4] or 1)
        else:
            base, by = duration_ms(m[2]), duration_ms(m[3] or "0")
            starts += [base + k * by for k in range(int(m[4] or 0) + 1)]
    return starts


# ---- Scripts ----

class Load:
    def __init__(self, gap_ms, lines):
        self.samples = []  # (ts_ms, labels, value, start_ms)
        starts = {}
        for line in lines:
            labels, pos = read_labels(line)
            if line[pos:].startswith("@st"):
                starts[labels] = read_starts(line[pos + 3:])
                continue
            first = starts.pop(labels, [])
            for k, v in enumerate(read_values(line[pos:])):
                start = first[k] if k < len(first) and first[k] is not None else None
                if v is not None:
                    self.samples.append((k * gap_ms, labels, v, k * gap_ms + start if start is not None else 0))
        self.samples.sort(key=lambda s: s[0])

    def send(self, server):
        v2 = any(s[3] for s in self.samples)
        for k in range(0, len(self.samples), 5000):
            symbols, series = {"": 0}, []
            for ts, labels, v, start in self.samples[k:k + 5000]:
                if v == STALE:
                    v = struct.pack("<Q", 0x7FF0000000000002)
                if isinstance(v, Histogram):
                    point = field(3 if v2 else 4, v.encode(ts, start))
                else:
                    point = field(2, f64(1, v) + varint(2 << 3) + varint(ts) + (varint(3 << 3) + varint(start) if start else b""))
                if v2:
                    refs = b"".join(varint(symbols.setdefault(text, len(symbols))) for pair in labels for text in pair)
                    series.append(field(1, refs) + point)
                else:
                    series.append(field(1, b"".join(label(n, x) for n, x in labels) + point))
            message = v2_request(list(symbols), series) if v2 else b"".join(series)
            status, _, body = post_write(server, message, V2 if v2 else V1)
            if status not in (200, 204):
                raise Bad(f"write: {status} {body!r}")


EVAL = re.compile(r"eval\s+(?:instant\s+at\s+(\S+)|range\s+from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+))\s+(.+)")
EXPECT = re.compile(r"expect\s+(ordered|fail|warn|no_warn|info|no_info)(?:\s+(msg|regex):\s*(.+))?$")


class Eval:
    def __init__(self, line_number, head, lines):
        m = EVAL.fullmatch(head)
        if not m:
            raise Bad(f"bad eval {head!r}")
        self.line, self.query, self.instant = line_number, m[5], m[1] is not None
        self.start, self.end, self.step = (duration_ms(t) for t in (m[2], m[3], m[4])) if m[2] else (duration_ms(m[1]),) * 2 + (0,)
        self.expected = {}  # what -> [test of a text]
        self.string = self.scalar = self.matrix = None
        self.series = {}
        for text in lines:
            self.read(text)

    def read(self, text):
        m = EXPECT.match(text)
        if m:
            wanted = (m[3] or "").strip()
            test = {None: lambda t: True, "msg": lambda t: wanted in t, "regex": lambda t: re.search(wanted, t)}[m[2]]
            self.expected.setdefault(m[1], []).append(test)
        elif text.startswith("expect string"):
            self.string = unquote(text[len("expect string"):].strip())
        elif text.startswith("expect range vector"):
            m = re.fullmatch(r"expect range vector from (\S+) to (\S+) step (\S+)", text)
            self.matrix = [duration_ms(t) for t in m.groups()]
        elif re.fullmatch(rf"[+-]?{NUMBER}", text):
            self.scalar = number(text)
        else:
            labels, pos = read_labels(text)
            self.series[labels] = read_values(text[pos:])

    def points(self):
        """{labels: {time: value}}; of an instant vector the order counts too."""
        first, _, gap = self.matrix or (self.start, self.end, self.step)
        return {ls: {first + k * gap: v for k, v in enumerate(vs) if v is not None} for ls, vs in self.series.items()}


def read_script(text):
    """Sections between `clear`s, each a list of Load and Eval."""
    sections, block = [[]], []
    for n, raw in enumerate(text.split("\n") + [""], 1):
        line = raw.strip()
        if line.startswith("#"):
            continue
        if line == "clear" and not block:
            sections.append([])
        elif line:
            block.append((n, line))
        elif block:
            (at, head), lines = block[0], [x for _, x in block[1:]]
            block = []
            sections[-1].append(Load(duration_ms(head.split()[1]), lines) if head.startswith("load") else Eval(at, head, lines))
    return [s for s in sections if s]


# ---- Checking ----

def almost(a, b):
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    return a == b or abs(a - b) < TOLERANCE * max(abs(a) + abs(b), 1e-300)


def same(want, got):
    if isinstance(want, Histogram) != isinstance(got, dict):
        return False
    if not isinstance(want, Histogram):
        return almost(want, float(got))
    count, total, buckets = want.shown()
    shown = [[float(x) for x in b] for b in got.get("buckets", []) if float(b[3])]
    return (almost(count, float(got["count"])) and almost(total, float(got["sum"])) and len(buckets) == len(shown)
            and all(almost(x, y) for w, g in zip(buckets, shown) for x, y in zip(w, g)))


def shown_points(result):
    out = {}
    for r in result:
        pairs = r.get("values", []) + r.get("histograms", []) + [r[k] for k in ("value", "histogram") if k in r]
        key = tuple(sorted(r["metric"].items()))
        if key in out:
            raise Bad(f"twice in the result: {r['metric']}")
        out[key] = {round(t * 1000): v for t, v in pairs}
    return out


def check_points(want, got):
    if want.keys() != got.keys():
        raise Bad(f"missing {sorted(want.keys() - got.keys())}, not expected {sorted(got.keys() - want.keys())}")
    for labels, points in want.items():
        if points.keys() != got[labels].keys():
            raise Bad(f"{dict(labels)}: at {sorted(points)}, got {sorted(got[labels])}")
        for t, v in points.items():
            if not same(v, got[labels][t]):
                v = v.shown() if isinstance(v, Histogram) else v
                raise Bad(f"{dict(labels)} at {t / 1000} s: expected {v}, got {got[labels][t]}")


def ask(server, ev, start, end, step):
    params = {"query": ev.query, "time": start / 1000}
    if step:
        params = {"query": ev.query, "start": start / 1000, "end": end / 1000, "step": step / 1000}
    return json.loads(server.request("POST", "/api/v1/query" + ("_range" if step else ""), urllib.parse.urlencode(params), FORM)[2])


def check_texts(ev, answer):
    for key, must, must_not in (("warnings", "warn", "no_warn"), ("infos", "info", "no_info")):
        got = answer.get(key, [])
        if must_not in ev.expected and got:
            raise Bad(f"unexpected {got}")
        tests = ev.expected.get(must, [])
        if not all(any(t(text) for text in got) for t in tests) or (tests and not all(any(t(text) for t in tests) for text in got)):
            raise Bad(f"other {key} than expected: {got}")


def check_eval(server, ev):
    """Raise Bad unless the answer is the expected one; an instant query is asked as a range query too."""
    answer = ask(server, ev, ev.start, ev.end, ev.step)
    if "fail" in ev.expected:
        if answer["status"] != "error" or not all(t(answer["error"]) for t in ev.expected["fail"]):
            raise Bad(f"should have failed: {str(answer)[:300]}")
        return
    if answer["status"] != "success":
        raise Bad(answer["error"])
    check_texts(ev, answer)
    data = answer["data"]
    if ev.string is not None or ev.scalar is not None:
        want = ev.string if ev.string is not None else ev.scalar
        if data["resultType"] not in ("string", "scalar") or (
                data["result"][1] != want if ev.string is not None else not almost(want, float(data["result"][1]))):
            raise Bad(f"expected {want!r}, got {str(data)[:300]}")
        return
    got = shown_points(data["result"])
    check_points(ev.points(), got)
    if "ordered" in ev.expected and list(got) != list(ev.series):
        raise Bad(f"order {list(got)}")
    if not ev.instant:
        if list(got) != sorted(got):
            raise Bad("a matrix is sorted by labels")
    elif ev.matrix is None and not re.search(r"\b(start|end|step|range)\(\)", ev.query):
        answer = ask(server, ev, ev.start - 60000, ev.start + 60000, 60000)
        if answer["status"] != "success":
            raise Bad("as a range query: " + answer["error"])
        got = {ls: {ev.start: p[ev.start]} for ls, p in shown_points(answer["data"]["result"]).items() if ev.start in p}
        check_points(ev.points(), got)
