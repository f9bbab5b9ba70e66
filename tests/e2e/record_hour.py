"""Runs Debian's Alertmanager through the scripted hour, in real time, and writes what it sent: record_hour.py VARVE OUT
[SECONDS]. A server of ours goes through the same hour beside it; what it sent goes to OUT.varve."""
import datetime
import os

from hour_lib import *
from lib import *
from peers import Peer, run

OUT = sys.argv[2]
OF = script()
SECONDS = int(sys.argv[3]) if len(sys.argv) > 3 else OF["seconds"]
t0_ms = None


def offset_ms():
    return round(time.time() * 1000) - t0_ms


def whole_minute():
    """The next one that leaves time to start."""
    t = (int(time.time()) + 25) // 60 * 60 + 60
    begin, end = (datetime.datetime.fromtimestamp(s, datetime.timezone.utc) for s in (t, t + OF["seconds"]))
    check(begin.date() == end.date(), "times of day of the configuration must not go through midnight (UTC)")
    return t * 1000


def put(name, text):
    path = os.path.join(d, name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


def alertmanager(config):
    """Started, and when its configuration was loaded: groups without alerts go every 30 s from then. That must not be when
    something is posted or flushed."""
    for _ in range(20):
        p = Peer("alertmanager", "prometheus-alertmanager", f"--config.file={config}", "--storage.path={folder}/data",
                 "--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=", f"--web.external-url={URL}/alertmanager",
                 ready="/alertmanager/-/ready")
        line = next(l for l in p.tail().splitlines() if "Completed loading of configuration file" in l)
        loaded = datetime.datetime.fromisoformat(line.split("ts=")[1].split()[0].replace("Z", "+00:00"))
        if loaded.microsecond // 1000 in (*range(100, 400), *range(600, 900)):
            return p, round(loaded.timestamp() * 1000)
        p.stop()
    check(False, "it never started within the middle of half a second")


class Target:
    """A server that is told of all events, on a thread of its own."""

    def __init__(self, name, port):
        self.name, self.port, self.silences, self.late_ms = name, port, Silences(), 0
        self.thread = threading.Thread(target=self.run)

    def request(self, method, path, body):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        c.request(method, "/alertmanager/api/v2" + path, json.dumps(body) if body is not None else None, {"Content-Type": "application/json"})
        r = c.getresponse()
        text = r.read()
        c.close()
        check(r.status == 200, f"{self.name}: {method} {path}: {r.status} {text}")
        return text

    def run(self):
        try:
            for at_ms, kind, what in events(OF, t0_ms):
                if at_ms >= SECONDS * 1000:
                    break
                time.sleep(max(0, at_ms - offset_ms()) / 1000)
                self.late_ms = max(self.late_ms, offset_ms() - at_ms)
                if kind == "alerts":
                    self.request("POST", "/alerts", what)
                    continue
                text = self.request(*self.silences.request(what, t0_ms))
                if what["do"] != "end":
                    self.silences.ids[what["name"]] = json.loads(text)["silenceID"]
            time.sleep(max(0, SECONDS * 1000 - offset_ms()) / 1000)
        except SystemExit:
            os._exit(1)


d = folder()
try:
    os.nice(-15)  # a machine with other work makes timers late
except OSError:
    print("this should run with a higher priority than others do")
t0_ms = whole_minute()
providers = {who: Providers(OF["outages"], offset_ms) for who in ("alertmanager", "varve")}
paths = {who: put(who + ".yml", configuration(t0_ms, p.port, p.mail.port)) for who, p in providers.items()}
am, loaded_ms = alertmanager(paths["alertmanager"])
s = Server(flags=[f"--alertmanager.config-file={paths['varve']}", f"--web.external-url={URL}"])
check(offset_ms() < 0, "both started before the hour begins")
targets = [Target("alertmanager", am.port), Target("varve", s.port)]
print(f"the hour begins at {rfc3339(t0_ms)}", flush=True)
for t in targets:
    t.thread.start()
for t in targets:
    t.thread.join()
version = re.search(r"version ([0-9.]+)", run("prometheus-alertmanager", "--version"))[1]
header = {"started_ms": t0_ms, "loaded_ms": loaded_ms - t0_ms, "seconds": SECONDS, "of": digest(), "late_ms": targets[0].late_ms,
          "version": version}
write_record(OUT, header, providers["alertmanager"].taken())
write_record(OUT + ".varve", {**header, "late_ms": targets[1].late_ms, "version": "varve"}, providers["varve"].taken())
print(f"{len(providers['alertmanager'].taken())} requests of Alertmanager, {len(providers['varve'].taken())} of ours; "
      f"posts were at most {[t.late_ms for t in targets]} ms late")
am.stop()
s.stop()
c = Comparison(providers["alertmanager"].taken(), providers["varve"].taken(), OF["outages"])
print("\n".join(c.problems))
print(f"{len(c.pairs)} pairs compared, {len(c.problems)} differ; ours came {c.lateness()[:1]} to {c.lateness()[-1:]} ms after theirs")
