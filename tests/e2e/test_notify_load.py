"""A thousand alerts a minute, and a storm of thousands at once: each is told once, soon, its end too, while API v2 answers."""
import threading

from lib import *
from recorder import Recorder

recorder, d = Recorder(start), folder()
am = os.path.join(d, "am.yml")
with open(am, "w") as f:
    f.write(f"""route: {{receiver: all, group_by: ['...'], group_wait: 0s, group_interval: 30s, repeat_interval: 4h}}
receivers: [{{name: all, webhook_configs: [{{url: '{recorder.url}'}}]}}]
""")
s = Server(flags=[f"--alertmanager.config-file={am}"])
RATE, SECONDS, STORM, SLOW = 1000 / 60, 5, 3000, 60  # seconds for machines that are busy


def alerts(ids):
    at = lambda t: time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(t)) + f"{t % 1:.3f}"[1:] + "Z"
    now = time.time()
    body = [{"labels": {"alertname": "Load", "id": str(i), "service": f"s{i % 20}"}, "annotations": {"summary": "x" * 200},
             "startsAt": at(now), "endsAt": at(now + 3600)} for i in ids]
    equal(s.request("POST", "/api/v2/alerts", json.dumps(body), {"Content-Type": "application/json"})[0], 200, "alerts taken")
    return now


def memory_mb(key):
    with open(f"/proc/{s.pid()}/status") as status:
        return int(next(line for line in status if line.startswith(key)).split()[1]) / 1024


def all_told(ids):
    told = recorder.told()["alerts"]
    return all(str(i) in told for i in ids) and told


step("a thousand a minute")
posted, began = {}, time.time()
while time.time() - began < SECONDS:
    due = int((time.time() - began) * RATE)
    batch = range(len(posted), due)
    if batch:
        posted.update(dict.fromkeys(batch, alerts(batch)))
    time.sleep(0.1)
until("all are told", lambda: all_told(posted), seconds=SLOW)
told = recorder.told()["alerts"]
took = sorted(told[str(i)][0] - posted[i] for i in posted)
print(f"  {len(posted)} alerts: p50 {took[len(took) // 2] * 1000:.0f} ms, at most {took[-1] * 1000:.0f} ms")
check(took[len(took) // 2] < 2, f"half of them within 2 s: {took[len(took) // 2]:.2f} s")

step(f"{STORM} at once; API v2 answers meanwhile")
before, answers, storm, done = memory_mb("VmRSS"), [], range(10000, 10000 + STORM), threading.Event()


def ask():
    while not done.is_set():
        began = time.time()
        equal(s.request("GET", "/api/v2/alerts?filter=service%3D%22s1%22")[0], 200, "an answer")
        answers.append(time.time() - began)


asking = threading.Thread(target=ask)
asking.start()
began = time.time()
alerts(storm)
until("all are told", lambda: all_told(storm), seconds=SLOW)
print(f"  all told within {time.time() - began:.1f} s")
done.set()
asking.join()
answers.sort()
print(f"  {len(answers)} answers meanwhile: p50 {answers[len(answers) // 2] * 1000:.0f} ms, at most {answers[-1] * 1000:.0f} ms; "
      f"memory {before:.0f} MB before, at most {memory_mb('VmHWM'):.0f} MB")
check(answers[len(answers) // 2] < 2, "half of the answers within 2 s")

step("each once, and nothing waits")
equal([i for i, (_, firing, _, ended) in recorder.told()["alerts"].items() if (firing, ended) != (1, 0)], [], "told otherwise")
text = s.request("GET", "/metrics")[2].decode()
value = lambda line: float(text.split(f"\n{line} ")[1].split()[0])
equal((value("varve_notify_queued"), value('alertmanager_notifications_failed_total{integration="webhook"}')), (0, 0), "left")
equal(value('alertmanager_notifications_total{integration="webhook"}'), len(posted) + STORM, "notifications")
equal(s.stop(), 0, "exit status")
recorder.stop()
print("ok")
