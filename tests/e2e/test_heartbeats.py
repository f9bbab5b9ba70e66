"""Heartbeats of a real server: pings to OpsGenie and to a URL, held back by their expression, tried again, seen in the API,
in metrics and in health; and no secret of them anywhere."""
from alert_lib import *

d = folder()
am_path, ext_path, key_path = (os.path.join(d, name) for name in ("am.yml", "ext.yml", "og.key"))
CANARY = "kanari77Q"
pings, refuse, lock = [], set(), threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        with lock:
            pings.append((time.time(), self.command, self.path, self.headers.get("Authorization")))
            status = 503 if self.path in refuse else 202
        body = f"{self.path} {self.headers}".encode()  # it repeats what it was sent
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def handle(self):
        try:
            super().handle()
        except ConnectionError:
            pass

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
HERE = f"http://127.0.0.1:{server.server_address[1]}"


put(am_path, "route: {receiver: r}\nreceivers: [{name: r}]\n")
put(key_path, f"{CANARY}-key\n")
EXT = f"""heartbeats:
- {{name: tsdb prod, opsgenie: {{api_url: '{HERE}', api_key_file: og.key}}, interval: 1s, only_if: 'switch == 1'}}
- {{name: watchdog, url: '{HERE}/{CANARY}-uuid', method: POST, interval: 1s}}
"""
put(ext_path, EXT)
FLAGS = [f"--alertmanager.config-file={am_path}", f"--alertmanager.extensions-file={ext_path}", "--health.interval=1s"]
OPSGENIE, URL = "/v2/heartbeats/tsdb%20prod/ping", f"/{CANARY}-uuid"


def check_files(status):
    p = subprocess.run([VARVE, "check", "alertmanager", f"--extensions-file={ext_path}", am_path], capture_output=True,
                       text=True, timeout=60, check=False)
    equal(p.returncode, status, f"{p.stdout}{p.stderr}")
    check(CANARY not in p.stdout + p.stderr, "a secret in the output of check")
    return p.stdout + p.stderr


def of(path):
    with lock:
        return [p for p in pings if p[2] == path]


check_files(0)
s = Server(flags=FLAGS)
answers = []  # all that anybody is shown


def shown(path):
    status, _, body = s.request("GET", path)
    answers.append(body.decode(errors="replace"))
    return status, answers[-1]


def beats():
    status, body = shown("/api/v1/alerting/heartbeats")
    equal(status, 200, body)
    return {b["name"]: b for b in json.loads(body)["data"]}


def health():
    _, body = shown("/health?fresh=true")
    return json.loads(body)


step("the URL is asked, OpsGenie waits for the expression")
until("pings of the watchdog", lambda: len(of(URL)) >= 2)
equal(of(URL)[0][1], "POST", "method")
until("withheld", lambda: beats()["tsdb prod"]["state"] == "withheld")
b = beats()["tsdb prod"]
equal((b["to"], b["why"], b["sent"], b["lastSentAt"], b["onlyIf"]), ("opsgenie", "only_if has no result", 0, None, "switch == 1"), "withheld")
equal(of(OPSGENIE), [], "nothing was sent")
until("by the next write", lambda: s.write([({"__name__": "switch"}, [(int(time.time() * 1000), 1)])]) and of(OPSGENIE))
equal(of(OPSGENIE)[0][1::2], ("GET", f"GenieKey {CANARY}-key"), "the ping of OpsGenie")
until("it is told", lambda: beats()["tsdb prod"]["state"] == "sent")
s.write([({"__name__": "switch"}, [(int(time.time() * 1000), 0)])])
until("withheld again", lambda: beats()["tsdb prod"]["state"] == "withheld")

step("what fails is tried again, and health says so")
refuse.add(URL)
until("failing", lambda: beats()["watchdog"]["state"] == "failing")
equal(beats()["watchdog"]["why"], "the answer was 503 Service Unavailable", "why")


def degraded():
    notify = [c for c in health()["checks"] if c.get("name") == "notify"] if isinstance(health()["checks"], list) else [health()["checks"]["notify"]]
    return notify[0] if notify[0]["status"] == "degraded" else None


n = until("health is degraded", degraded)
check("nobody hears heartbeat watchdog: the answer was 503" in json.dumps(n), n)
refuse.clear()
until("heard again", lambda: beats()["watchdog"]["state"] == "sent")
until("health is well again", lambda: not degraded(), seconds=15)

step("metrics")
_, metrics = shown("/metrics")
for line in ('varve_heartbeats_sent_total{heartbeat="tsdb prod"} ', 'varve_heartbeats_failed_total{heartbeat="watchdog"} ',
             'varve_heartbeats_withheld_total{heartbeat="tsdb prod"} ', 'varve_heartbeat_last_success_timestamp_seconds{heartbeat="watchdog"} '):
    found = [x for x in metrics.splitlines() if x.startswith(line)]
    check(found and float(found[0].split(" ")[-1]) > 0, f"{line} {found}")

step("a reload keeps the rhythm; what does not parse is refused with its place")
sent = beats()["watchdog"]["sent"]
put(ext_path, EXT.replace("switch == 1", "switch =="))
status, _, body = s.request("POST", "/-/reload")
answers.append(body.decode())
check(status == 500 and b'ext.yml:2:3: heartbeat "tsdb prod": only_if: 1:10: parse error' in body, f"{status} {body!r}")
check('ext.yml:2:3: heartbeat "tsdb prod": only_if: 1:10: parse error' in check_files(1), "check says so, too")
put(ext_path, EXT.replace("switch == 1", "switch[5m]"))
check("it must be a vector or a scalar" in check_files(1), "a range")
put(ext_path, EXT.replace("switch == 1", "vector(1)").replace("interval: 1s}", "interval: 1h}"))
equal(s.request("POST", "/-/reload")[0], 200, "reload")
until("with the new expression", lambda: beats()["tsdb prod"]["state"] == "sent")
check(beats()["watchdog"]["sent"] >= sent, "counters stay")
put(ext_path, "heartbeats: []\n")
equal(s.request("POST", "/-/reload")[0], 200, "reload")
equal(beats(), {}, "none are left")
shown("/api/v1/status/config")
shown("/api/v2/status")
equal(s.stop(), 0, "exit status")
with open(s.log_path, errors="replace") as f:
    answers.append(f.read())
check("no heartbeat" in answers[-1], "failures are logged")
check(not any(CANARY in a for a in answers), f"a secret: {[a for a in answers if CANARY in a][:1]}")
print("ok")
