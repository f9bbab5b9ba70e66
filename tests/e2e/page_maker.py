"""Random pages of samples: good, odd and broken, in the text format and in OpenMetrics.

A page comes as two texts: as Varve gets it, and as Debian's Prometheus 2.42 gets it, which knows no names in quotes:
there `{"a.b",c="d"}` is `a_dot_b{c="d"}`, and QUOTED says which name stands for which; nor, in OpenMetrics, a comma before the
closing brace, and exemplars but where the name ends in _total or _bucket; and blanks before a name are an error to it, while they
are a part of the name since 3.0: LEADS has what they become. Everything else is byte for byte the same in both.
"""
import re

NAMES = ["a", "b_total", "c:d", "_e", "f_seconds", "upper", "scrape_x", "g_info", "A9"]
QUOTED = {"q_one": "q.one", "q_two": "q two", "q_three": "1\u00e9-\u6f22", "q_four": "q{four}", "q_five": 'q\\"f\\\\\\nx'}
LEADS = {" ": "l1_", "\t": "l2_", "   ": "l3_"}
VALUES = ["1", "0", "-0", "+5", "2.5e-3", "1E5", "1e+05", ".5", "5.", "NaN", "nan", "+Inf", "-Inf", "Inf", "inf", "INF", "infinity",
          "-Infinity", "5e-324", "1e-400", "1.7976931348623157e308", "12345678901234567890", "0.1", "007", "-1e21", "9007199254740993",
          "0." + "3" * 60, "1" * 40]
BAD_VALUES = ["1e400", "-1e999", "0x1F", "0x1p4", "1_000", "--5", "1e", "e5", "nanx", "+NaN", "-nan", "1,5", "0b1", "0o7", "\u0661", "1\u00a0", ".",
              "+", "infx", "1.2.3", "tru", "1e5.5", "1f", "'1'", '"1"', "1\0", "\xff", "#", "=", "}"]
LABELS = ["x", "y", "le", "quantile", "job", "instance", "exported_job", "_", "__tmp", "__meta_a", "Z9", "abc_def"]
BAD_LABELS = ["1a", "a-b", "a:b", "", "\u00e9", "__name__", "a.b", "a b", "\0", "=", "{"]
TEXTS = ["1", "0.5", "1e3", "+Inf", "NaN", "abc", "a b", "", "\\\\", "\\\"", "\\n", "\\x", "\\\\n", "\t", "\u00e9\u6f22\U0001f600", "}", "{", "#",
         ",", "=", "a" * 300, "0x1p4", "1_0", " ", "http://a/b?c=d&e", "\\\\\\\"", "\\ "]
# 3.x writes numbers here as floats, 2.42 leaves them; an empty exported_job makes room for another in 3.x only.
NUMBERS = ("1", "0.5", "1e3", "NaN", "0x1p4", "1_0")
NOT = {"le": NUMBERS, "quantile": NUMBERS, "exported_job": ("",)}
TARGET = ("job", "instance", "exported_job")  # twice on a page is an error in 3.x only
BAD_TEXTS = [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\0", b"\n", b"\\", b"\"", b"a\0b", b"\r", b"\\\0"]
TYPES = ["counter", "gauge", "histogram", "summary", "untyped"]
OM_TYPES = ["counter", "gauge", "histogram", "summary", "unknown", "info", "stateset", "gaugehistogram"]
BAD_TYPES = ["Counter", "", "gauge ", "info", "untyped", "unknown", "gauge x", "c"]
HELPS = ["Help.", "", " two  blanks ", "a \\\\ b \\n c \\\" d \\x", "\u00e9", "# HELP", "tab\there", "{}"]
COMMENTS = ["# a comment", "#", "# ", "#no blank", "#  HELP", "# TYPE", "# HELP", "#\tHELP a b", "# EOF", "#HELP a b", "# TYPES a b", "# UNIT a b", "## x"]
JUNK = [b"\0", b"\n", b"\r", b"\t", b" ", b"{", b"}", b"=", b",", b"#", b"\\", b"\xff", b"\xc3", b"1", b"a", b"_", b":", b".", b"-", b"# ", b"\n\n",
        b"# EOF\n", b"# HELP ", b"# TYPE ", b"{}", b" 1", b"e", b"N", b"\x7f", b"\xe2\x80\xa8"]


# What no change of bytes may make by chance, as 2.42 does not know it.
NEW, NEW_OM = re.compile(rb'([{,]|\b(HELP|TYPE))[ \t]*"'), re.compile(rb",}")


def raw(x):
    return x if isinstance(x, bytes) else x.encode("utf-8") if x != "\xff" else b"\xff"


class Maker:
    """Pages of one target, one after the other; `now_ms` is about when they are asked for."""

    def __init__(self, rnd, now_ms):
        self.rnd, self.now_ms = rnd, now_ms
        self.om = rnd.random() < 0.45
        self.odd = rnd.choice([0, 0, 0.05, 0.2])  # how often something strange, which may break the page, is taken
        self.mutated = rnd.random() < 0.3         # a few bytes are changed at random
        self.quotes = not self.mutated and rnd.random() < 0.4
        self.stamps = rnd.random() < 0.4
        self.counted = not self.stamps  # scrape_series_added is the same in both
        self.repeats = False  # a series may be twice on a page
        self.led = self.quotes  # names are longer to one than to the other
        self.names = set()
        self.world = [self.series() for _ in range(rnd.randrange(1, 9))]

    def pick(self, good, bad=()):
        return self.rnd.choice(bad) if bad and self.rnd.random() < self.odd else self.rnd.choice(good)

    def chance(self, p):
        return self.rnd.random() < p

    # ---- Series ----

    def labels(self, most=4):
        names = self.rnd.sample(LABELS, self.rnd.randrange(0, most))
        if self.chance(self.odd):
            names.append(self.rnd.choice(BAD_LABELS + [n for n in names if n not in TARGET]))
        return [(n, self.pick([t for t in TEXTS if t not in NOT.get(n, ())], BAD_TEXTS)) for n in names]

    def series(self):
        """(name, labels): the name is one of NAMES with a suffix or a key of QUOTED, each but once."""
        name = self.rnd.choice(list(QUOTED)) if self.quotes and self.chance(0.4) else self.rnd.choice(NAMES)
        suffix = self.rnd.choice(["", "", "", "_total", "_bucket", "_sum", "_count", "_created", "_info"]) if name not in QUOTED else ""
        while name + suffix in self.names:
            name, suffix = self.rnd.choice(NAMES), f"_{len(self.names)}_total"
        self.names.add(name + suffix)
        return name + suffix, self.labels()

    def gap(self):
        return "" if self.om and not self.chance(self.odd) else self.pick(["", "", "", " ", "\t", "  "])

    def braces(self, labels):
        """What stands between braces, for both."""
        inner = b""
        for i, (n, v) in enumerate(labels):
            inner += (raw("," + self.gap()) if i else b"") + raw(n) + raw(self.gap() + "=" + self.gap() + '"') + raw(v) + raw('"' + self.gap())
        if labels and self.chance(0.1):
            self.counted &= not self.om
            return inner + b",", inner + (b"" if self.om else b",")
        if self.chance(self.odd / 2):
            inner += raw(self.rnd.choice([",,", ", ,", ";"]))
        return inner, inner

    def head(self, name, labels):
        """Name and labels for both."""
        new, old = self.braces(labels)
        if name in QUOTED:
            return b'{"' + raw(QUOTED[name]) + b'"' + (b"," + new if new else b"") + b"}", raw(name) + b"{" + old + b"}"
        if not new and self.chance(0.9):
            return (raw(name),) * 2
        gap = raw(self.gap())
        return tuple(raw(name) + gap + b"{" + x + b"}" for x in (new, old))

    def stamp(self):
        if not self.stamps or self.chance(0.4):
            return ""
        ms = self.now_ms - self.rnd.choice([1000, 1001, 5000, 60000]) + self.rnd.randrange(0, 3) * 500
        if self.chance(self.odd):
            return " " + self.rnd.choice(["-1", "1.5", "x", "1e3", "99999999999999999999", "+5", "NaN", "0x1", "1 2", "Inf"])
        if self.chance(0.05):
            ms += 3600_000  # too far in the future
        if self.om:
            return f" {ms // 1000}.{ms % 1000:03d}" if self.chance(0.8) else f" {ms / 1000!r}"
        return f" {ms}"

    def exemplar(self, name):
        if not self.om or not self.chance(0.15):
            return b"", b""
        odd, known = self.odd, raw(name).endswith((b"_total", b"_bucket"))
        self.odd = odd if known else 0
        end = b"} " + raw(self.pick(VALUES, BAD_VALUES))
        if self.chance(0.5):
            end += raw(f" {self.now_ms / 1000 - self.rnd.randrange(0, 9)}")
        both = [b" # {" + x + end for x in self.braces(self.labels(3))]
        self.odd = odd
        return both[0], both[1] if known else b""

    def sample(self, name, labels):
        value = raw(" " + self.gap()) + raw(self.pick(VALUES, BAD_VALUES)) + raw(self.stamp())
        if not self.om and self.chance(0.1):
            value += raw(self.rnd.choice([" ", "\t", "  "]))
        lead = "" if self.om or not self.chance(self.odd) else self.rnd.choice(list(LEADS))
        heads, exemplars = self.head(name, labels), self.exemplar(name)
        self.counted &= not lead
        self.led |= bool(lead)
        instead = LEADS[lead] if lead and name not in QUOTED else ""
        return [raw(lead) + heads[0] + value + exemplars[0], raw(instead) + heads[1] + value + exemplars[1]]

    # ---- Lines ----

    def metadata(self):
        name = self.pick([n for n, _ in self.world])
        for suffix in ("_total", "_bucket", "_sum", "_count", "_created", "_info"):
            if name.endswith(suffix) and self.chance(0.8):
                name = name[:-len(suffix)] or "a"
        both = [raw(name)] * 2 if name not in QUOTED else [b'"' + raw(QUOTED[name]) + b'"', raw(name)]
        kind = self.rnd.random()
        if kind < 0.5:
            word, text = "# TYPE ", self.pick(OM_TYPES if self.om else TYPES, BAD_TYPES)
        elif kind < 0.9 or not self.om:
            word, text = "# HELP ", self.pick(HELPS, BAD_TEXTS)
        else:
            word, text = "# UNIT ", self.pick(["seconds", ""], ["bytes", "x y"]) if name.endswith("_seconds") else ""
        if not self.om and self.chance(0.1):
            word = word.replace(" ", self.rnd.choice(["  ", "\t", " "]))
        return [raw(word) + b + b" " + raw(text) for b in both]

    def lines(self):
        out = []
        for name, labels in self.world:
            if self.chance(0.25):
                continue  # gone from this page
            if self.chance(0.3):
                out.append(self.metadata())
            if self.chance(0.1 if not self.om else self.odd):
                out.append([raw(self.rnd.choice(COMMENTS if self.odd or self.om else COMMENTS[:5] + ["", "  "]))] * 2)
            again = not self.stamps and self.chance(0.08)
            self.counted &= not again
            self.repeats |= again
            for _ in range(1 + again):
                shuffled = self.rnd.sample(labels, len(labels)) if self.chance(0.2) else labels
                out.append(self.sample(name, shuffled))
        if self.chance(0.3):
            out.append(self.sample(*self.series()))  # seen but once
        return out

    def mutate(self, page):
        while True:
            b = self.mutation(page)
            if all(len(x.findall(b)) <= len(x.findall(page)) for x in (NEW, NEW_OM)):
                return b

    def mutation(self, page):
        b = bytearray(page)
        for _ in range(self.rnd.randrange(1, 3)):
            at = self.rnd.randrange(0, len(b) + 1)
            how = self.rnd.random()
            if how < 0.5:
                b[at:at] = self.rnd.choice(JUNK)
            elif how < 0.75:
                del b[at:at + self.rnd.randrange(1, 4)]
            else:
                b[at:at + 1] = self.rnd.choice(JUNK)
        return bytes(b)

    def page(self):
        """The next page: (as Varve gets it, as Prometheus 2.42 gets it)."""
        if self.chance(0.04):
            return (b"# EOF\n",) * 2 if self.om else (b"",) * 2
        lines = self.lines()
        newline = b"\r\n" if self.chance(self.odd / 4) else b"\n"
        pages = [newline.join(x[i] for x in lines) + newline for i in (0, 1)]
        if self.om:
            end = self.pick([b"# EOF\n", b"# EOF\n", b"# EOF"], [b"", b"# EOF\n\n", b"# EOF\na 1\n", b"#EOF\n", b"# EOF x", b"# EOF "])
            pages = [p + end for p in pages]
        elif self.chance(0.2):
            pages = [p[:-1] for p in pages]
        if self.mutated and self.chance(0.6):
            pages = [self.mutate(pages[1])] * 2
        return tuple(pages)
