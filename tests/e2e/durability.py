"""Writers that number their requests, and the check that what was acknowledged is there, whole and exact.

Request n of writer w puts the value n at time n into STRIDE series, so that a lost, a half and an
invented request all show.
"""
import collections
import subprocess
import threading
import time

from lib import VARVE, check, equal, post_write, time_series

STRIDE = 5  # series a request
WRITERS = 4


class Writer(threading.Thread):
    """Sends requests until told to stop or the server's process has ended."""

    def __init__(self, load, server, w):
        super().__init__(daemon=True)
        self.load, self.server, self.w, self.stopping = load, server, w, False

    def run(self):
        while not self.stopping and self.server.process.poll() is None:
            n = self.load.next[self.w]
            self.load.next[self.w] += 1
            message = b"".join(time_series({"__name__": "crash", "w": str(self.w), "i": str(i)},
                                           [(self.load.base_ms + n * 10, n)]) for i in range(STRIDE))
            self.load.sent[self.w].add(n)
            try:
                status, headers, body = post_write(self.server, message)
                self.load.statuses[status] += 1
                if status == 204:
                    self.load.acked[self.w].add(n)
                    continue
                if status != 503 or "retry-after" not in headers:
                    self.load.wrong = f"request {n}: {status} {headers} {body!r}"
            except OSError:
                pass
            time.sleep(0.01)  # not yet listening, refusing, or gone


class Load:
    """What all rounds against one data folder have sent, and what was acknowledged."""

    def __init__(self):
        self.base_ms = int(time.time() * 1000) - 3600 * 1000
        self.next = [1] * WRITERS
        self.statuses, self.wrong = collections.Counter(), None
        self.acked, self.sent = ([set() for _ in range(WRITERS)] for _ in range(2))

    def round(self, server, seconds, end=lambda: None):
        """Load for some seconds, or until the server dies; end() is called under load."""
        writers = [Writer(self, server, w) for w in range(WRITERS)]
        for t in writers:
            t.start()
        deadline = time.time() + seconds
        while time.time() < deadline and server.process.poll() is None:
            time.sleep(0.01)
        end()
        for t in writers:
            t.stopping = True
        for t in writers:
            t.join(70)
            check(not t.is_alive(), "a request is never answered")
        check(self.wrong is None, self.wrong)

    def total(self):
        return sum(map(len, self.acked))

    def verify(self, server, what):
        """Every acknowledged request is whole, no request is half there, nothing is invented."""
        got = [{} for _ in range(WRITERS)]
        for r in server.query("crash[2h]", self.base_ms / 1000 + 3600):
            w, i = int(r["metric"]["w"]), int(r["metric"]["i"])
            for ts, v in r["values"]:
                n = round((float(ts) * 1000 - self.base_ms) / 10)
                check(float(v) == n, f"{what}: value of request {n} of writer {w} is {v}")
                got[w].setdefault(n, set()).add(i)
        for w in range(WRITERS):
            half = [n for n, series in got[w].items() if len(series) != STRIDE]
            check(not half, f"{what}: requests {half[:5]} of writer {w} are there in part")
            invented = sorted(got[w].keys() - self.sent[w])
            check(not invented, f"{what}: requests {invented[:5]} of writer {w} were never sent")
            lost = sorted(self.acked[w] - got[w].keys())
            check(not lost, f"{what}: lost {len(lost)} of {len(self.acked[w])} acknowledged requests of "
                  f"writer {w}: {lost[:5]}")


def oracle(data):
    """`varve tsdb verify` finds nothing wrong with a folder that no process has open."""
    p = subprocess.run([VARVE, "tsdb", "verify", data], capture_output=True, text=True, timeout=60)
    equal(p.returncode, 0, f"tsdb verify: {p.stdout[-800:]}{p.stderr[-800:]}")
