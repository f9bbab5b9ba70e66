"""prom-client of the npm registry as a real exporter, in text and OpenMetrics with exemplars: Varve and Debian's
Prometheus scrape the same recorded pages and store the same samples, times included, and the same exemplars; then
Varve scrapes the living process."""
import re

import npm_lib
from scrape_lib import *

modules = npm_lib.install("prom-client@15.1.3")
port = free_port()
script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "npm_exporter.mjs")
start(["node", script, str(port)], cwd=modules)


def fetch(path):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    c.request("GET", path)
    r = c.getresponse()
    return r.status, r.getheader("Content-Type"), r.read()


def answers():
    try:
        return fetch("/metrics")[0] == 200
    except OSError:
        return False


until("the exporter answers", answers, 30)
NOW = int(time.time())
step("the same recorded pages to both")
pages = Pages()
pages.pages["/text"], pages.pages["/om"] = fetch("/metrics"), fetch("/openmetrics")
check(pages.pages["/text"][1].startswith("text/plain; version=0.0.4"), "text")
check(pages.pages["/om"][1].startswith("application/openmetrics-text; version=1.0.0"), "OpenMetrics")
exemplars = pages.pages["/om"][2].decode().count("trace_id=")
check(exemplars >= 12, f"exemplars on the page: {exemplars}")
# With times of their own the samples must be equal to the last millisecond.
stamped = re.sub(rb"^([^#\n].*)$", rb"\1 %d000" % (NOW - 5), pages.pages["/text"][2], flags=re.M)
pages.text("/stamped", stamped)
path = config("global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n"
              + "".join(job(n, pages.port, f"/{n}") for n in ("text", "om", "stamped")))
varve = Server(flags=[f"--config.file={path}"])
servers = [varve]
if PROMETHEUS:
    servers.append(Prom(path))
for s in servers:
    until("two scrapes of each", lambda: good_scrapes(s.port, 3, 2), 60)

have = floats(series(varve.port, '{job=~".+",' + OWN_TIME + "}"))
names = {dict(k)["__name__"] for k in have}
check({"orders_total", "took_seconds_bucket", "size_bytes", "odd", "nodejs_heap_size_total_bytes"} <= names, f"{names}")
odd = {dict(k)["v"]: v for k, v in have.items() if dict(k)["__name__"] == "odd" and dict(k)["job"] == "om"}
equal(odd, {"nan": ["NaN"], "inf": ["+Inf"], "-inf": ["-Inf"], "tiny": ["5e-324"], "large": ["1.7976931348623157e+308"],
            "long": ["0.30000000000000004"]}, "odd values")
if PROMETHEUS:
    prom = servers[1]
    want = floats(series(prom.port, '{job=~".+",' + OWN_TIME + "}"))
    equal(sorted(set(have) ^ set(want))[:5], [], "series of one only")
    equal([(k, have[k], want[k]) for k in want if have[k] != want[k]][:5], [], "values")
    print(f"  {len(want)} series with equal values", flush=True)
    selector = '{job="stamped",__name__!~"up|scrape_.*"}'
    equal(floats(raw(varve.port, selector)), floats(raw(prom.port, selector)), "samples with their times")
    check(len(raw(varve.port, selector)) > 50, "there are some")


def exemplars_of(p):
    found = get(p, f"/api/v1/query_exemplars?query=orders_total&start={NOW - 600}&end={NOW + 600}")["data"]
    found += get(p, f"/api/v1/query_exemplars?query=took_seconds_bucket&start={NOW - 600}&end={NOW + 600}")["data"]
    return sorted((sorted((n, as_float(n, v)) for n, v in s["seriesLabels"].items()), e["labels"], e["value"], e["timestamp"])
                  for s in found for e in s["exemplars"])


ours = exemplars_of(varve.port)
equal(len(ours), exemplars, "exemplars stored")
if PROMETHEUS:
    equal(ours, exemplars_of(servers[1].port), "exemplars with their times")
    servers[1].proc.kill()
varve.stop()

step("the living process")
live = Server(flags=["--config.file=" + config(
    "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n"
    + job("text", port, "/metrics") + job("om", port, "/openmetrics"))])
until("both are up", lambda: list(series(live.port, "up").values()) == [["1"], ["1"]], 30)
for t in get(live.port, "/api/v1/targets?state=active")["data"]["activeTargets"]:
    equal((t["health"], t["lastError"]), ("up", ""), t["scrapePool"])
until("CPU time grows", lambda: len(series(live.port, 'process_cpu_seconds_total{job="om"}').popitem()[1]) > 1, 30)
live.stop()
