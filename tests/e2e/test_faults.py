"""System calls of the real binary fail, are slow, or are its last (strace injects). What was acknowledged is
there afterwards; the server goes on where it can. `test_faults.py VARVE [KILLS]`
"""
import random
import shutil
import subprocess
import sys
import time

from durability import Load, oracle
from lib import Server, check, equal, folder, skip, step

if not shutil.which("strace") or subprocess.run(["strace", "-f", "-o", "/dev/null", "true"],
                                                 stderr=subprocess.DEVNULL).returncode != 0:
    skip("this needs strace and the right to trace")

KILLS = int(sys.argv[2]) if len(sys.argv) > 2 else 1
seed = random.randrange(1 << 30)
print("seed", seed)
rng = random.Random(seed)
load = Load()


def strace(calls, action):
    return ["strace", "-f", "-q", "-o", "/dev/null", "-e", f"trace={calls}", "-e", f"inject={calls}:{action}"]


step("SIGKILL at system calls of cut, publication, compaction and deletion")
data, deaths = folder(), 0
CALLS = {"renameat2,rename,renameat": 6, "unlink,unlinkat": 8, "fsync": 12, "fdatasync": 300, "ftruncate": 4,
         "openat": 100, "mkdir,mkdirat": 5}  # about as many as a thread makes in a round
for call, most in CALLS.items():
    for when in rng.choices(range(1, most), k=KILLS):
        k = Server(data=data, flags=["--storage.head.window=1s"],
                   wrapper=strace(call, f"signal=KILL:when={when}"), wait=False)
        load.round(k, 2.5)
        deaths += k.process.poll() is not None
        k.kill()
        oracle(data)
        s = Server(data=data)
        load.verify(s, f"killed at {call} number {when}")
        s.stop()
check(deaths > 0, "no kill took place")
print(f"  {deaths} kills, {load.total()} requests acknowledged")

step("fdatasync fails: the request is refused with 503, later ones are stored elsewhere")
load.statuses.clear()
k = Server(data=data, wrapper=strace("fdatasync", "error=EIO:when=20..23"))
load.round(k, 2)
equal(k.request("GET", "/-/healthy")[0], 200, "healthy after failed syncs")
metrics = k.request("GET", "/metrics")[2].decode()
check("\nvarve_wal_sync_errors_total " in metrics and "\nvarve_wal_sync_errors_total 0\n" not in metrics,
      "sync errors are counted")
check(load.statuses[503] > 0, "a failed sync refuses a request")
n = len(load.acked[0])
load.round(k, 0.5)
check(len(load.acked[0]) > n, "writing goes on after failed syncs")
load.verify(k, "before the kill")
k.kill()
oracle(data)
s = Server(data=data)
load.verify(s, "after failed syncs")
s.stop()

step("every fdatasync fails for good: nothing is acknowledged, queries go on")
k = Server(data=data, wrapper=strace("fdatasync", "error=EIO:when=5+"))
load.round(k, 1)
load.statuses.clear()
load.round(k, 0.5)
equal(load.statuses[204], 0, "acknowledged without a sync")
check(load.statuses[503] > 0, "answers while nothing can be synced")
equal([k.request("GET", p)[0] for p in ("/-/healthy", "/-/ready")], [200, 503], "healthy, ready")
load.verify(k, "while nothing can be synced")
k.kill()
s = Server(data=data)
load.verify(s, "after the disk came back")
s.stop()

step("a disk with 2 s a sync: answers are slow, queries are not")
k = Server(data=data, wrapper=strace("fdatasync", "delay_exit=2000000"))
took = []


def ask():
    for _ in range(10):
        begun = time.time()
        k.query("1+1", 0)
        k.query("count(crash)", load.base_ms / 1000 + 1)
        took.append(time.time() - begun)


load.round(k, 1.5, ask)
check(max(took) < 1.5, f"queries took {max(took):.2f} s")
k.kill()
s = Server(data=data)
load.verify(s, "after a slow disk")
s.stop()

step("system calls interrupted by signals: nobody notices")
load.statuses.clear()
CALLS = "pwrite64,pread64,ftruncate,writev,pwritev,getrandom"
log = folder() + "/calls"
k = Server(data=data, flags=["--storage.head.window=1s"],
           wrapper=["strace", "-f", "-q", "-o", log, "-e", f"trace={CALLS}", "-e",
                    f"inject={CALLS}:error=EINTR:when=12+3"])
load.round(k, 3)
equal(set(load.statuses), {204}, "answers while calls are interrupted")
load.verify(k, "while calls are interrupted")
k.stop()
interrupted = {line.split("(")[0].split()[-1] for line in open(log) if "EINTR" in line and "INJECTED" in line}
check({"pwrite64", "pread64"} <= interrupted, f"interrupted calls: {interrupted}")
oracle(data)
s = Server(data=data)
load.verify(s, "after interrupted calls")
s.stop()
print("ok")
