"""Debian's Prometheus as sender, reader and scraper of Varve; contents are compared sample by sample.

What remote read answers in STREAMED_XOR_CHUNKS is compared with Prometheus' own answers in test_read.py: 2.42 serves
that type and never asks for it.
"""
import http.server
import threading
import time

from lib import Server, check, equal, step, until
from peers import STEP_S, ask, data, give, need, prometheus, same_rows, samples, signless

need("prometheus")
NOW = int(time.time())
END = NOW - NOW % 60 - 60
COUNT = 200
BEGIN = END - COUNT * STEP_S
varve = Server()
url = f"http://127.0.0.1:{varve.port}"


class Exporter(http.server.BaseHTTPRequestHandler):
    """OpenMetrics with exemplars; a series that comes and goes."""
    scrapes = 0

    def do_GET(self):
        Exporter.scrapes += 1
        n = Exporter.scrapes
        text = ("# TYPE app_requests counter\n# HELP app_requests Requests of the application.\n"
                f'app_requests_total {n} # {{trace_id="t{n}"}} {n / 2} {time.time():.3f}\n'
                '# TYPE app_odd gauge\n# HELP app_odd Odd \\"values\\".\n'
                f'app_odd{{v="nan"}} NaN\napp_odd{{v="inf"}} +Inf\napp_odd{{v="-0"}} -0\napp_odd{{v="small"}} 5e-324\n')
        if n % 4 < 2:
            text += "# TYPE app_sometimes gauge\napp_sometimes 1\n"
        body = (text + "# EOF\n").encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/openmetrics-text; version=1.0.0; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


step("remote write: samples, stale markers, exemplars, metadata")
exporter = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Exporter)
threading.Thread(target=exporter.serve_forever, daemon=True).start()
sender = prometheus(f"""
global: {{scrape_interval: 250ms, scrape_timeout: 250ms}}
scrape_configs:
- {{job_name: app, static_configs: [{{targets: ['127.0.0.1:{exporter.server_port}']}}]}}
remote_write:
- url: {url}/api/v1/write
  send_exemplars: true
  metadata_config: {{send_interval: 500ms}}
  queue_config: {{batch_send_deadline: 200ms}}
""", ["--enable-feature=exemplar-storage"])
until(f"twelve scrapes:\n{sender.tail()}", lambda: Exporter.scrapes >= 12)
later = time.time()
at = later - 0.5
everything = '{job="app"}'
want = samples(sender.port, everything, NOW - 60, at)
check(sum(map(len, want.values())) > 60, f"{len(want)} series")
until("the newest samples are there", lambda: samples(varve.port, everything, NOW - 60, at).keys() == want.keys() and
      sum(map(len, samples(varve.port, everything, NOW - 60, at).values())) >= sum(map(len, want.values())))
same_rows(signless(samples(varve.port, everything, NOW - 60, at)), signless(want), "remote write")
gone = dict(query="app_sometimes", start=NOW - 1, end=at, step=0.05)
strip = lambda a: a["data"]["result"][0]["values"]
got, wanted = strip(ask(varve.port, "query_range", **gone)), strip(ask(sender.port, "query_range", **gone))
equal(got, wanted, "where the stale markers are")
holes = [b[0] - a[0] for a, b in zip(got, got[1:]) if b[0] - a[0] > 0.3]
check(holes, f"no hole of half a second: {got}")
exemplars = lambda port: {e["labels"]["trace_id"]: (e["value"], round(e["timestamp"], 3)) for r in ask(
    port, "query_exemplars", query="app_requests_total", start=NOW - 60, end=at)["data"] for e in r["exemplars"]}
wanted = exemplars(sender.port)
check(len(wanted) >= 8, f"exemplars: {wanted}")
until("exemplars are there", lambda: exemplars(varve.port).keys() >= wanted.keys())
equal({k: v for k, v in exemplars(varve.port).items() if k in wanted}, wanted, "exemplars")
for metric in ("app_requests", "app_odd"):
    until("metadata", lambda m=metric: m in ask(varve.port, "metadata")["data"])
    equal(ask(varve.port, "metadata", metric=metric), ask(sender.port, "metadata", metric=metric), f"metadata of {metric}")

step("federation: Prometheus scrapes what Varve was sent, with its time stamps")
give(varve.port, data(END, COUNT))
federating = prometheus(f"""
scrape_configs:
- job_name: federate
  honor_labels: true
  scrape_interval: 500ms
  scrape_timeout: 500ms
  metrics_path: /federate
  params: {{'match[]': ['{{job="app"}}']}}
  static_configs: [{{targets: ['127.0.0.1:{varve.port}']}}]
""")
follow = lambda: samples(federating.port, everything, NOW - 60, time.time())
until("scrapes", lambda: any(len(s) >= 6 for s in follow().values()), seconds=30)
got, wanted = follow(), samples(varve.port, everything, NOW - 60, time.time())
check(len(got) >= 10, f"{len(got)} series")
equal(set(got) - set(wanted), set(), "series of its own")
for k, s in got.items():
    extra = set(s) - set(wanted[k])
    equal(extra, set(), f"samples of {k} that Varve has not")

step("remote read: raw samples and ranges through Prometheus")
reader = prometheus(f"remote_read: [{{url: '{url}/api/v1/read', read_recent: true}}]")
for selector in ('{job="peer"}', 'peer_requests_total{code!="200"}', 'peer_seconds_bucket{le=~"0.1|1"}', 'peer_gauge{text=~".+"}'):
    got, wanted = samples(reader.port, selector, BEGIN, END), samples(varve.port, selector, BEGIN, END)
    check(wanted, selector)
    same_rows(signless(got), signless(wanted), selector)
total = sum(map(len, samples(reader.port, '{job="peer"}', BEGIN, END).values()))
equal(total, 6 * COUNT + COUNT // 2, "samples, less the stale marker")
gone = dict(query="peer_gone", start=BEGIN + 7, end=END + 7, step=15)
equal(ask(reader.port, "query_range", **gone)["data"], ask(varve.port, "query_range", **gone)["data"], "the stale marker works")
for query in ("rate(peer_requests_total[5m])", "histogram_quantile(0.5, sum by (le) (rate(peer_seconds_bucket[10m])))",
              "max_over_time(peer_requests_total[1h]) - min_over_time(peer_requests_total[1h])"):
    p = dict(query=query, start=BEGIN + 607, end=END + 7, step=15)
    got, wanted = ask(reader.port, "query_range", **p)["data"]["result"], ask(varve.port, "query_range", **p)["data"]["result"]
    check(wanted, query)
    equal([(r["metric"], r["values"]) for r in got], [(r["metric"], r["values"]) for r in wanted], query)

step("remote read of several servers at once: what both have is there once")
both = prometheus(f"remote_read: [{{url: '{url}/api/v1/read', read_recent: true}}, "
                  f"{{url: 'http://127.0.0.1:{sender.port}/api/v1/read', read_recent: true}}]")
got = samples(both.port, "app_requests_total", NOW - 60, at)
same_rows(got, {k: s for k, s in want.items() if ("__name__", "app_requests_total") in k}, "both")
for p in (sender, reader, federating, both):
    p.stop()
equal(varve.stop(), 0, "exit status")
print("ok")
