"""Over an hour of a small service's metrics, Varve and Debian's Prometheus draw the same graphs.

Three instances with gauges, counters, a histogram, a metric with gaps and one that restarts are
written to both; some 700 queries, every operator and nearly every function among them, are then
asked as range queries. Debian's Prometheus is 2.42, whose ranges are closed on the left: samples
lie 1.777 s after multiples of five seconds, steps and those of subqueries do not, so that both
rules agree. What version 3 does otherwise (atan2 drops the name, other names of labels) is not asked.
"""
import itertools
import json
import math
import os
import random
import shutil
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

from lib import STALE, Server, equal, folder, free_port, start, step, until, write

SCRAPE_S, SPAN_S, OFF_MS = 5, 5400, 1777
INSTANCES = [f"demo.example.org:{p}" for p in (10000, 10001, 10002)]
BOUNDS = [0.0001, 0.00015, 0.000225, 0.001, 0.0017, 0.01, 0.1, 1, 2.5]

if not shutil.which("prometheus"):
    print("SKIPPED: this needs prometheus")
    sys.exit(0)

begin = (int(time.time()) - SPAN_S) // 60 * 60
times = range(begin, begin + SPAN_S, SCRAPE_S)
rng = random.Random(20260101)
data = {}  # labels as a sorted tuple -> [(ms, value)]


def put(t, value, name, **labels):
    key = tuple(sorted({"__name__": name, "job": "demo", **labels}.items()))
    data.setdefault(key, []).append((t * 1000 + OFF_MS, value))


class Demo:
    """One instance of the service, observed at one time after another."""

    def __init__(self, instance):
        self.instance, self.cpus = instance, rng.choice([2, 4, 8])
        self.cpu = dict.fromkeys(("idle", "system", "user"), 5e5)
        self.disk, self.last_success, self.items = 5e10, begin - 900, 0
        self.requests = {k: [[0] * len(BOUNDS), 0.0, 0] for k in itertools.product(
            ("GET", "POST"), ("/api/bar", "/api/foo"), ("200", "404", "500"))}

    def put(self, t, value, name, **labels):
        put(t, value, name, instance=self.instance, **labels)

    def scrape(self, t):
        phase = (t - begin) / 600 + len(self.instance) + int(self.instance[-1])
        self.put(t, 1, "up")
        self.put(t, self.cpus, "demo_num_cpus")
        self.put(t, int(t // 1800 % 2 == 0), "demo_is_holiday")
        for i, kind in enumerate(("buffers", "cached", "free", "used")):
            self.put(t, int(4e9 + 2e9 * math.sin(phase + i) + rng.randrange(10 ** 7)), "demo_memory_usage_bytes", type=kind)
        self.disk += rng.random() * 1e7
        self.put(t, self.disk, "demo_disk_usage_bytes")
        self.put(t, 2.6e11, "demo_disk_total_bytes")
        if rng.random() < 0.03:
            self.last_success = t - rng.random() * 4
        self.put(t, self.last_success, "demo_batch_last_success_timestamp_seconds")
        if t % 600 < 300:
            self.put(t, math.cos(phase), "demo_intermittent_metric")
        elif t % 600 == 300:
            self.put(t, STALE, "demo_intermittent_metric")
        self.count(t, phase)

    def count(self, t, phase):
        self.items = 0 if rng.random() < 0.002 else self.items + rng.randrange(20)  # a restart now and then
        self.put(t, self.items, "demo_items_shipped_total")
        for mode, share in zip(self.cpu, (0.7, 0.1, 0.2)):
            self.cpu[mode] += self.cpus * SCRAPE_S * share * (1 + 0.2 * math.sin(phase))
            self.put(t, self.cpu[mode], "demo_cpu_usage_seconds_total", mode=mode)
        for (method, path, status), h in self.requests.items():
            for _ in range(rng.randrange(6)):
                v = 10 ** rng.uniform(-5, 0.7)
                h[0] = [n + (v <= b) for n, b in zip(h[0], BOUNDS)]
                h[1], h[2] = h[1] + v, h[2] + 1
            labels = {"method": method, "path": path, "status": status}
            for b, n in zip([*map(str, BOUNDS), "+Inf"], [*h[0], h[2]]):
                self.put(t, n, "demo_api_request_duration_seconds_bucket", le=b, **labels)
            self.put(t, h[1], "demo_api_request_duration_seconds_sum", **labels)
            self.put(t, h[2], "demo_api_request_duration_seconds_count", **labels)


def ask(port, **params):
    url = f"http://127.0.0.1:{port}/api/v1/query_range?{urllib.parse.urlencode(params)}"
    try:
        with urllib.request.urlopen(url, timeout=60) as r:
            return json.load(r)
    except urllib.error.HTTPError as e:
        return json.load(e)


def close(a, b):
    if a == b:
        return True
    x, y = float(a), float(b)
    return (math.isnan(x) and math.isnan(y)) or math.isclose(x, y, rel_tol=1e-9, abs_tol=1e-12)


def difference(p, v):
    """None, or what differs between two answers."""
    if p["status"] != v["status"]:
        return f"{p.get('error', 'success')} against {v.get('error', 'success')}"
    if p["status"] == "error":
        return None
    index = lambda r: {json.dumps(s["metric"], sort_keys=True): s["values"] for s in r["data"]["result"]}
    a, b = index(p), index(v)
    if a.keys() != b.keys():
        return f"{len(a)} against {len(b)} series, only in one: {sorted(a.keys() ^ b.keys())[:3]}"
    for k in a:
        if [t for t, _ in a[k]] != [t for t, _ in b[k]]:
            return f"{k}: other times"
        for (t, x), (_, y) in zip(a[k], b[k]):
            if not close(x, y):
                return f"{k} at {t}: {x} against {y}"
    return None


VALUES = {
    "window": "1s 15s 1m 5m 15m 1h".split(), "back": "1m 5m 10m".split(),
    "fold": "sum avg max min count stddev stdvar group".split(), "rank": "topk bottomk".split(),
    "over": "sum avg max min count stddev stdvar absent present last".split(),
    "phi": "-0.5 0.1 0.5 0.75 0.90 0.95 0.99 1 1.5".split(), "arith": "+ - * / % ^".split(),
    "comp": "== != < > <= >=".split(), "slope": "delta rate increase".split(), "clamp": "clamp_min clamp_max".split(),
    "math": "abs ceil floor exp sqrt ln log2 log10 round sgn sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh "
            "deg rad".split(), "last2": "idelta irate".split(),
    "date": "day_of_month day_of_week day_of_year days_in_month hour minute month year".split(),
    "group": ["", "by ()", "by (instance)", "by (instance, type)", "by (none)", "without ()", "without (instance)",
              "without (instance, type)", "without (none)"],
    "set": "and or unless".split(), "number": "42 1.234 .123 1.23e-3 0x3d Inf +Inf -Inf NaN".split(),
}
VALUES["binary"] = VALUES["arith"] + VALUES["comp"]
M, N, CPU = "demo_memory_usage_bytes", "demo_num_cpus", "demo_cpu_usage_seconds_total"
LATENCY = "demo_api_request_duration_seconds"
TEMPLATES = [
    "{number}", M, f'{{{{__name__="{M}"}}}}', f'{M}{{{{type="free"}}}}', f'{M}{{{{type!="free"}}}}',
    f'{M}{{{{instance=~"demo.example.org:.*"}}}}', f'{M}{{{{instance=~"example"}}}}', f'{M}{{{{instance!~".*:10000"}}}}',
    '{{type="used",instance!="demo.example.org:10001"}}', '{{__name__=~".*"}}', "none_such", "demo_intermittent_metric",
    f"{M} offset {{back}}", f"{M} offset -{{back}}", f"{{fold}} {{group}} ({M})", "{fold}(none_such)",
    f"{{rank}}(3, {M})", f"{{rank}} by (instance) (2, {M})", f"{{rank}} without (instance) (2, {M})",
    f"{{rank}} without () (2, {M})", f"quantile({{phi}}, {M})", f"avg(max by (type) ({M}))",
    "1 * 2 + 4 / 6 - 10 % 2 ^ 2", f"{N} + (1 {{comp}} bool 2)", f"{M} {{binary}} 1.2345", f"{M} {{comp}} bool 1.2345",
    f"1.2345 {{comp}} bool {M}", f"0.12345 {{binary}} {M}", f"(1 * 2 + 4 / 6 - (10 % 7) ^ 2) {{binary}} {M}",
    f"{M} {{binary}} (1 * 2 + 4 / 6 - 10)", f"timestamp({M} * 1)", f"timestamp(-{M})", f"timestamp({N} offset {{back}})",
    f"{M} {{binary}} on (instance, job, type) {M}", f"{M} {{comp}} bool on (instance, job, type) {M}",
    f"sum by (instance, type) ({M}) {{binary}} on (instance, type) group_left (job) {M}",
    f"{M} / on (instance, job, type, __name__) {M}", f"sum without (job) ({M}) / on (instance, type) {M}",
    f"sum without (job) ({M}) / on (instance, type) group_left {M}", f"{M} / on (instance, job) group_left {N}",
    f"sum without (job) ({M}) / on (instance, type) group_left (job) {M}", f"{M} / on (instance, type, job, none) {M}",
    f"{M} / on (instance) {N}", f"{N} * on (instance) group_right {M}", f"{M} {{set}} {M}{{{{type=~'f.*'}}}}",
    f"{M} {{set}} on (instance) {N} == 4", f"{N} {{set}} ignoring (type) {M}", f"{N} * {{number}}", f"{M} + -(1)", f"-{M}",
    f"sum by (type) ({M}) atan2 on (type) max by (type) ({M})", "time() atan2 2", f"sum({M}) atan2 3",
    "-1 ^ 2", "1 {arith} time()", "time() {arith} 1", "time() {comp} bool 1", "1 {comp} bool time()",
    "time() {arith} time()", "time() {comp} bool time()", f"time() {{binary}} {M}", f"{M} {{binary}} time()",
    f"{{over}}_over_time({M}[{{window}}])", f"{{over}}_over_time(demo_intermittent_metric[{{window}}])",
    f"quantile_over_time({{phi}}, {M}[{{window}}])", f"timestamp({N})", f"timestamp(timestamp({N}))",
    f"{{math}}({M})", f"{{math}}(-{M})", "{math}(demo_intermittent_metric)", "{slope}(none_such[5m])",
    f"{{slope}}({CPU}[{{window}}])", "{slope}(demo_items_shipped_total[{window}])", "deriv(demo_disk_usage_bytes[{window}])",
    "predict_linear(demo_disk_usage_bytes[{window}], 600)", "time()", f"{{last2}}({CPU}[{{window}}])",
    f'label_replace({N}, "job", "to-$1", "instance", "demo.example.org:(.*)")',
    f'label_replace({N}, "job", "to-$1", "instance", "example:(.*)")', f'label_replace({N}, "job", "$1-$2", "instance", "(.*)o.*:(.*)")',
    f'label_replace({N}, "job", "v-$1", "none", "source-(.*)")', f'label_replace({N}, "job", "v-$1", "none", "(.*)")',
    f'label_replace({N}, "job", "", "dst", ".*")', f'label_replace({N}, "job", "v-$1", "src", "(.*")',
    f'label_replace({N}, "\\xff", "", "src", "(.*)")', f'label_replace({N}, "instance", "", "", "")',
    f'label_join({N}, "fresh", "-", "instance", "job")', f'label_join({N}, "job", "-", "instance", "job")',
    f'label_join({N}, "job", "-", "instance")', f'label_join({N}, "\\xff", "-", "instance")', "{date}()",
    "{date}(demo_batch_last_success_timestamp_seconds offset {back})", f"{{clamp}}({M}, 2)", f"{{clamp}}({M}, 4.5e9)",
    f"clamp({M}, 0, 1)", f"clamp({M}, 0, 1e12)", f"clamp({M}, 1e12, 0)", f"clamp({M}, 3e9, 4e9)",
    f"resets({CPU}[{{window}}])", "resets(demo_items_shipped_total[{window}])",
    "changes(demo_batch_last_success_timestamp_seconds[{window}])", "vector(1.23)", "vector(time())",
    f"histogram_quantile({{phi}}, rate({LATENCY}_bucket[1m]))", "histogram_quantile(0.9, none_such)",
    f"histogram_quantile({{phi}}, sum by (le, path) (rate({LATENCY}_bucket[5m])))", f"histogram_quantile(0.9, {M})",
    f'histogram_quantile(0.9, {{{{__name__=~"{LATENCY}_.+"}}}})', f'count_values("value", {LATENCY}_bucket)',
    f'count_values by (le) ("value", {LATENCY}_bucket)', f"absent({M})", "absent(none_such)", 'absent({{job="x",a=~"y"}})',
    "max_over_time((time() - max(demo_batch_last_success_timestamp_seconds) < 1000)[5m:10s] offset 5m)",
    f"{{over}}_over_time(rate({CPU}[1m])[2m:10s])", f"avg_over_time({N}[5m:]) @ end()", f"{M} @ start()",
    f"scalar(sum({N}))", f"sort({M})", f"sort_desc({M})", f"round({M}, 1000)", f"holt({M})", f"rate({M})",
    "holt_winters(demo_disk_usage_bytes[5m], 0.5, 0.1)", f"sum({CPU}) by (mode) > bool 100",
    f'{{slope}}({LATENCY}_sum{{{{status=~"4..|5.."}}}}[5m]) / {{slope}}({LATENCY}_count{{{{status!="200"}}}}[5m])',
]


def expand(template):
    names = sorted({n for n in VALUES if "{" + n + "}" in template})
    for values in itertools.product(*(VALUES[n] for n in names)):
        yield template.format(**dict(zip(names, values)))


def current(query):
    """The query as of version 3: one function has another name there."""
    return query.replace("holt_winters", "double_exponential_smoothing")


step("both servers begin")
varve = Server(flags=["--enable-feature=promql-experimental-functions"])
port, d = free_port(), folder()
with open(os.path.join(d, "prometheus.yml"), "w") as f:
    f.write("global: {}\n")
start(["prometheus", f"--config.file={d}/prometheus.yml", f"--storage.tsdb.path={d}/data",
       "--web.enable-remote-write-receiver", f"--web.listen-address=127.0.0.1:{port}"],
      stdout=open(os.path.join(d, "log"), "wb"), stderr=-2)


class Other:
    """What write() needs to know of the other server."""
    request = Server.request

    def __init__(self):
        self.port = port


def ready():
    try:
        return Other().request("GET", "/-/ready")[0] == 200
    except OSError:
        return False


until("prometheus is ready", ready)
for demo in map(Demo, INSTANCES):
    for t in times:
        demo.scrape(t)
step(f"{len(data)} series of {len(times)} scrapes are written to both")
for since in range(begin * 1000, (begin + SPAN_S) * 1000, 240_000):  # in order of time, as if sent live
    part = [(dict(k), [p for p in v if since <= p[0] < since + 240_000]) for k, v in data.items()]
    for server in (varve, Other()):
        write(server, [s for s in part if s[1]])

queries = list(dict.fromkeys(q for t in TEMPLATES for q in expand(t)))
last = begin + SPAN_S - SCRAPE_S - 600
wrong = []
for minutes in (10, 60):
    step(f"{len(queries)} queries over {minutes} minutes")
    for q in queries[:: 1 if minutes == 10 else 5]:
        span = {"start": last - minutes * 60 + 0.333, "end": last + 0.333, "step": 10 if minutes == 10 else 61}
        diff = difference(ask(port, query=q, **span), ask(varve.port, query=current(q), **span))
        if diff:
            wrong.append((q, minutes, diff))
for q, minutes, diff in wrong[:40]:
    print(f"  {q}  ({minutes} m)\n    {diff}")
equal(len(wrong), 0, "different answers")
print("ok")
