"""Random pages of samples as delimited protobuf (io.prometheus.client.MetricFamily), good, odd and broken."""
from lib import f64, field, integer, varint
from page_maker import LABELS, NAMES

VALUES = [0.0, 1.0, -1.5, 0.1, float("inf"), -float("inf"), float("nan"), 5e-324, 1.7976931348623157e308, 1e21, 123456789.0]
TEXTS = ["", "1", "abc", "a b", "\\", "\"", "\n", "\u00e9\u6f22", "{", ",", "x" * 300]
BOUNDS = [0.1, 1.0, 2.5, 10.0, 1e6, 1e21, float("inf"), -1.0, 0.0]
COUNTER, GAUGE, SUMMARY, UNTYPED, HISTOGRAM, GAUGE_HISTOGRAM = range(6)


def text(number, value):
    return field(number, value if isinstance(value, bytes) else value.encode())


class ProtoMaker:
    """The pages of one target; as page_maker.Maker, but both get the same."""

    def __init__(self, rnd, now_ms):
        self.rnd, self.now_ms = rnd, now_ms
        self.odd = rnd.choice([0, 0, 0.1])
        self.mutated = rnd.random() < 0.2
        self.stamps = rnd.random() < 0.3
        self.counted, self.repeats, self.led = not self.stamps, False, False
        names = rnd.sample(NAMES, rnd.randrange(1, 6))
        self.world = [(n, rnd.choice([COUNTER, GAUGE, SUMMARY, UNTYPED, HISTOGRAM]),
                       [self.labels(i) for i in range(rnd.randrange(1, 4))]) for n in names]

    def chance(self, p):
        return self.rnd.random() < p

    def labels(self, i):
        names = self.rnd.sample([n for n in LABELS if n not in ("le", "quantile", "exported_job")], self.rnd.randrange(0, 4))
        return [(n, self.rnd.choice(TEXTS)) for n in names] + [("i", str(i))]

    def value(self):
        return f64(1, self.rnd.choice(VALUES))

    def body(self, kind):
        if kind in (COUNTER, GAUGE, UNTYPED):
            return field({COUNTER: 3, GAUGE: 2, UNTYPED: 5}[kind], self.value())
        count, total = integer(1, self.rnd.randrange(0, 1 << 40)), f64(2, self.rnd.choice(VALUES))
        if kind == SUMMARY:
            quantiles = sorted(self.rnd.sample([0.0, 0.5, 0.9, 0.99, 1.0], self.rnd.randrange(0, 4)))
            return field(4, count + total + b"".join(field(3, f64(1, q) + f64(2, self.rnd.choice(VALUES))) for q in quantiles))
        bounds = sorted(self.rnd.sample(BOUNDS, self.rnd.randrange(0, 6)))
        return field(7, count + total + b"".join(field(3, integer(1, self.rnd.randrange(0, 99)) + f64(2, b)) for b in bounds))

    def family(self, name, kind, sets):
        out = text(1, name) + text(2, self.rnd.choice(TEXTS)) + integer(3, kind)
        for labels in sets:
            if self.chance(0.2):
                continue
            metric = b"".join(field(1, text(1, n) + text(2, v)) for n, v in labels)
            if self.chance(self.odd):
                metric += field(1, text(1, self.rnd.choice(["", "i", "__name__"])) + text(2, "x"))
            metric += self.body(kind if not self.chance(self.odd) else self.rnd.choice([COUNTER, GAUGE, UNTYPED]))
            if self.stamps and self.chance(0.5):
                metric += integer(6, self.now_ms - self.rnd.choice([1000, 1500, 60000]))
            out += field(4, metric)
        return out

    def page(self):
        out = b""
        for name, kind, sets in self.world:
            if self.chance(0.8):
                family = self.family(name, kind, sets)
                out += varint(len(family)) + family
        if self.mutated and out and self.chance(0.5):
            b = bytearray(out)
            at = self.rnd.randrange(len(b))
            b[at:at + self.rnd.randrange(0, 3)] = bytes(self.rnd.randrange(256) for _ in range(self.rnd.randrange(0, 3)))
            out = bytes(b)
        return out, out
