"""promtool against Varve: what it prints is what it prints about a Prometheus with the same data, to the byte; blocks
it makes from Varve's answers and from Varve's OpenMetrics hold the samples that Varve holds; it finds nothing wrong with
Varve's own metrics.
"""
import itertools
import os
import re
import subprocess
import time

from lib import Server, check, equal, folder, step
from peers import STEP_S, data, get, give, need, prometheus, result, run, samples

need("promtool", "prometheus")
NOW = int(time.time())
END = NOW - NOW % 60 - 60
COUNT = 200
BEGIN = END - (COUNT - 1) * STEP_S
varve, other = Server(), prometheus()
for port in (varve.port, other.port):
    give(port, data(END, COUNT))
    equal(sum(map(len, samples(port, '{job="peer"}', BEGIN - 1, END).values())), 6 * COUNT + COUNT // 2, "samples there")
url = lambda port: f"http://127.0.0.1:{port}"


def same_output(*argv, least=1, status=0):
    """argv with URL in place of the server."""
    got, want = (run("promtool", *[url(p) if a == "URL" else a for a in argv], status=status) for p in (varve.port, other.port))
    tidy = lambda text: "\n".join(sorted(text.splitlines())) if argv[1] == "series" else text
    for a, b in itertools.zip_longest(tidy(got).split("\n"), tidy(want).split("\n")):
        equal(a, b, " ".join(argv))
    check(got.count("\n") >= least, f"{argv}: {got!r} is too little")


step("query instant, range, series, labels")
at = ["--time", str(END + 7)]  # between samples: 2.42 closes ranges on the left
for query in ("peer_requests_total", "sum by (code) (rate(peer_requests_total[5m]))", "peer_gauge", "42",
              "histogram_quantile(0.9, rate(peer_seconds_bucket[1h]))", "peer_gauge[2m]"):
    same_output("query", "instant", *at, "URL", query)
    same_output("query", "instant", *at, "-o", "json", "URL", query)
same_output("query", "instant", *at, "URL", "nothing_here", least=0)
# an odd start: likewise
odd_start = BEGIN + 601
for query in ("rate(peer_requests_total[5m])", "peer_gauge", "count(peer_gone)", "sum by (le) (peer_seconds_bucket)"):
    same_output("query", "range", "--start", str(odd_start), "--end", str(odd_start + 700), "--step", "15s", "URL", query)
    same_output("query", "range", "--start", str(odd_start), "--end", str(odd_start + 700), "--step", "15s", "-o", "json", "URL", query)
span = ["--start", str(BEGIN), "--end", str(END)]
same_output("query", "series", "--match", "peer_requests_total", *span, "URL", least=2)
same_output("query", "series", "--match", '{job="peer"}', "--match", "up", "-o", "json", *span, "URL")
same_output("query", "labels", *span, "URL", "code", least=2)
same_output("query", "labels", "URL", "__name__", least=4)  # from -10000h to +10000h

step("its errors")
same_output("query", "instant", *at, "URL", "sum(", status=1, least=0)
same_output("query", "instant", *at, "URL", '"text"', status=1, least=0)  # it cannot read strings
same_output("query", "range", "--start", str(END), "--end", str(BEGIN), "URL", "up", status=1, least=0)

step("rules over Varve's answers become blocks")
d = folder()
with open(os.path.join(d, "rules.yml"), "w") as f:
    f.write("groups:\n- name: g\n  interval: 15s\n  rules:\n  - {record: 'peer:copy', expr: 'peer_requests_total'}\n"
            "  - {record: 'peer:rate', expr: 'sum(rate(peer_requests_total[2m]))', labels: {from: varve}}\n")
for name, port in (("rules", varve.port), ("rules-other", other.port)):
    run("promtool", "tsdb", "create-blocks-from", "rules", "--start", str(BEGIN), "--end", str(END), "--url", url(port),
        "--output-dir", os.path.join(d, name), "--eval-interval", "15s", d + "/rules.yml")


def dump(path):
    """{series text: [(ms, value)]} of a folder of blocks."""
    out = {}
    os.makedirs(path + "/wal", exist_ok=True)  # it wants to read one
    for line in run("promtool", "tsdb", "dump", path).splitlines():
        series, value, ms = re.fullmatch(r"(\{.*\}) (\S+) (-?\d+)", line).groups()
        out.setdefault(series, []).append((int(ms), float(value)))
    return out


def text_of(labels):
    return "{" + ", ".join(f'{k}="{v}"' for k, v in sorted(labels.items())) + "}"


made, made_by_other = dump(d + "/rules"), dump(d + "/rules-other")
for code, factor in (("200", 3), ("500", 1)):
    series = text_of({"__name__": "peer:copy", "code": code, "job": "peer"})
    # promtool moves times by a hash of the group, and skips one in the last second before a block's end
    equal(made[series], made_by_other[series], series)
    times = [ms for ms, _ in made[series]]
    check(len(times) >= COUNT - 2, f"{series}: {times}")
    equal([v for _, v in made[series]], [float((ms // 1000 - BEGIN) // STEP_S * factor) for ms in times], series)
series = text_of({"__name__": "peer:rate", "from": "varve"})
for ms, value in made[series][::37]:
    equal(value, float(result(varve.port, "sum(rate(peer_requests_total[2m]))", ms / 1000)[0]["value"][1]), f"rate at {ms}")

step("Varve's OpenMetrics become blocks")
request = "/federate?match[]={__name__=~%22peer_requests_total|peer_seconds_bucket%22}"
status, headers, body = varve.request("GET", request, headers={"Accept": "application/openmetrics-text;version=1.0.0"})
equal(status, 200, f"federate: {body[:200]}")
with open(d + "/om", "wb") as f:
    f.write(body)
run("promtool", "tsdb", "create-blocks-from", "openmetrics", d + "/om", d + "/openmetrics")
made = dump(d + "/openmetrics")
rows = result(varve.port, '{__name__=~"peer_requests_total|peer_seconds_bucket"}', time.time())
equal(len(rows), 5, "series in Varve")
equal(sorted(made), sorted(text_of({"instance": "", **r["metric"]}).replace('instance="", ', "") for r in rows), "series")
for r in rows:
    equal(made[text_of(r["metric"])], [(END * 1000, float(r["value"][1]))], "sample")

step("lint of Varve's own metrics")
text = get(varve.port, "/metrics")[1]
check(text.count("# TYPE") > 20, text[:300])
p = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
# names that Prometheus gives its own metrics
known = {f"{name} metric name should not include type 'histogram'" for name in (
    "prometheus_engine_query_duration_histogram_seconds", "prometheus_target_scrapes_exceeded_native_histogram_bucket_limit_total")}
equal(set((p.stdout + p.stderr).splitlines()) - known, set(), "lint")
helped = run("promtool", "--help")
for what in ("healthy", "ready"):
    if f"check {what}" in helped:
        run("promtool", "check", what, "--url", url(varve.port))
    else:
        print(f"  this promtool has no check {what}")
equal(varve.stop(), 0, "exit status")
print("ok")
