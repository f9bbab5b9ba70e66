"""The real binary dies in every way: SIGKILL under load, SIGTERM under load, signals in a row, kills at
system calls, a slow and a failing disk. What was acknowledged is there afterwards, whole and exact.

Writers number their requests. Request n of writer w puts the value n at time n into STRIDE series,
so that a lost, a half and an invented request all show.
"""
import random
import shutil
import signal
import subprocess
import sys
import threading
import time

from lib import VARVE, Server, check, equal, post_write, step, time_series

STRIDE = 5      # series a request
WRITERS = 4
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 12
seed = random.randrange(1 << 30)
print("seed", seed)
rng = random.Random(seed)
base_ms = int(time.time() * 1000) - 3600 * 1000


class Writer(threading.Thread):
    """Sends requests until told to stop or the server is gone; keeps what was acknowledged."""

    def __init__(self, server, w, first):
        super().__init__(daemon=True)
        self.server, self.w, self.next, self.stopping = server, w, first, False
        self.acked, self.sent = [], []

    def run(self):
        while not self.stopping:
            n = self.next
            self.next += 1
            message = b"".join(time_series({"__name__": "crash", "w": str(self.w), "i": str(i)},
                                           [(base_ms + n * 10, n)]) for i in range(STRIDE))
            self.sent.append(n)
            try:
                status = post_write(self.server, message)[0]
            except OSError:
                return
            if status == 204:
                self.acked.append(n)


def verify(server, acked, sent, what):
    """Every acknowledged request is whole, no request is half there, nothing is invented."""
    end = base_ms / 1000 + 3600
    got = {}
    for r in server.query("crash[2h]", end):
        w, i = int(r["metric"]["w"]), int(r["metric"]["i"])
        for ts, v in r["values"]:
            n = round((float(ts) * 1000 - base_ms) / 10)
            equal(float(v), float(n), f"{what}: value of request {n}")
            got.setdefault((w, n), set()).add(i)
    for (w, n), series in got.items():
        equal(len(series), STRIDE, f"{what}: request {n} of writer {w} is there in part")
        check(n in sent[w], f"{what}: request {n} of writer {w} was never sent")
    for w in acked:
        lost = [n for n in acked[w] if (w, n) not in got]
        check(not lost, f"{what}: acknowledged requests of writer {w} lost: {lost[:5]} of {len(acked[w])}")


def run_round(server, acked, sent, seconds, end):
    writers = [Writer(server, w, 1 + max(sent[w], default=0)) for w in range(WRITERS)]
    for t in writers:
        t.start()
    time.sleep(seconds)
    end()
    for t in writers:
        t.stopping = True
    for t in writers:
        t.join(20)
        acked[t.w].update(t.acked)
        sent[t.w].update(t.sent)


def oracle(data):
    p = subprocess.run([VARVE, "tsdb", "verify", data], capture_output=True, text=True)
    equal(p.returncode, 0, f"tsdb verify: {p.stdout[-800:]}{p.stderr[-800:]}")


step(f"{ROUNDS} rounds of SIGKILL at random times under {WRITERS} writers")
acked, sent = ({w: set() for w in range(WRITERS)} for _ in range(2))
s = Server(flags=["--storage.head.window=2s"])
for k in range(ROUNDS):
    run_round(s, acked, sent, rng.uniform(0.05, 1.2), s.kill)
    oracle(s.data)
    begun = time.time()
    s = Server(data=s.data, flags=["--storage.head.window=2s"])
    check(time.time() - begun < 5, f"start took {time.time() - begun:.1f} s")
    verify(s, acked, sent, f"round {k}")
print(f"  {sum(len(a) for a in acked.values())} requests acknowledged")

step("SIGTERM under load: nothing acknowledged is lost, the end comes within 30 s")
begun = time.time()
run_round(s, acked, sent, 0.5, lambda: equal(s.stop(seconds=30), 0, "exit status"))
oracle(s.data)
s = Server(data=s.data)
verify(s, acked, sent, "after SIGTERM")

step("restart equivalence: the same answers, byte for byte, before and after")
queries = ["crash", "crash[1h]", "sum by (w) (rate(crash[1m]))", "count_over_time(crash[1h])",
           "max(crash) by (i)", "crash @ 1.5", "topk(3, crash)", "absent(crash)"]


def answers(server):
    out = []
    for q in queries:
        for t in range(0, 60, 7):
            r = server.api("query", query=q, time=f"{base_ms / 1000 + t}")[1]
            if r["status"] == "success" and isinstance(r["data"]["result"], list) and q != "topk(3, crash)":
                r["data"]["result"].sort(key=str)
            out.append(str(r))
    return out


before = answers(s)
s.kill()
s = Server(data=s.data)
equal(answers(s), before, "answers after SIGKILL")
s.stop()
s = Server(data=s.data)
equal(answers(s), before, "answers after SIGTERM")

step("a storm of signals")
for sig in [signal.SIGHUP] * 20 + [signal.SIGPIPE] * 5 + [signal.SIGXFSZ] * 5:
    s.process.send_signal(sig)
verify(s, acked, sent, "after signals")
s.process.send_signal(signal.SIGTERM)
s.process.send_signal(signal.SIGTERM)
equal(s.process.wait(30), 0, "exit status after two SIGTERM")

if shutil.which("strace"):
    step("SIGKILL at system calls of cut, publication, compaction and deletion")
    for call in ("renameat2,rename,renameat", "unlink,unlinkat", "fsync", "fdatasync", "ftruncate", "openat",
                 "mkdir,mkdirat"):
        for when in rng.sample(range(1, 40), 2):
            wrapper = ["strace", "-f", "-q", "-o", "/dev/null", "-e", f"trace={call}",
                       "-e", f"inject={call}:signal=KILL:when={when}"]
            k = Server(data=s.data, flags=["--storage.head.window=1s"], wrapper=wrapper, wait=False)
            try:
                k.process.wait(timeout=0.1)
            except subprocess.TimeoutExpired:
                run_round(k, acked, sent, 2.5, lambda: None)
                k.kill()
            subprocess.run(["pkill", "-KILL", "-f", f"storage.tsdb.path={s.data} "], check=False)
            time.sleep(0.1)
            oracle(s.data)
            s = Server(data=s.data)
            verify(s, acked, sent, f"killed at {call} number {when}")
            s.stop()

    step("fdatasync fails: the request is refused with 503, later ones are stored elsewhere")
    wrapper = ["strace", "-f", "-q", "-o", "/dev/null", "-e", "trace=fdatasync",
               "-e", "inject=fdatasync:error=EIO:when=20..23"]
    k = Server(data=s.data, wrapper=wrapper)
    run_round(k, acked, sent, 4, lambda: None)
    equal(k.request("GET", "/-/healthy")[0], 200, "healthy after failed syncs")
    metrics = k.request("GET", "/metrics")[2].decode()
    check("varve_wal_sync_errors_total 0\n" not in metrics, "sync errors are counted")
    subprocess.run(["pkill", "-KILL", "-f", f"storage.tsdb.path={s.data} "], check=False)
    k.kill()
    s = Server(data=s.data)
    verify(s, acked, sent, "after failed syncs")

    step("a disk with 500 ms a sync: answers are slow, queries are not")
    s.stop()
    wrapper = ["strace", "-f", "-q", "-o", "/dev/null", "-e", "trace=fdatasync",
               "-e", "inject=fdatasync:delay_exit=500000"]
    k = Server(data=s.data, wrapper=wrapper)
    t = Writer(k, 0, 1 + max(sent[0]))
    t.start()
    time.sleep(0.7)
    for _ in range(5):
        begun = time.time()
        k.query("1+1", base_ms / 1000)
        check(time.time() - begun < 0.4, f"a query took {time.time() - begun:.2f} s")
    t.stopping = True
    t.join(10)
    subprocess.run(["pkill", "-KILL", "-f", f"storage.tsdb.path={s.data} "], check=False)
    k.kill()
print("ok")
