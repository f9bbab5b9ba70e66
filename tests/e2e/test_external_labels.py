"""global.external_labels: on what Prometheus reads from Varve and scrapes from it, also after a reload."""
import os
import time

from lib import Server, equal, folder, step, until
from peers import data, give, need, prometheus, result

need("prometheus")
NOW = int(time.time())
path = os.path.join(folder(), "varve.yml")


def configure(labels):
    with open(path, "w") as f:
        f.write(f"global:\n  external_labels: {labels}\n")


configure("{region: eu, job: not_used}")
varve = Server(flags=[f"--config.file={path}"])
give(varve.port, data(NOW - 5))
url = f"http://127.0.0.1:{varve.port}"
names = lambda rows: sorted((r["metric"]["code"], r["metric"]["job"], r["metric"].get("region")) for r in rows)

step("remote read")
reader = prometheus(f"remote_read: [{{url: '{url}/api/v1/read', read_recent: true}}]")
ask = lambda selector: names(result(reader.port, selector, NOW))
want = [("200", "peer", "eu"), ("500", "peer", "eu")]
for selector in ("peer_requests_total", 'peer_requests_total{region="eu"}', 'peer_requests_total{region=~"e.",job="peer"}',
                 'peer_requests_total{region!="us"}'):
    equal(ask(selector), want, selector)
for selector in ('peer_requests_total{region="us"}', 'peer_requests_total{region!="eu"}', 'peer_requests_total{region=""}'):
    equal(ask(selector), [], selector)

step("federation")
scraper = prometheus(f"""
scrape_configs:
- job_name: federate
  honor_labels: true
  scrape_interval: 500ms
  scrape_timeout: 500ms
  metrics_path: /federate
  params: {{'match[]': ['peer_requests_total']}}
  static_configs: [{{targets: ['127.0.0.1:{varve.port}']}}]
""")
until("a scrape", lambda: names(result(scraper.port, "peer_requests_total", time.time())) == want)

step("Varve's own queries know nothing of them")
equal(names(result(varve.port, "peer_requests_total", NOW)), [("200", "peer", None), ("500", "peer", None)], "own")
equal(result(varve.port, 'peer_requests_total{region="eu"}', NOW), [], "own, by region")

step("a reload")
configure("{region: us}")
equal(varve.request("POST", "/-/reload")[0], 200, "reload")
equal(ask('peer_requests_total{region="us"}'), [("200", "peer", "us"), ("500", "peer", "us")], "the new label")
configure("{}")
equal(varve.request("POST", "/-/reload")[0], 200, "reload")
equal(ask("peer_requests_total"), [("200", "peer", None), ("500", "peer", None)], "no label")
equal(varve.stop(), 0, "exit status")
print("ok")
