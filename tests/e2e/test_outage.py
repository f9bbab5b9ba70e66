"""Providers that refuse, hang, reset connections and slam the door for ten seconds, with a restart in the middle: what is
true when they are back is told, once, ends included."""
import socket
import struct

from alert_lib import *

d, receiver, up = folder(), Receiver(), threading.Event()
am_path = os.path.join(d, "alertmanager.yml")
JSON = {"Content-Type": "application/json"}
NAMES = ("refuses", "hangs", "resets", "closes")


def ok(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "0")
    handler.end_headers()
    return True


def reset(handler):
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.shutdown(socket.SHUT_RD)
    handler.close_connection = True
    return True


WAYS = {"refuses": receiver.refuse, "hangs": lambda h: up.wait(60) and None, "resets": reset,
        "closes": lambda h: setattr(h, "close_connection", True) or True}
came = {name: [] for name in NAMES}  # what providers took, not what was sent to them
for name in NAMES:
    def way(handler, name=name):
        if not up.is_set():
            return WAYS[name](handler)
        with receiver.lock:
            came[name].append(json.loads(handler.body))
        return ok(handler)
    receiver.ways[name] = way
with open(am_path, "w") as f:
    f.write("route:\n  receiver: refuses\n  group_by: [alertname]\n  group_wait: 0s\n  group_interval: 1s\n  repeat_interval: 1h\n  routes:\n")
    f.writelines(f"  - {{receiver: {n}, matchers: [to={n}]}}\n" for n in NAMES)
    f.write("receivers:\n")
    f.writelines(f"- {{name: {n}, webhook_configs: [{{url: 'http://127.0.0.1:{receiver.port}/{n}/hook', timeout: 2s}}]}}\n" for n in NAMES)
ext_path = os.path.join(d, "ext.yml")
with open(ext_path, "w") as f:
    f.write("delivery: {retry: {max_attempts: 3, initial: 200ms, max_backoff: 500ms}}\n")
FLAGS = [f"--alertmanager.config-file={am_path}", f"--alertmanager.extensions-file={ext_path}"]
s = Server(flags=FLAGS)


def alerts(*names, ends=False):
    """The same for each provider, as rules say it."""
    at = lambda t: time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(t)) + f"{t % 1:.3f}"[2:] + "Z"
    now = time.time()
    body = [{"labels": {"alertname": n.split("/")[0], "i": n, "to": to}, "startsAt": at(now - 1000 if ends else now),
             "endsAt": at(now if ends else now + 3600)} for n in names for to in NAMES]
    equal(s.request("POST", "/api/v2/alerts", json.dumps(body), JSON)[0], 200, "alerts taken")


def state(name):
    """What a provider believes: {alert: status}."""
    with receiver.lock:
        return {a["labels"]["i"]: a["status"] for m in came[name] for a in m["alerts"]}


step("before")
up.set()
alerts("old/1", "flaps/1", "stays/1")
for name in NAMES:
    until(f"{name}: told", lambda: len(state(name)) == 3)

step("nobody answers: alerts come, go, come and go")
up.clear()
began = time.time()
alerts("old/1", "flaps/1", ends=True)
alerts("new/1", "short/1", "both/1", "stays/2")
time.sleep(3)
alerts("short/1", "both/1", ends=True)
alerts("flaps/1", "both/2")
time.sleep(2)
equal(s.stop(), 0, "it ends although providers hang")
s = Server(data=s.data, flags=FLAGS)
time.sleep(max(0, 10 - (time.time() - began)))
for name in NAMES:
    equal(len(came[name]), 3, f"{name} took nothing")
    check(len(receiver.of(name)) > 5, f"{name} was asked: {len(receiver.of(name))}")

step("they are back")
up.set()
WANT = {"old/1": "resolved", "new/1": "firing", "both/2": "firing", "flaps/1": "firing", "stays/1": "firing", "stays/2": "firing"}
for name in NAMES:
    until(f"{name}: {WANT}", lambda: {k: v for k, v in state(name).items() if k in WANT} == WANT)
    check("short/1" not in state(name), "what began and ended in between is told to nobody")
alerts("new/1", "both/2", "flaps/1", "stays/1", "stays/2", ends=True)
for name in NAMES:
    until(f"{name}: the ends", lambda: set(state(name).values()) == {"resolved"})

step("once")
time.sleep(2)
for name in NAMES:
    seen = {}
    for m in came[name]:
        for a in m["alerts"]:
            seen.setdefault(a["labels"]["i"], []).append(a["status"])
    for alert, got in seen.items():
        changes = [x for i, x in enumerate(got) if i == 0 or got[i - 1] != x]
        check(changes in (["firing", "resolved"], ["resolved"], ["firing"]), f"{name}: {alert}: {got}")
    equal(len([m for m in came[name] if m["groupLabels"] == {"alertname": "new"}]), 2, f"{name}: messages about new/1")
equal(s.stop(), 0, "exit status")
print("ok")
