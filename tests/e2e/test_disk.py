"""Disks that fill up, run out of inodes or turn read-only: writes get 503, queries go on, nothing that was
acknowledged is lost, and writing resumes by itself. Needs the right to mount; says so if it has it not.
All mounts are private to this process.
"""
import os
import re
import subprocess
import time

from lib import Server, check, equal, folder, post_write, private_mounts, skip, step, time_series, until

SERIES = 200  # a request


def run(*argv):
    return subprocess.run(argv, capture_output=True, text=True)


def mount(kind, *options):
    """`options` as mount takes them, the last one the source for kinds that have one; None: not allowed."""
    d = folder()
    source = [kind] if kind == "tmpfs" else []
    return d if run("mount", "-t", kind, *options, *source, d).returncode == 0 else None


if not private_mounts() or mount("tmpfs", "-o", "size=1m") is None:
    skip("this needs the right to mount file systems")


class Disk:
    """A server on a disk, and what it acknowledged."""

    def __init__(self, d, *flags):
        self.folder, self.flags, self.next = d, flags, 0
        self.base_ms = int(time.time() * 1000) - 3000 * 1000
        self.acked, self.refused = set(), set()
        self.log = folder()
        self.start()

    def start(self, wait=True):
        self.server = Server(data=os.path.join(self.folder, "data"), flags=self.flags, wait=wait,
                             log_path=os.path.join(self.log, "log"))
        if not wait:  # not ready while the log cannot be written, but it answers queries
            until("queries are answered", self.answers)

    def answers(self):
        check(self.server.process.poll() is None, f"the server ended: {self.server.log()}")
        try:
            return self.server.api("query", query="vector(1)")[0] == 200
        except OSError:
            return False

    def push(self, bulk=0):
        """One request with the value n at time n; with `bulk` that many bytes of new labels a series. True: acknowledged."""
        n = self.next
        self.next += 1
        message = b"".join(
            time_series({"__name__": "disk", "i": str(i), "pad": os.urandom(bulk // 2).hex()},
                        [(self.base_ms + n * 1000, n)]) for i in range(SERIES))
        status, headers, body = post_write(self.server, message)
        check(status == 204 or (status == 503 and "retry-after" in headers), f"push {n}: {status} {body!r}")
        (self.acked if status == 204 else self.refused).add(n)
        return status == 204

    def verify(self, what):
        """What was acknowledged is there whole; what was refused is not there in part."""
        got = {}
        for r in self.server.query("disk[1h]", self.base_ms / 1000 + 3000):
            for _, v in r["values"]:
                got[int(v)] = got.get(int(v), 0) + 1
        for n in self.acked:
            equal(got.get(n, 0), SERIES, f"{what}: series of acknowledged request {n}")
        for n in self.refused:
            check(got.get(n, 0) in (0, SERIES), f"{what}: refused request {n} is there in part")

    def metric(self, name):
        text = self.server.request("GET", "/metrics")[2].decode()
        return float(re.search(rf"^{name} (\S+)$", text, re.M).group(1))

    def health(self):
        return [self.server.request("GET", p)[0] for p in ("/-/healthy", "/-/ready")]

    def fill(self):
        try:
            with open(os.path.join(self.folder, "ballast"), "wb") as f:
                while True:
                    f.write(b"\0" * 65536)
                    f.flush()
        except OSError:
            pass

    def free(self):
        os.unlink(os.path.join(self.folder, "ballast"))

    def resumes(self):
        until("writing resumes by itself", self.push, period=0.2)


step("disk full while writing: 503, queries go on")
d = Disk(mount("tmpfs", "-o", "size=96m"))
for _ in range(5):
    check(d.push(), "a push to a disk with space is refused")
d.fill()
until("a full disk refuses writes", lambda: not d.push(bulk=4000))
for _ in range(4):
    check(not d.push(bulk=4000), "a full disk takes a write")
d.verify("disk full")
equal(d.health(), [200, 503], "healthy, ready on a full disk")

step("space comes back: writing resumes, and all is there after a kill")
d.free()
d.resumes()
equal(d.health(), [200, 200], "healthy, ready again")
d.verify("space is back")
d.server.kill()
d.start()
d.verify("after disk full and kill")

step("a snapshot on a full disk fails alone")
d.fill()
status, _, body = d.server.request("POST", "/api/v1/admin/tsdb/snapshot")
equal(status, 500, f"snapshot on a full disk: {body!r}")
d.verify("snapshot on a full disk")

step("a stop with the disk full loses nothing")
check(d.server.stop() in (0, 1), "exit status")

step("start with 0 bytes free: queries are answered, writing resumes with space")
d.fill()
d.start(wait=False)
d.verify("started on a full disk")
d.free()
d.resumes()
equal(d.server.stop(), 0, "exit status")
d.start()
d.verify("after the full start")
d.server.stop()

step("no inodes left: cuts fail and are tried again")
d = Disk(mount("tmpfs", "-o", "size=200m,nr_inodes=40"), "--storage.head.window=1s")
files = []
try:
    while len(files) < 40:
        files.append(os.path.join(d.folder, f"f{len(files)}"))
        open(files[-1], "w").close()
except OSError:
    files.pop()
until("a cut fails", lambda: d.push() and False or d.metric("varve_cut_errors_total") > 0, period=0.1)
d.verify("no inodes")
for f in files:
    os.unlink(f)
before = d.metric("varve_cuts_total")
until("cuts go on", lambda: d.push() and False or d.metric("varve_cuts_total") > before, period=0.1)
d.verify("inodes are back")
d.server.kill()
d.start()
d.verify("after no inodes and kill")
d.server.stop()

step("a file system that goes read-only under load")
image = os.path.join(folder(), "image")
with open(image, "wb") as f:
    f.truncate(128 << 20)
check(run("mkfs.ext4", "-q", image).returncode == 0, "mkfs.ext4")
place = mount("ext4", "-o", "loop,errors=remount-ro", image)
if place is None:
    skip("no loop devices here")
d = Disk(place)
for _ in range(3):
    check(d.push(), "a push to a disk that works is refused")
check(run("mount", "-o", "remount,abort", place).returncode == 0, "the file system cannot be aborted")
until("writes are refused", lambda: not d.push())
for _ in range(4):
    check(not d.push(), "a read-only disk takes a write")
d.verify("read-only")
equal(d.health(), [200, 503], "healthy, ready on a read-only disk")
d.server.kill()

step("start on a read-only file system: queries only")
check(run("umount", place).returncode == 0, "umount")
check(run("e2fsck", "-fy", image).returncode in (0, 1), "e2fsck")
place = mount("ext4", "-o", "loop", image)
d.folder = place
d.start()
d.verify("after the repair of the file system")
check(d.push(), "a push after the repair is refused")
d.server.kill()
check(run("mount", "-o", "remount,ro", place).returncode == 0, "remount,ro")
d.start(wait=False)
d.verify("started read-only")
check(not d.push(), "a write to a read-only disk was acknowledged")
equal(d.health(), [200, 503], "healthy, ready when started read-only")

step("it becomes writable: writing resumes")
check(run("mount", "-o", "remount,rw", place).returncode == 0, "remount,rw")
d.resumes()
d.server.kill()
d.start()
d.verify("writable again")
d.server.stop()
print("ok")
