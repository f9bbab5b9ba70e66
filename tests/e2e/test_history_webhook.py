"""The section `history:`: events go to a webhook as they happen; what it does holds up no notification; limits and URL follow reloads."""
from alert_lib import *

d, receiver, released = folder(), Receiver(), threading.Event()
JSON, SECRET = {"Content-Type": "application/json"}, "canary-55aa"
am, ext = os.path.join(d, "am.yml"), os.path.join(d, "ext.yml")


def section(where, more=""):
    put(ext, f"history: {{webhook_url: 'http://127.0.0.1:{receiver.port}/{where}/{SECRET}'{more}}}\n")


def fire(name):
    equal(s.request("POST", "/api/v2/alerts", json.dumps([{"labels": {"alertname": name}}]), JSON)[0], 200, name)


def posted(where):
    return [e for _, _, body in receiver.of(where) for e in json.loads(body)["events"]]


def api():
    return s.api("alerting/history", limit=1000)[1]["data"]["events"]


def metric(name):
    found = [line for line in s.request("GET", "/metrics")[2].decode().splitlines() if line.startswith(name + " ")]
    return float(found[0].split()[1]) if found else None


receiver.ways = {"people": status_ok, "first": status_ok, "second": status_ok, "hangs": lambda h: released.wait(60)}
put(am, f"""route: {{receiver: people, group_by: [alertname], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}
receivers: [{{name: people, webhook_configs: [{{url: 'http://127.0.0.1:{receiver.port}/people/x'}}]}}]
""")
section("first")
FLAGS = [f"--alertmanager.config-file={am}", f"--alertmanager.extensions-file={ext}"]
s = Server(flags=FLAGS)

step("each event is posted, in order, as the API gives it")
for name in ("A", "B<>&"):
    fire(name)
until("people are told", lambda: len(receiver.of("people")) == 2)
until("all is posted", lambda: len(posted("first")) >= 4 and metric("varve_alert_history_post_waiting_bytes") == 0)
equal(posted("first"), list(reversed(api())), "events")
equal(receiver.of("first")[0][1]["Content-Type"], "application/json", "type")
check(receiver.of("first")[0][1]["User-Agent"].startswith("Varve/"), receiver.of("first")[0][1])
equal(metric("varve_alert_history_posted_total"), len(posted("first")), "posted")

step("one that hangs delays nobody")
section("hangs")
equal(s.request("POST", "/-/reload")[0], 200, "reload")
fire("C")
until("it hangs", lambda: receiver.of("hangs"))
began = time.time()
fire("D")
until("people are told", lambda: len(receiver.of("people")) == 4, seconds=5)
check(metric("varve_alert_history_post_waiting_bytes") > 0, "events wait")
check(any(e["labels"].get("alertname") == "D" for e in api()), "the history goes on")

step("another URL, smaller limits, none")
section("second", ", retention: 1h, max_bytes: 1MB")
equal(s.request("POST", "/-/reload")[0], 200, "reload")
check(time.time() - began < 15, "the reload does not wait for what hangs")
fire("E")
until("it is posted", lambda: any(e["labels"].get("alertname") == "E" for e in posted("second")))
check(not any(e["labels"].get("alertname") == "D" for e in posted("second")), "what waited for the other one is not posted here")
put(ext, "history: {}\n")
equal(s.request("POST", "/-/reload")[0], 200, "reload")
equal(metric("varve_alert_history_posted_total"), 0, "no webhook")
count = len(posted("second"))
fire("F")
until("people are told", lambda: len(receiver.of("people")) == 6)
equal(len(posted("second")), count, "events")
released.set()

step("what cannot be is said")
put(ext, "history: {webhook_url: 'ftp://x/'}\n")
check(s.request("POST", "/-/reload")[0] != 200, "a URL that is none")
section("first")
equal(s.stop(), 0, "stop")
with open(s.log_path) as f:
    check(SECRET not in f.read(), "the URL is in the log")
p = subprocess.run([VARVE, "serve", f"--storage.tsdb.path={folder()}", f"--web.listen-address=127.0.0.1:{free_port()}", *FLAGS,
                    "--alertmanager.history-retention=0s"], capture_output=True, text=True, timeout=30)
equal(p.returncode, 1, p.stderr)
check("ext.yml: history: the flag --alertmanager.history-retention=0s says that none is kept" in p.stderr, p.stderr)
print("ok")
