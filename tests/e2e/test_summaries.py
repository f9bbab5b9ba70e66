"""The summaries of Prometheus' own metrics, which its mixin and Grafana's dashboards read: Varve and Debian's
Prometheus under one configuration have the same families with the same labels and quantiles, and the median of the
interval between scrapes is about the interval."""
import http.server
import re
import threading

from lib import Server, check, equal, folder, free_port, start, step, until
from peers import get, need

need("prometheus")
# Varve's labels that 2.42 lacks, and what is about a part of Prometheus that is not there.
NEWER = {"prometheus_sd_refresh_duration_seconds": "config"}
THEIRS_ALONE = {"prometheus_tsdb_wal_truncate_duration_seconds", "prometheus_tsdb_head_gc_duration_seconds"}


class Groups(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b'[{"targets": ["127.0.0.1:1"]}]')

    def log_message(self, *args):
        pass


def spawn_http():
    s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Groups)
    threading.Thread(target=s.serve_forever, daemon=True).start()
    return s.server_port


d, ports = folder(), (free_port(), free_port())
with open(d + "/groups.json", "w") as f:
    f.write(f'[{{"targets": ["127.0.0.1:{ports[1]}"]}}]')
with open(d + "/rules.yml", "w") as f:
    f.write("groups: [{name: g, interval: 1s, rules: [{record: a, expr: vector(1)}, {alert: b, expr: vector(1)}]}]\n")
with open(d + "/prometheus.yml", "w") as f:
    f.write(f"""
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
rule_files: [rules.yml]
scrape_configs:
- {{job_name: file, file_sd_configs: [{{files: [groups.json]}}]}}
- {{job_name: 'http', http_sd_configs: [{{url: 'http://127.0.0.1:{spawn_http()}/', refresh_interval: 1s}}]}}
- {{job_name: slow, scrape_interval: 1s500ms, static_configs: [{{targets: ['127.0.0.1:{ports[1]}']}}]}}
""")
log = open(d + "/log", "wb")
start(["prometheus", f"--config.file={d}/prometheus.yml", f"--storage.tsdb.path={d}/theirs",
       f"--web.listen-address=127.0.0.1:{ports[1]}"], stdout=log, stderr=log)
Server(data=d + "/ours", port=ports[0], flags=[f"--config.file={d}/prometheus.yml"])


def summaries(port):
    """{family: {labels with their quantile}} of all summaries of prometheus_*, what names a server or a time taken out."""
    text = get(port, "/metrics")[1]
    families = set(re.findall(r"^# TYPE (prometheus_\w+) summary$", text, re.M))
    found = {f: set() for f in families}
    for name, labels in re.findall(r"^(\w+?)(?:\{(.*)\})? \S+$", text, re.M):
        if name in families:
            pairs = dict(re.findall(r'(\w+)="([^"]*)"', labels))
            pairs.pop(NEWER.get(name), None)
            found[name].add(tuple(sorted(pairs.items())))
    return found


def ready(port):
    text = get(port, "/metrics")[1]
    return all(re.search(rf"^{name} ([1-9]|0\.)", text, re.M) for name in (
        r'prometheus_target_interval_length_seconds\{interval="1s",quantile="0.5"\}',
        r'prometheus_target_interval_length_seconds\{interval="1.5s",quantile="0.5"\}',
        r'prometheus_target_sync_length_seconds\{scrape_job="http",quantile="0.99"\}',
        r'prometheus_rule_group_duration_seconds\{quantile="0.01"\}'))


for p in ports:
    until("scrapes, refreshes, evaluations", lambda p=p: ready(p))
ours, theirs = (summaries(p) for p in ports)
for family in sorted(theirs.keys() - THEIRS_ALONE):
    if any("quantile" in dict(row) for row in theirs[family]):
        equal(ours.get(family), theirs[family], f"{family}: labels and quantiles")
check(sum(map(len, theirs.values())) > 40, "they have many")
step(f"{len(ours)} summaries are named alike")

text = get(ports[0], "/metrics")[1]
for interval, seconds in (("1s", 1), ("1.5s", 1.5)):
    median = float(re.search(rf'interval_length_seconds\{{interval="{interval}",quantile="0.5"\}} (\S+)', text).group(1))
    check(0.9 * seconds < median < 1.2 * seconds, f"every {seconds} s: median {median}")
values = [float(v) for v in re.findall(r'^prometheus_rule_group_duration_seconds\{.*?\} (\S+)$', text, re.M)]
check(len(values) == 5 and values == sorted(values) and values[0] > 0, f"quantiles grow: {values}")
step("quantiles are of what happened")
