"""VictoriaMetrics' tools with Varve: vmalert evaluates rules against it, records into it, restores its state from it
and replays; vmagent scrapes Varve's own metrics and writes them back; vmctl brings a Prometheus' blocks over. Contents are
compared sample by sample.
"""
import http.server
import json
import math
import os
import pty
import re
import threading
import time

from lib import Server, check, equal, folder, snappy, start, step, until, V1
from peers import STEP_S, Peer, data, get, give, need, prometheus, result, run, same_rows, samples

need("vmalert", "vmagent", "vmctl", "prometheus")
varve = Server()
url = f"http://127.0.0.1:{varve.port}"
NOW = int(time.time())

# A clock: at second s its value is s, now and for the next minutes.
CLOCK = [(t * 1000, float(t)) for t in range(NOW - 600, NOW + 300)]
give(varve.port, [({"__name__": "peer_clock", "job": "peer"}, CLOCK)])

alerts = []


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        alerts.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])), object_pairs_hook=dict)))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args):
        pass


receiver = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
threading.Thread(target=receiver.serve_forever, daemon=True).start()
d = folder()
with open(os.path.join(d, "rules.yml"), "w") as f:
    f.write("""groups:
- name: g
  interval: 1s
  rules:
  - {record: 'peer:clock', expr: 'peer_clock * 2', labels: {by: vmalert}}
  - {alert: ClockRuns, expr: 'peer_clock > 0', for: 1s, labels: {severity: page}, annotations: {summary: 'at {{ $value }}'}}
""")


def vmalert():
    return Peer("vmalert", "vmalert", f"-rule={d}/rules.yml", f"-datasource.url={url}", f"-remoteWrite.url={url}",
                f"-remoteRead.url={url}", f"-notifier.url=http://127.0.0.1:{receiver.server_port}", "-evaluationInterval=1s",
                "-remoteWrite.flushInterval=200ms", "-httpListenAddr=127.0.0.1:{port}", ready="/health")


def recorded(name, since=NOW - 600):
    return samples(varve.port, name, since, NOW + 299)


FOR_STATE = "ALERTS_FOR_STATE"
step("vmalert: rules are evaluated and recorded")
peer = vmalert()
until(f"five evaluations:\n{peer.tail()}", lambda: any(len(s) >= 5 for s in recorded("peer:clock").values()))
until("the alert fires", lambda: recorded('ALERTS{alertstate="firing"}'))
until("the notifier hears of it", lambda: alerts)
path, message = alerts[0]
equal((path, message[0]["labels"]["alertname"], message[0]["labels"]["severity"]), ("/api/v2/alerts", "ClockRuns", "page"), "alert")
check(re.fullmatch(r"at [0-9.e+]+", message[0]["annotations"]["summary"]), message)


def check_clock():
    """Each recorded sample is twice the second it was evaluated for."""
    rows = recorded("peer:clock")
    equal(list(rows), [tuple(sorted({"__name__": "peer:clock", "by": "vmalert", "job": "peer"}.items()))], "series")
    for ms, value in next(iter(rows.values())):
        equal(float(value), 2.0 * (ms // 1000), f"recorded at {ms}")
    return next(iter(rows.values()))


check_clock()
peer.stop()
states = recorded(FOR_STATE)
equal(len(states), 1, "series of the alert's state")
begun = {v for _, v in next(iter(states.values()))}
equal(len(begun), 1, "one beginning")

step("vmalert: its state comes back from Varve")
time.sleep(1.2)  # were it not restored, the alert would begin at another second
restarted = time.time()
peer = vmalert()
until("evaluations go on", lambda: any(ms / 1000 > restarted for s in recorded(FOR_STATE).values() for ms, _ in s[-1:]))
until("evaluations go on", lambda: sum(ms / 1000 > restarted for ms, _ in check_clock()) >= 2)
peer.stop()
equal({v for s in recorded(FOR_STATE).values() for _, v in s}, begun, "the alert began when it did")

step("vmalert: replay")
with open(os.path.join(d, "replay.yml"), "w") as f:
    f.write("groups:\n- {name: r, interval: 10s, rules: [{record: 'peer:replayed', expr: 'peer_clock + 1'}]}\n")
stamp = lambda t: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(t))
begin = NOW - 500
run("vmalert", f"-rule={d}/replay.yml", f"-datasource.url={url}", f"-remoteWrite.url={url}", "-remoteWrite.flushInterval=100ms",
    f"-replay.timeFrom={stamp(begin)}", f"-replay.timeTo={stamp(begin + 300)}", "-replay.rulesDelay=100ms",
    "-replay.disableProgressBar", "-httpListenAddr=127.0.0.1:0", "-datasource.queryStep=0")
rows = list(recorded("peer:replayed").values())
equal(len(rows), 1, "series")
check(len(rows[0]) >= 30, f"{len(rows[0])} samples")
for ms, value in rows[0]:
    equal(float(value), ms // 1000 + 1.0, f"replayed at {ms}")

step("vmagent: Varve's own metrics, written back")
with open(os.path.join(d, "scrape.yml"), "w") as f:
    f.write(f"scrape_configs:\n- {{job_name: self, scrape_interval: 1s, static_configs: [{{targets: ['127.0.0.1:{varve.port}']}}]}}\n")
agent = Peer("vmagent", "vmagent", f"-promscrape.config={d}/scrape.yml", f"-remoteWrite.url={url}/api/v1/write",
             "-remoteWrite.tmpDataPath={folder}/queue", "-remoteWrite.flushInterval=200ms", "-httpListenAddr=127.0.0.1:{port}",
             ready="/health")
since = time.time() - 60
scraped = lambda name: samples(varve.port, f'{name}{{job="self"}}', since, time.time() + 5)
until(f"three scrapes:\n{agent.tail()}", lambda: any(len(s) >= 3 for s in scraped("up").values()))
equal({v for s in scraped("up").values() for _, v in s}, {"1"}, "up")
lines = [line for line in get(varve.port, "/metrics")[1].splitlines() if line and line[0] != "#"]
at, count = list(scraped("scrape_samples_scraped").values())[0][-1]
equal(int(count), len(lines), "samples of a scrape")
rows = result(varve.port, '{job="self",__name__!~"up|scrape_.*"}', at / 1000)
equal(len(rows), len(lines), "series stored")
equal({r["value"][0] for r in rows}, {at / 1000}, "all of one time")
counter = list(scraped("varve_http_requests_total").values())
check(all(len(s) >= 3 and [float(v) for _, v in s] == sorted(float(v) for _, v in s) for s in counter), f"a counter: {counter}")
text = {r["metric"]["__name__"] for r in rows}
equal(text, {re.match(r"[a-zA-Z_:][a-zA-Z0-9_:]*", line).group(0) for line in lines}, "names")

step("vmagent newer than Debian's offers zstd first: it is told to fall back")
block = snappy(b"")
status, _, body = varve.request("POST", "/api/v1/write", block, {**V1, "Content-Encoding": "zstd",
                                                                "X-VictoriaMetrics-Remote-Write-Version": "1"})
equal(status, 415, f"415 makes it pack the block again for Prometheus' protocol: {body}")
check(b"zstd" in body, f"the answer names what is not taken: {body}")



def run_on_terminal(*argv):
    """vmctl wants one."""
    terminal, other_end = pty.openpty()
    p = start(argv, stdin=other_end, stdout=other_end, stderr=other_end)
    os.close(other_end)
    out = b""
    try:
        while more := os.read(terminal, 65536):
            out += more
    except OSError:
        pass  # its end
    equal(p.wait(timeout=60), 0, f"{argv}: {out.decode()[-1500:]}")


step("vmctl: a Prometheus' blocks, through vmagent, into Varve")
END = NOW - NOW % STEP_S - 60
rows = [(l, s) for l, s in data(END, 200) if l["__name__"] in ("peer_requests_total", "peer_seconds_bucket", "peer_gauge")]
# This vmctl drops the series that are still in its queue (4 with one worker) when it has read the last: others stand behind.
rows += [({"__name__": "peer_tail", "job": "tail", "n": str(n)}, [(END * 1000, 1.0)]) for n in range(8)]
source = prometheus(flags=["--web.enable-admin-api"])
give(source.port, rows)
begin = END - 200 * STEP_S
want = samples(source.port, '{job="peer"}', begin, END)
equal(sum(map(len, want.values())), 6 * 200, "samples in Prometheus")
snapshot = json.loads(run("curl", "-sS", "-XPOST", f"http://127.0.0.1:{source.port}/api/v1/admin/tsdb/snapshot"))["data"]["name"]
run_on_terminal("vmctl", "prometheus", "-s", f"--prom-snapshot={source.folder}/data/snapshots/{snapshot}",
    f"--vm-addr=http://127.0.0.1:{agent.port}", "--vm-disable-progress-bar", "--vm-concurrency=1", "--vm-batch-size=1")
finite = lambda rows: {k: [(t, float(v)) for t, v in s if math.isfinite(float(v))] for k, s in rows.items()}
moved = lambda: finite(samples(varve.port, '{job="peer",__name__=~"peer_(requests_total|seconds_bucket|gauge)"}', begin, END))
wanted = finite(want)  # VictoriaMetrics' import format has no place for NaN and infinities
try_until = time.time() + 10
while moved() != wanted and time.time() < try_until:
    time.sleep(0.1)
same_rows(moved(), wanted, "moved")
agent.stop()
equal(varve.stop(), 0, "exit status")
print("ok")
