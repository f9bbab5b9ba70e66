"""Real senders, vmagent and Prometheus, scrape node_exporter and remote-write to Varve, which dies twice, is away
for seconds, and answers 503 for seconds. Afterwards there is neither a gap nor a duplicate: node_exporter counts the requests
it answers, so what is stored must be every number, once, in order.

  test_senders.py VARVE [SECONDS of 503, 5]
"""
import http.client
import http.server
import os
import re
import shutil
import signal
import sys
import threading
import time
import urllib.request

from lib import Server, check, equal, folder, free_port, skip, start, step, until

if not all(shutil.which(x) for x in ("vmagent", "prometheus", "prometheus-node-exporter")):
    skip("this needs vmagent, prometheus and prometheus-node-exporter")

COUNTER = "promhttp_metric_handler_requests_total"
varve = Server()
logs = folder()


class Door(http.server.BaseHTTPRequestHandler):
    """The way to Varve; while it is shut the answer is what Varve says when it is full."""
    shut, refused = threading.Event(), 0
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if Door.shut.is_set():
            Door.refused += 1
            return self.answer(503, {"Retry-After": "1"}, b"shut")
        try:
            to = http.client.HTTPConnection("127.0.0.1", varve.port, timeout=30)
            to.request("POST", self.path, body, dict(self.headers))
            r = to.getresponse()
            self.answer(r.status, {}, r.read())
        except OSError:  # Varve is away: the sender sees that too
            self.close_connection = True

    def answer(self, status, headers, body):
        self.send_response(status)
        for k, v in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(k, v)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


door = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Door)
threading.Thread(target=door.serve_forever, daemon=True).start()


def spawn(name, *argv):
    log = open(os.path.join(logs, name), "wb")
    return start([*argv], stdout=log, stderr=log)


def scraping(name, more=""):
    """A configuration that scrapes a node_exporter of its own."""
    port = free_port()
    spawn(f"{name}-exporter", "prometheus-node-exporter", f"--web.listen-address=127.0.0.1:{port}",
          "--collector.disable-defaults", "--collector.cpu", "--collector.loadavg", "--collector.meminfo",
          "--collector.netdev")
    path = os.path.join(logs, f"{name}.yml")
    with open(path, "w") as f:
        f.write("global: {scrape_interval: 500ms, scrape_timeout: 500ms}\nscrape_configs:\n"
                f"- {{job_name: {name}, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}\n{more}")
    return path


vmagent_port, prometheus_port = free_port(), free_port()
url = f"http://127.0.0.1:{door.server_port}/api/v1/write"
senders = {
    "vmagent": spawn("vmagent", "vmagent", f"-promscrape.config={scraping('vmagent')}", f"-remoteWrite.url={url}",
                     f"-remoteWrite.tmpDataPath={logs}/queue", "-remoteWrite.flushInterval=500ms",
                     f"-httpListenAddr=127.0.0.1:{vmagent_port}"),
    "prometheus": spawn("prometheus", "prometheus", f"--storage.tsdb.path={logs}/data",
                        f"--web.listen-address=127.0.0.1:{prometheus_port}", "--config.file=" + scraping(
                            "prometheus", f"remote_write:\n- url: {url}\n  queue_config: "
                            "{batch_send_deadline: 500ms, min_backoff: 30ms, max_backoff: 500ms}\n")),
}


def scrapes():
    """The least number of scrapes any sender has made."""
    try:
        counts = []
        for port, name in ((vmagent_port, "vm_promscrape_scraped_samples_count"),
                           (prometheus_port, r"prometheus_target_interval_length_seconds_count\S*")):
            text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read().decode()
            found = re.search(rf"^{name} (\S+)$", text, re.M)
            counts.append(float(found.group(1)) if found else 0)
        return min(counts)
    except OSError:
        return 0


def stored(job):
    r = varve.query(f'{COUNTER}{{job="{job}",code="200"}}[1h]', time.time() + 5)
    check(len(r) < 2, f"{job}: {len(r)} series")
    return [(float(t), int(v)) for t, v in r[0]["values"]] if r else []


def least():
    return min(len(stored(job)) for job in senders)


step("both senders' samples arrive")
until("samples", lambda: least() >= 8, seconds=40, period=0.1)

step("SIGKILL, and away for 6 scrapes")
varve.kill()
before = scrapes()
until("scrapes go on", lambda: scrapes() >= before + 6, seconds=40, period=0.1)
data, port = varve.data, varve.port
varve = Server(data=data, port=port)

step("SIGKILL while the senders catch up")
time.sleep(0.3)
varve.kill()
varve = Server(data=data, port=port)
target = least() + 8


def missing(job):
    numbers = [v for _, v in stored(job)]
    return sorted(set(range(numbers[0], numbers[-1] + 1)) - set(numbers)) if numbers else []


def failed(job):
    return [v for r in varve.query(f'up{{job="{job}"}}[1h]', time.time() + 5) for _, v in r["values"] if v != "1"]


def caught_up():
    return least() >= target and all(len(missing(job)) <= len(failed(job)) for job in senders)


# vmagent waits up to some seconds before it sends a refused block again
until("they have caught up", caught_up, seconds=60, period=0.2)

seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
step(f"503 for {seconds} s")
begun, before = time.time(), scrapes()
Door.shut.set()
until("scrapes go on", lambda: time.time() > begun + seconds and scrapes() >= before + 6, seconds=seconds + 40, period=0.1)
check(Door.refused >= 2, "both senders were refused")
Door.shut.clear()
target = least() + seconds
until("they have caught up", caught_up, seconds=90 + seconds, period=0.2)

step("SIGTERM: the senders flush and end")
for p in senders.values():
    p.send_signal(signal.SIGTERM)
for name, p in senders.items():
    p.wait(timeout=30)

step("every scrape once, in order, whole")
for job in senders:
    numbers = [v for _, v in stored(job)]
    check(numbers == sorted(set(numbers)), f"{job}: repeated or out of order: {numbers}")
    check(len(missing(job)) <= len(failed(job)), f"{job}: {missing(job)} missing of {numbers}")
    for metric in ("node_load1", "node_memory_MemFree_bytes", "go_goroutines"):
        equal(varve.count(f'{metric}{{job="{job}"}}', time.time() + 5), len(numbers), f"{job}: samples of {metric}")
    print(f"  {job}: {len(numbers)} scrapes")
equal(varve.stop(), 0, "exit status")
print("ok")
