"""Disks that fill up, run out of inodes or turn read-only: writes get 503, queries go on, nothing that was
acknowledged is lost, and writing resumes by itself. Needs root for mounting; says so if it cannot.
"""
import os
import subprocess
import sys
import time

import lib
from lib import Server, check, equal, folder, post_write, step, time_series

mounts = []


def run(*argv):
    return subprocess.run(argv, capture_output=True, text=True)


def mount(kind, *options):
    d = folder()
    p = run("mount", "-t", kind, *options, kind if kind == "tmpfs" else options[-1], d)
    if p.returncode != 0:
        return None
    mounts.append(d)
    return d


def unmount_all():
    for d in mounts:
        run("umount", "-l", d)


import atexit
atexit.register(unmount_all)
if mount("tmpfs", "-o", "size=1m") is None:
    print("SKIPPED: this needs the right to mount file systems")
    sys.exit(0)

now_ms = int(time.time() * 1000) - 3000 * 1000
acked = {}


def push(server, n, series=400):
    """One request of `series` series with value n at time n; True when it was acknowledged."""
    message = b"".join(time_series({"__name__": "disk", "i": str(i), "pad": f"{i:0100}"}, [(now_ms + n * 1000, n)])
                       for i in range(series))
    status, _, body = post_write(server, message)
    check(status in (204, 503), f"push {n}: {status} {body!r}")
    if status == 204:
        acked[n] = series
    return status == 204


def verify(server, what):
    got = {}
    for r in server.query("disk[1h]", now_ms / 1000 + 3000):
        for ts, v in r["values"]:
            got[float(v)] = got.get(float(v), 0) + 1
    for n, series in acked.items():
        equal(got.get(float(n), 0), series, f"{what}: series of acknowledged request {n}")


def fill(d, leave=0):
    with open(os.path.join(d, "ballast"), "wb") as f:
        try:
            while True:
                f.write(b"\0" * 65536)
                f.flush()
        except OSError:
            pass
    if leave:
        os.truncate(os.path.join(d, "ballast"), os.path.getsize(os.path.join(d, "ballast")) - leave)


step("disk full while writing: 503, queries go on; space comes back: 204, and all is there after a kill")
d = mount("tmpfs", "-o", "size=96m")
s = Server(data=os.path.join(d, "data"))
for n in range(5):
    check(push(s, n), f"push {n} on a disk with space")
fill(d)
refused = 0
for n in range(5, 4000):
    if not push(s, n):
        refused += 1
        if refused == 5:
            break
check(refused == 5, "a full disk refuses no write")
verify(s, "disk full")
equal(s.request("GET", "/-/healthy")[0], 200, "healthy on a full disk")
os.unlink(os.path.join(d, "ballast"))
deadline = time.time() + 20
n += 1
while not push(s, n):
    check(time.time() < deadline, "writing does not resume after space came back")
    time.sleep(0.2)
    n += 1
equal(s.request("GET", "/-/ready")[0], 200, "ready again")
s.kill()
s = Server(data=s.data)
verify(s, "after disk full and kill")

step("disk full during a cut: the cut is given up and tried again, no crash")
fill(d)
status, _, _ = s.request("POST", "/api/v1/admin/tsdb/snapshot")
check(status in (200, 500), f"snapshot on a full disk: {status}")
verify(s, "snapshot on a full disk")

step("start with 0 bytes free: answers queries")
s.kill()
fill(d)
s = Server(data=s.data, wait=False)
deadline = time.time() + 20
while time.time() < deadline:
    try:
        if s.api("query", query="vector(1)")[0] == 200:
            break
    except OSError:
        check(s.process.poll() is None, f"ended: {s.log()}")
    time.sleep(0.1)
verify(s, "started on a full disk")
os.unlink(os.path.join(d, "ballast"))
deadline = time.time() + 20
n += 1
while not push(s, n):
    check(time.time() < deadline, "writing does not resume")
    time.sleep(0.2)
    n += 1
s.stop()
s = Server(data=s.data)
verify(s, "after the full start")
s.stop()
acked.clear()

step("no inodes left")
d = mount("tmpfs", "-o", "size=200m,nr_inodes=40")
s = Server(data=os.path.join(d, "data"), flags=["--storage.head.window=1s"])
for i in range(40):
    try:
        open(os.path.join(d, f"f{i}"), "w").close()
    except OSError:
        break
for n in range(20):
    push(s, n)
    time.sleep(0.1)
verify(s, "no inodes")
for f in os.listdir(d):
    if f.startswith("f"):
        os.unlink(os.path.join(d, f))
time.sleep(3)
s.kill()
s = Server(data=s.data)
verify(s, "after no inodes and kill")
s.stop()
acked.clear()

step("read-only while running, and at start")
image = os.path.join(folder(), "image")
with open(image, "wb") as f:
    f.truncate(256 << 20)
check(run("mkfs.ext4", "-q", image).returncode == 0, "mkfs.ext4")
d = mount("ext4", "-o", "loop", image)
if d is None:
    print("SKIPPED: no loop devices here")
    sys.exit(0)
s = Server(data=os.path.join(d, "data"))
for n in range(3):
    check(push(s, n), f"push {n}")
if run("mount", "-o", "remount,ro", d).returncode != 0:
    run("sh", "-c", f"echo u > /proc/sysrq-trigger")
if run("sh", "-c", f"touch {d}/x").returncode != 0:
    deadline = time.time() + 5
    while push(s, n + 1):
        n += 1
        check(time.time() < deadline, "a read-only disk takes writes for ever")
    verify(s, "read-only")
    equal(s.request("GET", "/-/ready")[0], 503, "ready on a read-only disk")
    equal(s.request("GET", "/-/healthy")[0], 200, "healthy on a read-only disk")
    run("mount", "-o", "remount,rw", d)
    deadline = time.time() + 20
    n += 1
    while not push(s, n):
        check(time.time() < deadline, "writing does not resume after remount")
        time.sleep(0.2)
        n += 1
    verify(s, "writable again")
s.stop()
run("mount", "-o", "remount,ro", d)
s = Server(data=s.data, wait=False)
deadline = time.time() + 20
while time.time() < deadline:
    try:
        if s.api("query", query="vector(1)")[0] == 200:
            break
    except OSError:
        check(s.process.poll() is None, f"ended on a read-only disk: {s.log()}")
    time.sleep(0.1)
verify(s, "started read-only")
check(not push(s, n + 1), "a write to a read-only disk was acknowledged")
s.kill()
print("ok")
