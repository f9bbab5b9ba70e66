"""Remote read as a client sees it: requests, and answers of whole samples."""
import http.client

from lib import check, equal, field, integer, snappy, varint

HEADERS = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy",
           "X-Prometheus-Remote-Read-Version": "0.1.0"}


def read_varint(b, i):
    v = shift = 0
    while True:
        v |= (b[i] & 0x7F) << shift
        shift += 7
        i += 1
        if b[i - 1] < 0x80:
            return v, i


def fields(b):
    i = 0
    while i < len(b):
        key, i = read_varint(b, i)
        if key & 7 == 0:
            v, i = read_varint(b, i)
        elif key & 7 == 1:
            v, i = b[i:i + 8], i + 8
        else:
            n, i = read_varint(b, i)
            check(i + n <= len(b), "length inside the message")
            v, i = b[i:i + n], i + n
        yield key >> 3, v


def unsnappy(b):
    n, i = read_varint(b, 0)
    out = bytearray()
    while i < len(b):
        tag = b[i]
        i += 1
        if tag & 3 == 0:
            size = tag >> 2
            if size >= 60:
                more = size - 59
                size = int.from_bytes(b[i:i + more], "little")
                i += more
            out += b[i:i + size + 1]
            i += size + 1
            continue
        if tag & 3 == 1:
            size, offset, i = (tag >> 2 & 7) + 4, (tag >> 5) << 8 | b[i], i + 1
        else:
            more = 2 if tag & 3 == 2 else 4
            size, offset, i = (tag >> 2) + 1, int.from_bytes(b[i:i + more], "little"), i + more
        for _ in range(size):
            out.append(out[-offset])
    check(len(out) == n, "snappy length")
    return bytes(out)


def request(matchers, start_ms, end_ms, types=(), hints=None, index_extra=()):
    q = integer(1, start_ms) + integer(2, end_ms)
    for t, n, v in matchers:
        q += field(3, (integer(1, t) if t else b"") + field(2, n.encode()) + field(3, v.encode()))
    if hints:
        q += field(4, hints)
    out = field(1, q) + b"".join(field(1, x) for x in index_extra)
    return out + (field(2, b"".join(varint(t) for t in types)) if types else b"")


def post(port, message, compress=True):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    c.request("POST", "/api/v1/read", snappy(message) if compress else message, HEADERS)
    r = c.getresponse()
    out = r.status, {k.lower(): v for k, v in r.getheaders()}, r.read()
    c.close()
    return out


def labels_of(message):
    d = dict(fields(message))
    return d[1].decode(), d.get(2, b"").decode()


def read_samples(port, *args, **kwargs):
    """[(labels, [(ts, bits)], [histogram messages])]"""
    status, headers, body = post(port, request(*args, **kwargs))
    equal(status, 200, f"samples {body[:200]}")
    equal(headers["content-type"], "application/x-protobuf", "type")
    equal(headers["content-encoding"], "snappy", "encoding")
    out = []
    for _, result in fields(unsnappy(body)):
        for _, ts in fields(result):
            labels, samples, histograms = [], [], []
            for n, v in fields(ts):
                if n == 1:
                    labels.append(labels_of(v))
                elif n == 2:
                    d = dict(fields(v))
                    samples.append((d.get(2, 0), d.get(1, bytes(8))))
                else:
                    histograms.append(v)
            out.append((tuple(labels), samples, histograms))
    return out
