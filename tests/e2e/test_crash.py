"""The real binary dies: SIGKILL under load, SIGTERM under load, signals in a row. What was acknowledged is
there afterwards, whole and exact, and answers before and after a restart are the same to the byte.
`test_crash.py VARVE [ROUNDS]`
"""
import random
import signal
import sys
import time

from durability import Load, oracle
from lib import Server, check, equal, step

ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 12
seed = random.randrange(1 << 30)
print("seed", seed)
rng = random.Random(seed)
load = Load()

step(f"{ROUNDS} rounds of SIGKILL at random times under load")
s = Server(flags=["--storage.head.window=2s"])
for k in range(ROUNDS):
    load.round(s, rng.uniform(0.05, 1.2), s.kill)
    oracle(s.data)
    begun = time.time()
    s = Server(data=s.data, flags=["--storage.head.window=2s"])
    check(time.time() - begun < 5, f"start took {time.time() - begun:.1f} s")
    load.verify(s, f"round {k}")
check(load.total() > 20 * ROUNDS, f"only {load.total()} requests were acknowledged")
print(f"  {load.total()} requests acknowledged")

step("SIGTERM under load: nothing acknowledged is lost, the end comes within 30 s")
load.round(s, 0.5, lambda: equal(s.stop(seconds=30), 0, "exit status"))
oracle(s.data)
s = Server(data=s.data)
load.verify(s, "after SIGTERM")

step("restart equivalence: the same answers, byte for byte, before and after")
queries = ["crash", "crash[1h]", "sum by (w) (rate(crash[1m]))", "count_over_time(crash[1h])",
           "max(crash) by (i)", "crash @ 1.5", "topk(3, crash)", "absent(crash)"]


def answers(server):
    out = []
    for q in queries:
        for t in range(0, 60, 7):
            r = server.api("query", query=q, time=f"{load.base_ms / 1000 + t}")[1]
            check(r["status"] == "success", f"{q}: {r}")
            if not q.startswith("topk"):
                r["data"]["result"].sort(key=lambda x: sorted(x["metric"].items()))
            out.append(str(r))
    return out


before = answers(s)
s.kill()
s = Server(data=s.data)
equal(answers(s), before, "answers after SIGKILL")
equal(s.stop(), 0, "exit status")
s = Server(data=s.data)
equal(answers(s), before, "answers after SIGTERM")

step("a storm of signals")
for sig in [signal.SIGHUP] * 20 + [signal.SIGPIPE] * 5 + [signal.SIGXFSZ] * 5:
    s.send_signal(sig)
load.verify(s, "after signals")
s.send_signal(signal.SIGTERM)
s.send_signal(signal.SIGTERM)
equal(s.process.wait(30), 0, "exit status after two SIGTERM")
print("ok")
