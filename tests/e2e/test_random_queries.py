"""Random queries give the same answers in Varve and in Debian's Prometheus.

Both get the same random data by remote write. Debian's Prometheus is 2.42: what came later is not
asked for. Its ranges are closed on the left, so samples lie at 4 s behind a multiple of 15 s, queries
are asked at times that never meet them, and ranges, offsets and steps are multiples of 15 s.
Numbers are multiples of a quarter: sums of them are exact in any order. Counters stay far above zero,
near which the two extrapolate differently. In 2.42 predict_linear() forgets @, stddev of one NaN is 0, atan2 of a scalar keeps names, and pairs that a
comparison filters out do not count as matches. VARVE_TEST_SEED repeats a run.
"""
import json
import math
import os
import random
import re
import shutil
import struct
import time
import urllib.error
import urllib.parse
import urllib.request

from lib import STALE, Server, check, equal, folder, free_port, skip, start, step, time_series, until, snappy, V1

QUERIES = 1200
SAMPLES = 100  # of a series, every 15 s

if not shutil.which("prometheus"):
    skip("this needs prometheus")

seed = int(os.environ.get("VARVE_TEST_SEED", 20261123)) or random.SystemRandom().randrange(1 << 32)  # 0: another each time
print(f"seed {seed} (VARVE_TEST_SEED)")
rnd = random.Random(seed)
FIRST_S = int(time.time()) // 60 * 60 - 3600 + 4


# ---- Data ----

def values(kind):
    """Values of a series, None for gaps."""
    out, counter, gone = [], 1000000.0 + rnd.randrange(10000), 0
    for _ in range(SAMPLES):
        counter += rnd.choice([0, 1, 5, 7.25, 100])
        if rnd.random() < 0.02:
            counter = 500000.0 + rnd.randrange(1000)
        gauge = rnd.randrange(-4000, 4000) / 4
        if rnd.random() < 0.03:
            gauge = rnd.choice([0, math.nan, 1, -1])
        if gone == 0 and rnd.random() < 0.02:
            gone = rnd.randrange(1, 30)
            out.append(STALE if rnd.random() < 0.5 else None)
            continue
        gone = max(gone - 1, 0)
        out.append(None if gone else {"c": counter, "g": gauge, "u": rnd.random() * 1e6}[kind])
    return out


def all_series():
    out = []
    for job in "ab":
        for instance in "123":
            for name, kind in (("c_total", "c"), ("g", "g"), ("u", "u")):
                for extra in ({}, {"x": "1"}) if rnd.random() < 0.3 else ({},):
                    out.append(({"__name__": name, "job": job, "instance": instance, **extra}, values(kind)))
            counts = [0] * 4
            rows = {le: [] for le in ("0.5", "1", "2.5", "+Inf")}
            for _ in range(SAMPLES):
                at = rnd.randrange(4)
                counts = [n + (k >= at) * rnd.randrange(1, 9) for k, n in enumerate(counts)]
                counts = [max(counts[:k + 1]) for k in range(4)]
                for le, n in zip(rows, counts):
                    rows[le].append(100000.0 + n)
            for le, row in rows.items():
                out.append(({"__name__": "h_bucket", "job": job, "instance": instance, "le": le}, row))
    return out


def requests(series):
    """Remote write requests in order of time."""
    for k in range(SAMPLES):
        part = [(labels, [((FIRST_S + 15 * k) * 1000, v[k])]) for labels, v in series if v[k] is not None]
        yield b"".join(time_series(labels, samples) for labels, samples in part)


# ---- Queries: each function gives a text ----

pick = rnd.choice
chance = lambda p: rnd.random() < p


def times():
    out = pick(["", "", "", " offset 1m", " offset -30s", " offset 2m15s"])
    return out + pick(["", "", "", "", f" @ {FIRST_S + 700.123}", " @ start()", " @ end()"])


def matchers():
    return pick(["", "", "", '{job="a"}', '{job!="a"}', '{instance=~"1|2"}', '{instance!~"3"}', '{x=""}', '{x!=""}', '{job="no"}'])


def selector():
    return pick(["c_total", "g", "u", "g", "h_bucket", '{__name__=~"c_total|g",x=""}']) if chance(0.15) else \
        pick(["c_total", "g", "u", "h_bucket"]) + matchers()


def number():
    return pick(["0", "1", "2", "0.5", "-1", "100", "1e6", "NaN", "Inf"])


def scalar(depth):
    if depth <= 0 or chance(0.6):
        return number()
    if chance(0.3):
        return pick(["time()", "pi()", "(time() % 1000)"])
    if chance(0.5):
        return f"scalar({vector(depth - 1)})"
    return f"({scalar(depth - 1)} {pick(['+', '-', '*', '/', '%', '^', '> bool', '== bool'])} {scalar(depth - 1)})"


def range_call(depth):
    if chance(0.3):
        return f"{pick(['rate', 'increase'])}({pick(['c_total', 'h_bucket'])}{matchers()}[{pick(['30s', '1m', '5m', '10m'])}]{times()})"
    f = pick(["delta", "irate", "idelta", "deriv", "changes", "resets", "sum_over_time", "avg_over_time",
              "min_over_time", "max_over_time", "count_over_time", "last_over_time", "present_over_time", "stddev_over_time",
              "stdvar_over_time", "absent_over_time"])
    arg = f"{selector()}[{pick(['30s', '1m', '2m30s', '5m', '10m'])}]"
    if depth > 1 and chance(0.2):
        arg = f"({vector(depth - 2)})[{pick(['2m', '5m'])}:{pick(['15s', '30s', '1m', ''])}]"
    arg += times()
    if chance(0.1):
        return f"quantile_over_time({pick(['0.5', '0.9', '0', '1', '2', '-1'])}, {arg})"
    if chance(0.08):
        return f"predict_linear({selector()}[5m] offset 30s, {pick(['60', '-300'])})"
    return f"{f}({arg})"


def grouping():
    return pick(["", "", " by (job) ", " by (instance) ", " without (instance) ", " by (job, le) ", " without (x, job) ",
                 " by (__name__) ", " by (no) ", " by () ", " without () "])


def aggregate(depth):
    if chance(0.15):
        return f"{pick(['topk', 'bottomk'])}{grouping()}({pick(['1', '2', '3.7', '0', '100'])}, u)"
    if chance(0.1):
        return f"quantile{grouping()}({pick(['0.5', '0.9', '0', '1', '-1', '2'])}, {vector(depth - 1)})"
    if chance(0.06):
        return f'count_values{grouping()}("v", {vector(depth - 1)} > bool 3)'
    if chance(0.1):
        return f"{pick(['stddev', 'stdvar'])}{grouping()}({pick(['u', 'c_total', 'h_bucket'])}{matchers()})"
    op = pick(["sum", "avg", "min", "max", "count", "group"])
    return f"{op}{grouping()}({vector(depth - 1)})"


def matched(depth):
    on = pick(["", "", "on (job, instance) ", "on (job) ", "ignoring (x) ", "ignoring (le, x) ", "on () ", "on (job, instance, x) "])
    if chance(0.25):
        return f"({vector(depth - 1)} {pick(['and', 'or', 'unless'])} {on}{vector(depth - 1)})"
    if not on or chance(0.2):
        on = pick(["", "on (job) group_left () ", "on (job, instance) group_left (x) ", "ignoring (x, le) group_right () ",
                   "on (instance) group_left (job) "])
    op = pick(["+", "-", "*", "/", "%", "^", ">", "<=", "== bool", "!=", ">= bool"])
    return f"({vector(depth - 1)} {op} {on}{vector(depth - 1)})"


def function(depth):
    f = pick(["abs", "ceil", "floor", "sqrt", "exp", "ln", "log2", "log10", "sin", "cos", "atan", "sinh", "tanh", "asinh", "deg",
              "rad", "sgn", "timestamp", "round", "-", "+", "hour", "day_of_week", "days_in_month", "sort", "absent"])
    v = vector(depth - 1)
    if chance(0.15):
        return f"clamp({v}, {pick(['0, 10', '5, 1', '-3, 100'])})"
    if chance(0.1):
        return f"clamp_{pick(['min', 'max'])}({v}, {pick(['0', '10', '-2'])})"
    if chance(0.1):
        return pick([f'label_replace({v}, "y", "$1-z", "instance", "(.*)")', f'label_join({v}, "y", "/", "job", "instance")',
                     f'label_replace({v}, "instance", "", "x", "1")'])
    return f"{f}({pick(['u', v]) if f in ('hour', 'day_of_week', 'days_in_month') else v})"


def vector(depth):
    if depth <= 0 or chance(0.1):
        return selector() + times()
    if chance(0.06):
        return f"histogram_quantile({pick(['0.5', '0.9', '0', '1', '1.5'])}, sum by (le{pick(['', ', job'])}) (rate(h_bucket[5m])))"
    if chance(0.04):
        return f"vector({scalar(depth - 1)})"
    if chance(0.15):
        op = pick(["+", "-", "*", "/", "%", "^", ">", "<", ">=", "!=", "> bool", "== bool"])
        pair = [vector(depth - 1), scalar(depth - 1)]
        rnd.shuffle(pair)
        return f"({pair[0]} {op} {pair[1]})"
    return pick([range_call, range_call, aggregate, aggregate, matched, function])(depth)


# ---- Comparing ----

def ask(port, path, **params):
    url = f"http://127.0.0.1:{port}/api/v1/{path}"
    try:
        with urllib.request.urlopen(url, urllib.parse.urlencode(params).encode(), timeout=60) as r:
            return json.load(r)
    except urllib.error.HTTPError as e:
        return json.load(e)


def close(a, b):
    x, y = float(a), float(b)
    return (math.isnan(x) and math.isnan(y)) or x == y or math.isclose(x, y, rel_tol=1e-9, abs_tol=1e-7)


def difference(p, v):
    """None, or what differs."""
    if p["status"] == "success" and "multiple matches for labels" in v.get("error", ""):
        return None
    if p["status"] != v["status"]:
        return f"{p.get('error', 'success')} against {v.get('error', 'success')}"
    if p["status"] == "error":
        return None
    rows = [{json.dumps(r["metric"], sort_keys=True): r.get("values") or [r["value"]] for r in a["data"]["result"]} for a in (p, v)]
    if rows[0].keys() != rows[1].keys():
        return f"series only in one: {sorted(rows[0].keys() ^ rows[1].keys())[:3]}"
    for key, points in rows[0].items():
        other = rows[1][key]
        if [t for t, _ in points] != [t for t, _ in other]:
            return f"{key}: {len(points)} points against {len(other)}"
        for (t, a), (_, b) in zip(points, other):
            if not close(a, b):
                return f"{key} at {t}: {a} against {b}"
    return None


# ---- The run ----

d = folder()
with open(os.path.join(d, "prometheus.yml"), "w") as f:
    f.write("global: {}\n")
port = free_port()
start(["prometheus", f"--config.file={d}/prometheus.yml", f"--storage.tsdb.path={d}/data", "--web.enable-remote-write-receiver",
       f"--web.listen-address=127.0.0.1:{port}"], stdout=open(os.path.join(d, "log"), "wb"), stderr=-2)
varve = Server()


def ready():
    try:
        return urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=5).status == 200
    except OSError:
        return False


until("prometheus", ready, seconds=60)
series = all_series()
step(f"{len(series)} series into both")
for body in requests(series):
    for to in (port, varve.port):
        request = urllib.request.Request(f"http://127.0.0.1:{to}/api/v1/write", snappy(body), V1, method="POST")
        with urllib.request.urlopen(request, timeout=60) as answer:
            check(answer.status in (200, 204), f"write: {answer.status}")

step(f"{QUERIES} random queries, instant and range")
wrong, errors, points = [], 0, 0
for _ in range(QUERIES):
    query = vector(rnd.randrange(1, 5))
    if re.search(r"timestamp\(\(*[^()]* offset [^()]* @ ", query):
        continue  # there timestamp() forgets the offset
    at = FIRST_S + 15 * rnd.randrange(-5, SAMPLES + 30) + 7.123
    gap = pick([15, 30, 45, 60, 300])
    asked = [("query", {"query": query, "time": f"{at:.3f}"}),
             ("query_range", {"query": query, "start": f"{at:.3f}", "end": f"{at + gap * rnd.randrange(20) + 1:.3f}", "step": str(gap)})]
    for path, params in asked:
        p, v = ask(port, path, **params), ask(varve.port, path, **params)
        errors += p["status"] == "error"
        points += sum(len(r.get("values", [0])) for r in p["data"]["result"]) if p["status"] == "success" else 0
        diff = difference(p, v)
        if diff:
            wrong.append((params, diff))
for params, diff in sorted(wrong, key=lambda w: len(w[0]["query"]))[:10]:
    print(f"  {params}\n    {diff}")
equal(len(wrong), 0, "different answers")
step(f"{points} points agree, {errors} errors")
check(points > 1000, "nothing is compared")
print("ok")
