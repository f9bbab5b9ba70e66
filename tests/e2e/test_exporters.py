"""Real exporters of Debian: Varve and Debian's Prometheus scrape the same recorded page of each, and store the same
series and values; then Varve scrapes the living exporter."""
import urllib.parse

from scrape_lib import *


def fetch(port, path="/metrics", accept="text/plain;version=0.0.4"):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    c.request("GET", path, headers={"Accept": accept})
    r = c.getresponse()
    out = (r.status, r.getheader("Content-Type"), r.read())
    c.close()
    return out


def answers(port, path="/metrics"):
    try:
        return fetch(port, path)[0] == 200
    except OSError:
        return False


def quiet(argv):
    log = open(os.devnull, "w")
    return start(argv, stdout=log, stderr=log)


PYTHON_CLIENT = """
import sys, time
sys.path.insert(0, "/usr/lib/python3/dist-packages")
from prometheus_client import Counter, Enum, Gauge, Histogram, Info, Summary, start_http_server
c = Counter("c", "A counter.", ["a"]); c.labels("x").inc(3); c.labels("y\\\\n\\"").inc(0.5)
Gauge("g", "A gauge.").set(-1.5)
h = Histogram("h", "A histogram."); h.observe(0.3, {"trace_id": "abc"}); h.observe(7)
s = Summary("s", "A summary."); s.observe(2)
Info("build", "Info.").info({"version": "1"})
Enum("e", "Enum.", states=["on", "off"]).state("on")
start_http_server(int(sys.argv[1]), addr="127.0.0.1")
time.sleep(600)
"""


def exporters():
    """(name, port, path) of all that are installed, running."""
    out = []

    def add(name, program, argv, path="/metrics"):
        if shutil.which(program) is None:
            print(f"  {name}: not installed, left out")
            return
        port = free_port()
        quiet([a.replace("PORT", str(port)) for a in argv])
        until(f"{name} answers", lambda: answers(port, path), 30)
        out.append((name, port, path))

    add("node", "prometheus-node-exporter", ["prometheus-node-exporter", "--web.listen-address=127.0.0.1:PORT"])
    add("prometheus", "prometheus", ["prometheus", "--config.file=" + config("scrape_configs: []\n"),
                                     f"--storage.tsdb.path={folder()}", "--web.listen-address=127.0.0.1:PORT"])
    am = os.path.join(folder(), "alertmanager.yml")
    with open(am, "w") as f:
        f.write("route: {receiver: x}\nreceivers: [{name: x}]\n")
    add("alertmanager", "prometheus-alertmanager",
        ["prometheus-alertmanager", f"--config.file={am}", f"--storage.path={folder()}", "--cluster.listen-address=",
         "--web.listen-address=127.0.0.1:PORT"])
    add("pushgateway", "prometheus-pushgateway", ["prometheus-pushgateway", "--web.listen-address=127.0.0.1:PORT"])
    add("blackbox", "prometheus-blackbox-exporter",
        ["prometheus-blackbox-exporter", "--config.file=/etc/prometheus/blackbox.yml",
         "--web.listen-address=127.0.0.1:PORT"])
    conf, base = os.path.join(folder(), "collectd.conf"), folder()
    if shutil.which("collectd"):
        port = free_port()
        with open(conf, "w") as f:
            f.write(f'BaseDir "{base}"\nPIDFile "{base}/pid"\nInterval 1\nLoadPlugin cpu\nLoadPlugin load\n'
                    f'LoadPlugin memory\nLoadPlugin write_prometheus\n<Plugin write_prometheus>\n  Port "{port}"\n'
                    '  Host "127.0.0.1"\n</Plugin>\n')
        quiet(["collectd", "-f", "-C", conf])
        until("collectd answers", lambda: answers(port) and b"collectd_load" in fetch(port)[2], 30)
        out.append(("collectd", port, "/metrics"))
    if os.path.isdir("/usr/lib/python3/dist-packages/prometheus_client"):
        port = free_port()
        quiet(["/usr/bin/python3", "-c", PYTHON_CLIENT, str(port)])
        until("python client answers", lambda: answers(port), 30)
        out.append(("python", port, "/metrics"))
    return out


def push_some(port):
    """A group with its own job and instance, and a grouping key with a slash: pushgateway needs honor_labels."""
    body = b"# TYPE pushed gauge\npushed{x=\"1\"} 3\n"
    for path in ("/metrics/job/batch/instance/i1", "/metrics/job/nightly/path@base64/L3Zhcg=="):
        c = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        c.request("PUT", path, body)
        check(c.getresponse().status in (200, 202), "pushed")
        c.close()


step("start exporters")
running = exporters()
check(len(running) >= 3, "at least three exporters")
for name, port, _ in running:
    if name == "pushgateway":
        push_some(port)
step("the same recorded pages to Prometheus and Varve: " + ", ".join(n for n, _, _ in running))
pages = Pages()
text = "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n"
jobs = []
for name, port, path in running:
    for kind, accept in (("text", "text/plain;version=0.0.4"),
                         ("om", "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5")):
        pages.pages[f"/{name}_{kind}"] = fetch(port, path, accept)
        jobs.append(f"{name}_{kind}")
        text += job(jobs[-1], pages.port, f"/{jobs[-1]}", "  honor_labels: true\n" if name == "pushgateway" else "")
    if name == "blackbox":
        probe = f"/probe?module=tcp_connect&target=127.0.0.1:{port}"
        pages.pages["/probe"] = fetch(port, probe)
        jobs.append("probe")
        text += job("probe", pages.port, "/probe", "  params: {module: [tcp_connect], target: ['x']}\n")
path = config(text)
prom, varve = Prom(path), Server(flags=[f"--config.file={path}"])
for server in (prom, varve):
    until("two scrapes of each", lambda: good_scrapes(server.port, len(jobs), 2), 80)


def stored(server):
    return floats(series(server.port, '{job=~".+",' + OWN_TIME + "}"))


want, have = stored(prom), stored(varve)
equal(sorted(set(have) - set(want))[:5], [], "series that only Varve has")
equal(sorted(set(want) - set(have))[:5], [], "series that only Prometheus has")
different = [(k, have[k], want[k]) for k in want if have[k] != want[k]]
equal(different[:5], [], "values")
print(f"  {len(want)} series with equal values", flush=True)
check(all(v == ["1"] for v in series(varve.port, 'up{instance=~"127.*"}').values()), "all are up")
prom.proc.kill()
varve.stop()
step("the living exporters")
live = Server(flags=["--config.file=" + config(
    "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n"
    + "".join(job(n, p, path, "  honor_labels: true\n" if n == "pushgateway" else "") for n, p, path in running))])
until("all are up", lambda: [v for v in series(live.port, "up").values()].count(["1"]) >= len(running), 30)
for t in get(live.port, "/api/v1/targets?state=active")["data"]["activeTargets"]:
    equal((t["health"], t["lastError"]), ("up", ""), t["scrapePool"])
live.stop()
