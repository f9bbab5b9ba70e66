#!/usr/bin/env python3
"""The query lists of other engines' benchmarks, on their data, against Varve and, where a query is
valid there, Debian's prometheus and victoria-metrics.

    bench/lists.py [--set prometheus,join,native,thanos,mimir] [--only varve,victoria,prometheus]
                   [--size 2000] [--smallest N] [--rounds N] [--budget S] [--match TEXT] [--json FILE]

For each query and number of steps: CPU of the server process (median of the runs that fit into
--budget seconds, at least one), wall time, and the ratios. `-` stands for a query that the server
refuses; `!` marks an answer with another number of series than Varve's, which gets no ratio (native
histograms in a victoria-metrics that does not know them: nothing is found fast). Servers are restarted after
loading, so that all of them hold the data in blocks. Lists and data:
promql/bench_test.go of Prometheus, thanos-io/promql-engine's engine/bench_test.go, Mimir's
streamingpromql benchmarks (bench/lists.c says how much data each is).
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error

import compare

# (expression, steps); X stands for the sizes; steps None: the set's own.
PROMETHEUS = [
    "a_X", "rate(a_X[1m])", ("rate(a_X[1m])", 10000), ("rate(sparse[1m])", 10000),
    "rate(a_X[1m] smoothed)", ("rate(a_X[1m] smoothed)", 10000), ("rate(sparse[1m] smoothed)", 10000),
    "double_exponential_smoothing(a_X[1d], 0.3, 0.3)", "changes(a_X[1d])", "rate(a_X[1d])",
    "absent_over_time(a_X[1d])", "-a_X", "a_X - b_X", ("a_X - b_X", 10000),
    "a_X and b_X{l=~'.*[0-4]$'}", "a_X or b_X{l=~'.*[0-4]$'}", "a_X unless b_X{l=~'.*[0-4]$'}",
    "a_X and b_X{l='notfound'}", "abs(a_X)", "label_replace(a_X, 'l2', '$1', 'l', '(.*)')",
    "label_join(a_X, 'l2', '-', 'l', 'l')", "sum(a_X)", "avg(a_X)", "sum without (l)(h_X)",
    "sum without (le)(h_X)", "sum by (l)(h_X)", "sum by (le)(h_X)",
    ("count_values('value', h_X)", 100), "topk(1, a_X)", "topk(5, a_X)", "limitk(1, a_X)",
    "limitk(5, a_X)", "limit_ratio(0.1, a_X)", "limit_ratio(0.5, a_X)", "limit_ratio(-0.5, a_X)",
    "rate(a_X[1m]) + rate(b_X[1m])", "sum without (l)(rate(a_X[1m]))",
    "sum without (l)(rate(a_X[1m])) / sum without (l)(rate(b_X[1m]))",
    "histogram_quantile(0.9, rate(h_X[5m]))", "a_X + on(l) group_right a_one",
    ('count({__name__!=""})', 1), ('count({__name__!="",l=""})', 1), "timestamp(a_X)",
]
JOIN = [
    "rpc_request_success_total + rpc_request_error_total",
    "rpc_request_success_total + ON (job, instance) GROUP_LEFT rpc_request_error_total",
    'rpc_request_success_total AND rpc_request_error_total{instance=~"0.*"}',
    'rpc_request_success_total OR rpc_request_error_total{instance=~"0.*"}',
    'rpc_request_success_total UNLESS rpc_request_error_total{instance=~"0.*"}',
]
NATIVE = [
    "sum(native_histogram_series)", "sum(rate(native_histogram_series[2m]))",
    "sum(rate(native_histogram_series[20m]))", "histogram_count(sum(rate(native_histogram_series[2m])))",
    "histogram_count(sum(rate(native_histogram_series[20m])))",
    "histogram_count(sum(rate(native_histogram_series[2m]))) + histogram_sum(sum(rate(native_histogram_series[2m])))",
    "histogram_count(sum(rate(native_histogram_series[20m]))) + histogram_sum(sum(rate(native_histogram_series[20m])))",
    # promql-engine's
    "native_histogram_series", "rate(native_histogram_series[1m])", "histogram_sum(native_histogram_series)",
    "histogram_count(rate(native_histogram_series[1m]))", "histogram_count(native_histogram_series)",
    "histogram_avg(native_histogram_series)", "histogram_avg(sum(rate(native_histogram_series[1m])))",
    "histogram_quantile(0.9, sum(native_histogram_series))", "sum(native_histogram_series * 60)",
    "histogram_stdvar(native_histogram_series)", "histogram_stddev(native_histogram_series)",
]
R = "http_requests_total"
THANOS_INSTANT = [
    R, f"count({R})", f'count_values("val", {R})', f"round({R})", f"round({R}, 0.5)", f"avg({R})", f"sum({R})",
    f"sum by (pod) ({R})", f"rate({R}[1m])", f"rate({R}[1h])", f"sum(rate({R}[1m]))", f"sum by (pod) (rate({R}[1m]))",
    f"{R} / on (pod) group_left () http_responses_total", f"-{R}", f"{R} > 10", f"sort({R})", f"sort_desc({R})",
    f"sum_over_time(count({R})[1h:10s])", f"double_exponential_smoothing({R}[1m], 0.1, 0.1)",
    *[f"{f}_over_time({R}[6h])" for f in
      ("count", "sum", "avg", "min", "max", "stddev", "stdvar", "present", "last")],
]
THANOS = [
    R, f"sum({R})", f"sum by (pod) ({R})", f"topk(2, {R})", f"bottomk(2, {R})", f"limitk(2, {R})",
    f"limit_ratio(0.2, {R})", f"rate({R}[1m])", f"rate({R}[10m])",
    f"sum_over_time(rate({R}[1m])[10m:1m])", f"sum(rate({R}[1m]))", f"sum by (pod) (rate({R}[1m]))",
    f"quantile by (pod) (scalar(min({R})), {R})",
    f'{R}{{container="c1"}} / ignoring (container) http_responses_total',
    f"{R} / on (pod) group_left () http_responses_total", f"{R} * 10", f"-{R}", f"{R} > 10", f"{R} offset 5m",
    f"{R} @ END", f"{R} @ END offset 5m", f"clamp({R}, 5, 10)", f"clamp_min({R}, 10)",
    f"clamp(1 - {R}, 10 - 5, 10)", f"clamp(irate({R}[30s]), 10 - 5, 10)", f"clamp(rate({R}[30s]), 10 - 5, 10)",
    "histogram_quantile(0.9, http_response_seconds_bucket)", f"sort({R})", f"sort_desc({R})", f"absent({R})",
    "absent(nonexistent)", f"double_exponential_smoothing({R}[1m], 0.1, 0.1)",
    *[f"{f}_over_time({R}[{w}])" for f in ("count", "sum", "avg", "min", "max", "stddev") for w in ("5m", "1h", "6h")],
    f"stdvar_over_time({R}[5m])", f"last_over_time({R}[5m])", f"present_over_time({R}[5m])",
    *[(q, 1) for q in THANOS_INSTANT],
]
MIMIR = [
    "a_X", "nh_X", ("a_X[1m]", 0), "rate(a_X[1m])", ("rate(a_X[1m])", 10000), "rate(nh_X[1m])",
    ("rate(nh_X[1m])", 10000), "rate(a_X[1m] smoothed)", ("rate(a_X[1m] smoothed)", 10000), "rate(a_X[2h] smoothed)",
    ("rate(a_X[2h] smoothed)", 10000), "rate(a_X[1m] anchored)", ("rate(a_X[1m] anchored)", 10000),
    "rate(a_X[2h] anchored)", ("rate(a_X[2h] anchored)", 10000), "changes(a_X[1d])", "rate(a_X[1d])", "rate(nh_X[1h])",
    "avg_over_time(a_X[1m])", "avg_over_time(nh_X[1m])", "sum_over_time(a_X[1m])", "sum_over_time(nh_X[1m])",
    "quantile_over_time(0.3, a_X[1m])", "histogram_count(sum(rate(nh_X[2m])))", "histogram_count(sum(rate(nh_X[20m])))",
    "histogram_sum(sum(rate(nh_X[2m])))", "histogram_sum(sum(rate(nh_X[20m])))", "sum_over_time(a_X[10m:3m])",
    "sum_over_time(nh_X[10m:3m])", "sum(sum_over_time(a_X[10m:3m]))", "-a_X", "a_X - b_X", ("a_X - b_X", 10000),
    "nh_X + nh_X", "nh_X / a_X", "a_X == b_X", "2 * a_X", "nh_X / 2", "h_X * on(l) group_left() a_X",
    'a_100{l=~"[13579]."} - b_100', 'a_2000{l=~"1..."} - b_2000', 'a_2000{l="1234"} - b_2000',
    'a_2000 - b_2000{l="1234"}', "a_X and b_X{l=~'.*[0-4]$'}", "a_X or b_X{l=~'.*[0-4]$'}",
    "a_X unless b_X{l=~'.*[0-4]$'}", "a_X and b_X{l='notfound'}", "abs(a_X)", "clamp(a_X, 100, 1000)",
    "label_replace(a_X, 'l2', '$1', 'l', '(.*)')", "label_join(a_X, 'l2', '-', 'l', 'l')", ("sort(a_X)", 0), "sum(a_X)",
    *[f"{agg} {how}" for agg in ("sum", "avg") for how in
      ("without (l)(h_X)", "without (le)(h_X)", "(nh_X)", "by (l)(h_X)", "by (le)(h_X)", "by (l)(nh_X)")],
    ("count_values('value', h_X)", 100), ("count_values('value', h_X * 0)", 100), "topk(1, a_X)", "topk(5, a_X)",
    "topk by (le)(5, h_X)", "limitk(1, a_X)", "limitk(5, a_X)", "limit_ratio(0.2, a_X)", "limit_ratio(-0.8, a_X)",
    "quantile(0.9, a_X)", "quantile by (le)(0.1, h_X)", "rate(a_X[1m]) + rate(b_X[1m])", "sum(a_X + b_X)",
    "sum by (le)(rate(h_X[1m]))", "sum without (l)(rate(a_X[1m]))",
    "sum without (l)(rate(a_X[1m])) / sum without (l)(rate(b_X[1m]))", "histogram_quantile(0.9, h_X)",
    "histogram_quantile(0.9, nh_X)", ('count({__name__!=""})', 1), ('count({__name__!="",l=""})', 1), "timestamp(a_X)",
    "absent(a_X)", "absent(a_X > Inf)", "a_X + a_X", "sum(a_X) + sum(a_X)", "max(a_X) - min(a_X)", "a_X / (a_X + b_X)",
    "sum(a_X) / (sum(a_X) + sum(b_X))", "min(a_X) / (max(a_X) + max(b_X))",
    "sum(sum_over_time(a_X[1m])) / sum(count_over_time(a_X[1m]))",
    "sum(sum_over_time(a_X[1d])) / sum(count_over_time(a_X[1d]))",
]

# name: (list, sizes, steps of a query that names none, step in seconds)
SETS = {
    "prometheus": (PROMETHEUS, ["one", "hundred"], [1, 1000], 10),
    "join": (JOIN, [], [5000], 10),
    "native": (NATIVE, [], [241], 30),
    "thanos": (THANOS, [], [241], 30),
    "mimir": (MIMIR, ["1", "100", "2000"], [0, 100, 1000], 10),
}
FEATURES = {
    "varve": ["promql-experimental-functions", "promql-extended-range-selectors"],
    "prometheus": ["native-histograms"],
}


class Server(compare.Server):
    def argv(self):
        more = FEATURES.get(self.kind)
        return super().argv() + ([f"--enable-feature={','.join(more)}"] if more else [])

    def run(self, expr, steps, step, end):
        """The answer's bytes."""
        if steps == 0:
            return self.read("query", query=expr, time=end)
        return self.read("query_range", query=expr, start=end - (steps - 1) * step, end=end, step=step, nocache=1)


def cases(name, args):
    queries, sizes, default_steps, step = SETS[name]
    if name == "mimir":
        sizes = [x for x in sizes if args.smallest <= int(x) <= args.size]
    for q in queries:
        expr, steps = q if isinstance(q, tuple) else (q, None)
        if "_2000" in expr and args.size < 2000 or args.match and args.match not in expr:
            continue
        for x in sizes if "X" in expr.replace("Inf", "") else [None]:
            for n in default_steps if steps is None else [steps]:
                yield (expr.replace("_X", f"_{x}") if x else expr), n, step


def measure(server, expr, steps, step, end, budget):
    cpus, walls, begun = [], [], time.monotonic()
    expr = expr.replace("@ END", f"@ {end - 3600:.3f}")
    answer = b""
    while not walls or (time.monotonic() - begun < budget and len(walls) < 25):
        cpu, t = server.cpu(), time.monotonic()
        try:
            answer = server.run(expr, steps, step, end)
        except urllib.error.HTTPError as e:
            return {"error": e.read().decode(errors="replace")[:200]}
        except OSError as e:
            return {"error": str(e)}
        walls.append(time.monotonic() - t)
        cpus.append(server.cpu() - cpu)
    # Counted in the text: parsing 20 million points would take longer than all servers together.
    return {"cpu_ms": statistics.median(cpus) * 1000, "wall_ms": statistics.median(walls) * 1000, "series": answer.count(b'{"metric":')}


def load(server, name, args, end):
    argv = [os.path.join(compare.BUILD, "bench/bench_lists"), f"--url=127.0.0.1:{server.port}/{server.write_path()}",
            f"--set={name}", f"--end={int(end * 1000)}", f"--size={args.size}", f"--rounds={args.rounds}"]
    done = json.loads(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)
    print(f"{server.kind}: {done['series']} series, {done['samples']} samples in {done['seconds']} s", file=sys.stderr)


def run_set(name, kind, args, end):
    folder = tempfile.mkdtemp(prefix=f"lists-{kind}-")
    server, out = Server(kind, folder), {}
    try:
        server.start()
        load(server, name, args, end)
        server.stop()  # what was loaded at once goes where data of that age is in daily use: into blocks
        server.start()
        time.sleep(args.settle)
        for expr, steps, step in cases(name, args):
            out[f"{expr} #{steps}"] = measure(server, expr, steps, step, end, args.budget)
        server.stop()
    finally:
        if server.process and server.process.poll() is None:
            server.process.kill()
            server.process.wait()
        shutil.rmtree(folder, ignore_errors=True)
    return out


def cell(r, ours):
    if r is None or "error" in r:
        return f"{'-':>12}"
    mark = "!" if ours and "series" in ours and ours["series"] != r["series"] else " "
    return f"{r['cpu_ms']:>11.2f}{mark}"


def report(name, rows):
    kinds = list(rows)
    others = [k for k in kinds if k != "varve"]
    print(f"\n{name}: CPU ms of the server, and how many times Varve's the others take")
    print(f"{'query':72}{'steps':>6}" + "".join(f"{k:>12}" for k in kinds) + "".join(f"{k[:8]:>10}" for k in others))
    ratios = {k: [] for k in others}
    for key in rows[kinds[0]]:
        expr, steps = key.rsplit(" #", 1)
        ours = rows["varve"].get(key, {}) if "varve" in rows else {}
        line = f"{expr[:71]:72}{steps:>6}" + "".join(cell(rows[k].get(key), ours) for k in kinds)
        for k in others:
            r = rows[k].get(key, {})
            if "cpu_ms" in r and ours.get("cpu_ms") and r["series"] == ours["series"]:
                ratios[k].append(r["cpu_ms"] / ours["cpu_ms"])
                line += f"{ratios[k][-1]:>10.2f}"
            else:
                line += f"{'-':>10}"
        print(line)
    for k in others:
        if ratios[k]:
            print(f"{name}: {len(ratios[k])} queries, CPU of {k} / varve: median {statistics.median(ratios[k]):.2f}, "
                  f"worst {min(ratios[k]):.2f}, slower on {sum(r < 1 for r in ratios[k])}")
    for key, r in rows.get("varve", {}).items():
        if "error" in r:
            print(f"varve refuses {key}: {r['error']}")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--set", default="prometheus,join,native,thanos,mimir")
    p.add_argument("--only", default="varve,victoria,prometheus")
    p.add_argument("--size", type=int, default=2000, help="largest X of the set mimir")
    p.add_argument("--smallest", type=int, default=1, help="smallest X of the set mimir")
    p.add_argument("--rounds", type=int, default=0, help="samples per series; 0: as upstream")
    p.add_argument("--budget", type=float, default=0.5, help="seconds for repeating each query")
    p.add_argument("--settle", type=float, default=3, help="seconds between loading and querying")
    p.add_argument("--match", help="only queries with this text")
    p.add_argument("--json")
    args = p.parse_args()
    end = time.time() // 30 * 30 - 60
    all_rows = {}
    for name in args.set.split(","):
        rows = {kind: run_set(name, kind, args, end) for kind in args.only.split(",")}
        all_rows[name] = rows
        report(name, rows)
        sys.stdout.flush()
    if args.json:
        with open(args.json, "w") as f:
            json.dump(all_rows, f, indent=1)


if __name__ == "__main__":
    main()
