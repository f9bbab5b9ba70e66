"""Remote write over HTTP: every status and text, hostile bodies, exact values."""
import struct
import time

import lib
from lib import (STALE, V1, V2, Server, check, equal, f64, field, integer, label, post_write, sample,
                 snappy, step, time_series, v2_request, v2_series, varint, zigzag)

s = Server()
now = int(time.time() * 1000)
good = time_series({"__name__": "good"}, [(now, 1)])


def expect(what, got, status, text=""):
    check(got[0] == status and text in got[2].decode(), f"{what}: {got[0]} {got[2]!r}, want {status} {text!r}")
    return got


step("methods, content types, encodings")
equal(s.request("GET", "/api/v1/write")[0], 405, "GET")
expect("no content type is 1.0", post_write(s, good, {"Content-Encoding": "snappy"}), 204)
expect("alias", post_write(s, good, path="/api/v1/push"), 204)
expect("media type", post_write(s, good, {**V1, "Content-Type": "yolo"}), 415,
       "expected application/x-protobuf as the first (media) part, got yolo content-type")
expect("proto", post_write(s, good, {**V1, "Content-Type": "application/x-protobuf;proto=yolo"}), 415,
       "unknown type for remote write protobuf message yolo, supported: prometheus.WriteRequest, "
       "io.prometheus.write.v2.Request")
expect("explicit 1.0", post_write(s, good, {**V1, "Content-Type":
       "application/x-protobuf;proto=prometheus.WriteRequest"}), 204)
expect("encoding", post_write(s, good, {**V1, "Content-Encoding": "zstd"}), 415,
       "zstd encoding (compression) is not accepted by this server; only snappy is acceptable")
no_encoding = {"Content-Type": "application/x-protobuf"}
expect("no encoding is snappy", post_write(s, good, no_encoding), 204)
headers = post_write(s, good)[1]
for kind in ("Samples", "Histograms", "Exemplars"):
    equal(headers[f"x-prometheus-remote-write-{kind.lower()}-written"], "0", f"1.0 {kind} header")

step("bodies that are not snappy or not protobuf")
for what, body in (("empty", b""), ("garbage", b"\xff" * 100), ("4 GiB declared", b"\xff\xff\xff\xff\x0f"),
                   ("33 MiB declared", varint(33 << 20) + b"\0" * 2000000),
                   ("ratio", varint(1 << 20) + b"\0"), ("trailing junk", snappy(good) + b"junk")):
    expect(what, post_write(s, body, compress=False), 400)
for what, message in (
        ("truncated varint", b"\x0a\xff"), ("oversized varint", b"\x0a" + b"\xff" * 11),
        ("length beyond the end", b"\x0a\x7f\x00"), ("group", b"\x0b\x0c"), ("wire type 7", b"\x0f"),
        ("wrong wire type", b"\x08\x01"), ("field 0", b"\x02\x00"),
        ("sample cut short", field(1, label("__name__", "x") + field(2, b"\x09\x00")))):
    expect(what, post_write(s, message), 400)
t = time.time()
expect("millions of empty series", post_write(s, b"\x0a\x00" * 4000000), 204)
check(time.time() - t < 5, "empty series take long")

step("times: far future, far past, smallest, largest; then normal writes go on")
for ts, text in ((4102444800000, "out of bounds"), ((1 << 63) - 1, "out of bounds"), (-(1 << 63), "too old sample")):
    expect(f"time {ts}", post_write(s, time_series({"__name__": "t"}, [(ts, 1)])), 400, text)
expect("1970", post_write(s, time_series({"__name__": "t"}, [(1, 1)])), 204)
expect("next normal write", post_write(s, time_series({"__name__": "t"}, [(now, 1)])), 204)

step("order: duplicates, older samples, all or nothing")
expect("same value again", post_write(s, good), 204)
expect("other value", post_write(s, time_series({"__name__": "good"}, [(now, 2)]) +
       time_series({"__name__": "rolled_back"}, [(now, 1)])), 400, "duplicate sample for timestamp")
equal(s.query("rolled_back", now / 1000), [], "request with a refused sample was kept in part")
equal(s.query("good", now / 1000)[0]["value"][1], "1", "value after refused duplicate")
expect("older", post_write(s, time_series({"__name__": "good"}, [(now - 60000, 5)])), 204)
equal(s.query("good", (now - 60000) / 1000)[0]["value"][1], "5", "older sample")

step("labels that 1.0 skips, with the rest stored")
for what, labels in (("no name", [("a", "b")]), ("repeated", [("__name__", "bad"), ("a", "1"), ("a", "2")]),
                     ("bad UTF-8", [("__name__", "bad"), ("a", b"\xff")]),
                     ("empty name", [("", "x"), ("__name__", "bad")])):
    ok = time_series({"__name__": "beside", "what": what}, [(now, 1)])
    expect(what, post_write(s, time_series(labels, [(now, 1)]) + ok), 204)
    equal(len(s.query(f'beside{{what="{what}"}}', now / 1000)), 1, f"{what}: the good series")
equal(s.query('{__name__="bad"}', now / 1000), [], "bad series stored")
expect("unsorted", post_write(s, time_series([("z", "1"), ("__name__", "unsorted"), ("a", "2")],
                                             [(now, 7)])), 204)
equal(s.query('unsorted{a="2",z="1"}', now / 1000)[0]["value"][1], "7", "unsorted labels")
expect("empty value", post_write(s, time_series([("__name__", "emptied"), ("a", "")], [(now, 7)])), 204)
equal(s.query("emptied", now / 1000)[0]["metric"], {"__name__": "emptied"}, "empty label value")

step("limits: label count, name and value size")
many = {"__name__": "limits", **{f"l{i:05}": "x" for i in range(10000)}}
for what, labels in (("10,000 labels", many), ("5 MB value", {"__name__": "limits", "a": "x" * 5000000}),
                     ("100 KB name", {"__name__": "limits" * 17000})):
    expect(what, post_write(s, time_series(labels, [(now, 1)])), 400, "at most")
equal(s.query('{__name__=~"limits.*"}', now / 1000), [], "series over a limit stored")

step("values: bit for bit")
specials = {"stale": 0x7FF0000000000002, "nan": 0x7FF8000000000001, "payload": 0x7FF8000000ABCDEF,
            "negative_zero": 1 << 63, "inf": 0x7FF0000000000000, "subnormal": 1, "max": 0x7FEFFFFFFFFFFFFF}
for name, bits in specials.items():
    raw = field(1, label("__name__", "special") + label("kind", name) +
                field(2, f64(1, struct.pack("<Q", bits)) + integer(2, now)))
    expect(name, post_write(s, raw), 204)
got = {r["metric"]["kind"]: r["value"][1] for r in s.query("special", now / 1000)}
equal(got, {"nan": "NaN", "payload": "NaN", "negative_zero": "-0", "inf": "+Inf",
            "subnormal": "5e-324",
            "max": "1.7976931348623157e+308"}, "special values")

step("native histograms: valid and broken")


def histogram(count, spans, deltas, schema=0, ts=now, extra=b""):
    body = integer(1, count) + f64(3, 5.5) + varint(4 << 3) + zigzag(schema)
    for offset, length in spans:
        body += field(11, varint(1 << 3) + zigzag(offset) + integer(2, length))
    return field(4, body + field(12, b"".join(zigzag(d) for d in deltas)) + integer(15, ts) + extra)


def with_histogram(name, h):
    return field(1, label("__name__", name) + h)


expect("valid", post_write(s, with_histogram("h", histogram(6, [(0, 2)], [2, 2]))), 204)
h = s.query("h", now / 1000)[0]["histogram"][1]
equal((h["count"], h["sum"], h["buckets"]), ("6", "5.5", [[0, "0.5", "1", "2"], [0, "1", "2", "4"]]), "histogram")
for what, h in (("count too small", histogram(1, [(0, 2)], [2, 2])),
                ("negative bucket", histogram(0, [(0, 2)], [2, -4])),
                ("spans without buckets", histogram(0, [(0, 5)], [1])),
                ("span overflow", histogram(1, [(0, 4000000000)], [1])),
                ("schema 127", histogram(1, [(0, 1)], [1], schema=127)),
                ("negative offset", histogram(2, [(0, 1), (-5, 1)], [1, 0]))):
    expect(what, post_write(s, with_histogram("broken", h)), 400)
equal(s.query("broken", now / 1000), [], "broken histograms stored")
expect("schema 20 is reduced", post_write(s, with_histogram("fine", histogram(1, [(0, 1)], [1], schema=20))), 204)

step("2.0: parts that fail and parts that are kept")
symbols = ["", "__name__", "two", "a", "x", "help text", "seconds"]
v2 = lambda *series, symbols=symbols: post_write(s, v2_request(symbols, series), V2)
r = expect("valid", v2(v2_series([1, 2], [(now, 1.5, now - 5000)]), v2_series([1, 2, 3, 4], [(now, 2)])), 204)
equal([r[1][f"x-prometheus-remote-write-{k}-written"] for k in ("samples", "histograms", "exemplars")],
      ["2", "0", "0"], "2.0 headers")
equal(sorted(x["value"][1] for x in s.query("two", now / 1000)), ["1.5", "2"], "2.0 samples")
later = now + 1000
for what, part, text in (
        ("odd refs", v2_series([1, 2, 3], [(later, 1)]),
         "parsing labels for series [1 2 3]: invalid labelRefs length 3"),
        ("ref out of range", v2_series([1, 999], [(later, 1)]),
         "labelRefs 1 (name) = 999 (value) outside of symbols table (size 7)"),
        ("no samples", v2_series([1, 2, 3, 4]), "must contain at least one sample or histogram"),
        ("no metric name", v2_series([3, 4], [(later, 1)]), "invalid metric name or labels, got {"),
        ("repeated label", v2_series([1, 2, 3, 4, 3, 4], [(later, 1)]), "duplicated label a"),
        ("duplicate", v2_series([1, 2], [(now, 99)]), 'duplicate sample for timestamp for series {__name__="two"}'),
        ("too new", v2_series([1, 2], [(now + 10**9, 1)]), "too far in the future")):
    r = expect(what, v2(part, v2_series([1, 2, 3, 4], [(later, 3)])), 400, text)
    equal(r[1]["x-prometheus-remote-write-samples-written"], "1", f"{what}: samples written")
    later += 1000
equal(s.query('two{a="x"}', (later - 1000) / 1000)[0]["value"][1], "3", "good parts of 2.0 requests")
expect("first symbol", v2(v2_series([0, 1], [(now, 1)]), symbols=["__name__", "x"]), 400)
meta = field(5, integer(1, 1) + integer(3, 5) + integer(4, 6))
expect("metadata", v2(v2_series([1, 2], [(later, 1)], meta)), 204)
equal(s.api("metadata", metric="two")[1]["data"],
      {"two": [{"type": "counter", "help": "help text", "unit": "seconds"}]}, "metadata")
exemplar = field(4, field(1, varint(3) + varint(4)) + f64(2, 0.5) + integer(3, later))
r = expect("exemplar", v2(v2_series([1, 2], [(later + 1000, 1)], exemplar)), 204)
equal(r[1]["x-prometheus-remote-write-exemplars-written"], "1", "exemplars written")
e = s.api("query_exemplars", query="two", start=(now - 60000) / 1000, end=(later + 5000) / 1000)[1]["data"]
equal(e[0]["exemplars"][0]["labels"], {"a": "x"}, "exemplar")
long = "e" * 200
expect("long exemplar", v2(v2_series([1, 2], [(later + 2000, 1)], field(4, field(1, varint(3) + varint(7)) +
       f64(2, 1) + integer(3, later + 2000))), symbols=symbols + [long]), 400, "128 UTF-8 characters")

step("everything survives a clean restart and a kill")
before = s.query('{__name__=~".+"}', now / 1000)
for stop in (s.stop, lambda: None):
    stop()
    if s.process.poll() is None:
        s.kill()
    s = Server(data=s.data)
    after = s.query('{__name__=~".+"}', now / 1000)
    key = lambda r: sorted(r["metric"].items())
    equal(sorted(after, key=key), sorted(before, key=key), "answers after restart")
print("ok")
