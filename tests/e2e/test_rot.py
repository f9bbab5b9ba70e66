"""Files of a data folder are damaged in every way while nobody looks. The server starts, what it answers is true or
said to be incomplete, and `varve tsdb verify` finds what is wrong. `test_rot.py VARVE [ROUNDS]`
"""
import os
import random
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from lib import VARVE, Server, check, equal, folder, step

ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 1
seed = random.randrange(1 << 30)
print("seed", seed)
rng = random.Random(seed)
SERIES, END = 8, int(time.time()) - 60
GROUPS = 40  # in the log
AT_ONCE = 2  # servers; each waits half of its time
truth = {}  # (series, time): value


def push(s, times):
    rows = []
    for i in range(SERIES):
        points = [(t * 1000, round(rng.gauss(100, 50), rng.choice((0, 2, 9)))) for t in times]
        truth.update({(i, t // 1000): v for t, v in points})
        rows.append(({"__name__": "rot", "i": str(i)}, points))
    s.write(rows)


def verify(data):
    p = subprocess.run([VARVE, "tsdb", "verify", data], capture_output=True, text=True, timeout=60)
    check(p.returncode in (0, 1), f"tsdb verify ended with {p.returncode}: {p.stderr[-500:]}")
    return p.returncode


step("a folder with blocks, a deletion and a log")
s = Server()
for day in range(6, 0, -1):
    push(s, range(END - day * 86400, END - (day - 1) * 86400 - 3600, 1200))
equal(s.stop(), 0, "exit status")
s = Server(data=s.data)
equal(s.api("admin/tsdb/delete_series", method="POST", **{"match[]": 'rot{i="0"}', "end": END - 2 * 86400})[0], 204, "deletion")
deleted = {k for k in truth if k[0] == 0 and k[1] <= END - 2 * 86400}
for k in range(GROUPS):
    push(s, [END + k])
s.kill()
base = s.data
equal(verify(base), 0, "tsdb verify of the sound folder")
files = {}  # kind: paths
for path, _, names in os.walk(base):
    for name in names:
        kind = re.sub(r"\d+\.", ".", name)
        files.setdefault(kind, []).append(os.path.relpath(os.path.join(path, name), base))
files.pop("lock")
check({"index.mdb", "chunks", "meta.json", "tombstones", "sums", "state", ".wal", ".defs"} <= files.keys(), f"{files}")


def flip(path, rng):
    with open(path, "r+b") as f:
        # the log is preallocated: look for a place that is used
        size = len(f.read().rstrip(b"\0")) or os.path.getsize(path)
        if size == 0:
            return
        at = rng.randrange(size)
        f.seek(at)
        byte = f.read(1)[0]
        f.seek(at)
        f.write(bytes([byte ^ 1 << rng.randrange(8)]))


def garbage(path, rng):
    with open(path, "r+b") as f:
        used = len(f.read().rstrip(b"\0"))
        f.seek(rng.randrange(max(used, 1)))
        f.write(rng.randbytes(rng.randrange(1, 600)))


def zeros(path, rng):
    with open(path, "r+b") as f:
        used = len(f.read().rstrip(b"\0"))
        f.seek(rng.randrange(max(used, 1)))
        f.write(bytes(rng.randrange(1, 600)))


def cut(path, rng):
    with open(path, "rb") as f:
        used = len(f.read().rstrip(b"\0"))
    os.truncate(path, rng.randrange(max(used, 1)))


def empty(path, _):
    os.truncate(path, 0)


def become_folder(path, _):
    os.unlink(path)
    os.mkdir(path)


def another(path, rng):
    """The same file of another block."""
    others = [f for f in files[os.path.basename(path)] if not path.endswith(f)]
    shutil.copyfile(os.path.join(base, rng.choice(others)), path)


def stored(s, silent=False):
    """The samples the server answers with. They must be true; if some are missing, it must say so."""
    status, answer = s.api("query", query="rot[30d]", time=END + 3600)
    metrics = s.request("GET", "/metrics")[2].decode()
    count = lambda name: float(re.search(rf"^{name} (\S+)$", metrics, re.M).group(1))
    told = (status != 200 or "warnings" in answer or count("varve_blocks_quarantined") > 0 or
            count("prometheus_tsdb_wal_corruptions_total") > 0 or count("varve_wal_torn_tails_total") > 0 or
            "level=error" in s.log() or "level=warn" in s.log())
    if status != 200:
        check(status in (422, 500), f"status {status}: {answer}")
        return set()
    got = set()
    for r in answer["data"]["result"]:
        for t, v in r["values"]:
            key = int(r["metric"]["i"]), int(t)
            check(truth.get(key) == float(v), f"sample {key}: {v}, stored was {truth.get(key)}")
            got.add(key)
    lost = truth.keys() - deleted - got
    check(told or not got & deleted, f"deleted samples are back and nobody says so: {sorted(got & deleted)[:3]}")
    check(told or silent or not lost, f"{len(lost)} samples are missing and nobody says so: {sorted(lost)[:3]}")
    return got


def gone(path, _):
    os.unlink(path)


def survives(kind, damage, number):
    """A server on a damaged copy of the folder. Returns whether nothing was lost."""
    rng = random.Random(f"{seed} {kind} {damage.__name__} {number}")
    copy = os.path.join(folder(), "data")
    subprocess.run(["cp", "-a", "--sparse=always", base, copy], check=True)
    victim = rng.choice(files[kind])
    damage(os.path.join(copy, victim), rng)
    s = None
    try:
        found = verify(copy)
        s = Server(data=copy, wait=False)
        s.wait_ready()
        # No store can know that whole groups at the end of its log are gone, or whether the last was ever whole.
        unknowable = kind == ".wal" and damage in (cut, gone, empty, zeros, become_folder)
        got = stored(s, silent=unknowable)
        lost = truth.keys() - deleted - got
        all_there = not lost
        unknowable |= kind == ".wal" and {t for _, t in lost} <= {END + GROUPS - 1}
        check(found == 1 or all_there or unknowable, "tsdb verify finds nothing")
        s.write([({"__name__": "after"}, [(END * 1000, 1)])])
        s.kill()
        s = Server(data=copy)
        again = stored(s, silent=True)
        check(not got - again, f"{len(got - again)} samples are lost by a restart")
        equal(s.count("after", END + 1), 1, "a write after the damage")
        equal(s.stop(), 0, "exit status")
    except SystemExit:
        print(f"  after {damage.__name__} of {victim}\n{s.log() if s else ''}")
        raise
    shutil.rmtree(os.path.dirname(copy))
    return all_there


step(f"every damage to every kind of file, {ROUNDS} times")
damages = [flip, flip, flip, garbage, zeros, cut, empty, gone, become_folder, another]
jobs = [(kind, damage, number) for kind in sorted(files) for number, damage in enumerate(damages * ROUNDS)
        if damage is not another or len(files[kind]) > 1]
with ThreadPoolExecutor(AT_ONCE) as pool:
    results = list(pool.map(lambda job: survives(*job), jobs))
check(0 < sum(results) < len(jobs), "no damage did anything")
print(f"  {sum(results)} times nothing was lost, {len(jobs) - sum(results)} times it was said")
print("ok")
