"""Retention by time and by size deletes the oldest blocks and nothing else; deletion, cleaning and snapshots over
HTTP; all of it is the same after a restart.
"""
import os
import re
import subprocess
import time

from lib import VARVE, Server, check, equal, step, until

SERIES, STEP_S, DAYS = 20, 600, 16
end = int(time.time()) - 60
begin = end - DAYS * 86400
times = list(range(begin, end, STEP_S))


def value(i, t):
    return (t - begin) // STEP_S * 7 + i


def blocks(s):
    status, answer = s.api("status/tsdb/blocks")
    equal(status, 200, "status/tsdb/blocks")
    return sorted(answer["data"]["blocks"], key=lambda b: b["minTime"])


def samples(s, selector="r"):
    """{(series, time): value}"""
    out = {}
    for r in s.query(f"{selector}[1y]", end + 60):
        for t, v in r["values"]:
            out[int(r["metric"]["i"]), t] = int(v)
    return out


def expect(s, want, text):
    got = samples(s)
    if got != want:
        missing, extra = sorted(want.keys() - got.keys()), sorted(got.keys() - want.keys())
        wrong = [k for k in want if k in got and got[k] != want[k]]
        check(False, f"{text}: {len(missing)} missing {missing[:3]}, {len(extra)} too many {extra[:3]}, wrong {wrong[:3]}")


step(f"{DAYS} days of samples, cut into blocks by a stop")
every = {(i, t): value(i, t) for i in range(SERIES) for t in times}
s = Server()
for k in range(0, len(times), 500):
    s.write([({"__name__": "r", "i": str(i)}, [(t * 1000, value(i, t)) for t in times[k:k + 500]])
             for i in range(SERIES)])
expect(s, every, "in the head")
equal(s.stop(), 0, "exit status")
s = Server(data=s.data)
whole = blocks(s)
check(len(whole) >= 4, f"{len(whole)} blocks")
expect(s, every, "in blocks")
s.stop()

step("retention by time deletes blocks that are wholly too old, and only those")
s = Server(data=s.data, flags=["--storage.tsdb.retention.time=8d"])
limit = times[-1] - 8 * 86400
old = lambda: [b["ulid"] for b in blocks(s) if b["maxTime"] <= limit * 1000]
check(any(b["maxTime"] <= limit * 1000 for b in whole), "no block is too old")
until("old blocks are deleted", lambda: not old())
first = min(b["minTime"] for b in blocks(s)) // 1000
left = {k: v for k, v in every.items() if k[1] >= first}
check(first <= limit + STEP_S, "a block within the retention was deleted")
expect(s, left, "after retention by time")
status, body = s.write([({"__name__": "r", "i": "0"}, [((limit - 86400) * 1000, 1)])], expect=400)
check("too old sample" in body, f"a sample older than the retention: {body}")
s.write([({"__name__": "r", "i": "0"}, [((end + 30) * 1000, 5)])])
left[0, end + 30] = 5
s.kill()
s = Server(data=s.data)
expect(s, left, "after a kill")

step("retention by size deletes from the oldest on, until it fits")
s.stop()
def disk():
    return sum(e.stat().st_size for b in os.scandir(os.path.join(s.data, "blocks")) for e in os.scandir(b))


def metric(name):
    return float(re.search(rf"^{name} (\S+)$", s.request("GET", "/metrics")[2].decode(), re.M).group(1))


def stored():
    return metric("prometheus_tsdb_storage_blocks_bytes") + metric("prometheus_tsdb_wal_storage_size_bytes")


s = Server(data=s.data)
budget = int(stored() - disk() / 3)
s.stop()
s = Server(data=s.data, flags=[f"--storage.tsdb.retention.size={budget}"])
until("blocks over the budget are deleted", lambda: stored() <= budget)
check(metric("prometheus_tsdb_time_retentions_total") > 0, "deletions are counted")
first = min(b["minTime"] for b in blocks(s)) // 1000
left = {k: v for k, v in left.items() if k[1] >= first}
check(left, "everything is gone")
expect(s, left, "after retention by size")
s.stop()
s = Server(data=s.data)
expect(s, left, "after retention by size and a restart")

step("delete_series hides at once, in blocks and in the head, and for good")
fresh = end + 45
s.write([({"__name__": "r", "i": str(i)}, [(fresh * 1000, 1000 + i)]) for i in range(SERIES)])
left.update({(i, fresh): 1000 + i for i in range(SERIES)})
middle = (first + end) // 2


def delete(s, matches, status=204, **params):
    got = s.api("admin/tsdb/delete_series", method="POST", **{"match[]": matches}, **params)
    equal(got[0], status, f"delete {matches} {params}: {got}")
    return got[1]


equal(delete(s, [], 400)["error"], "no match[] parameter provided", "deletion without a selector")
equal(delete(s, ["{}"], 400)["errorType"], "bad_data", "deletion of everything")
delete(s, ['r{i="3"}', 'r{i="4"}'], start=middle)
delete(s, ['r{i=~"1."}'], end=middle)
delete(s, ['r{i="7"}'])
delete(s, ["nothing"])
left = {(i, t): v for (i, t), v in left.items()
        if not (i in (3, 4) and t >= middle) and not (i >= 10 and t <= middle) and i != 7}
expect(s, left, "after deletions")
equal(s.query("r", fresh)[0]["metric"].get("i") is not None, True, "the others answer")
check(not s.query('r{i="7"}', fresh), "a deleted series answers")
s.kill()
s = Server(data=s.data)
expect(s, left, "after deletions and a kill")
s.write([({"__name__": "r", "i": "7"}, [((end + 50) * 1000, 77)])])
left[7, end + 50] = 77
expect(s, left, "a deleted series comes back with new samples only")

step("clean_tombstones changes nothing that is seen and takes less space")
before = disk()
equal(s.api("admin/tsdb/clean_tombstones", method="POST")[0], 204, "clean_tombstones")
expect(s, left, "after cleaning")
check(disk() < before, f"{before} bytes before, {disk()} after")
s.stop()
equal(subprocess.run([VARVE, "tsdb", "verify", s.data], stdout=subprocess.DEVNULL).returncode, 0, "tsdb verify")
s = Server(data=s.data)
expect(s, left, "after cleaning and a restart")

step("a snapshot opens as a data directory with the same answers; skip_head leaves the newest out")
s.write([({"__name__": "r", "i": "0"}, [((end + 55) * 1000, 55)])])
names = []
for skip in ("false", "true"):
    status, answer = s.api("admin/tsdb/snapshot", method="POST", skip_head=skip)
    equal(status, 200, f"snapshot: {answer}")
    names.append(answer["data"]["name"])
equal(s.api("admin/tsdb/snapshot", method="POST", skip_head="maybe")[0], 400, "a bad skip_head")
s.write([({"__name__": "r", "i": "0"}, [((end + 58) * 1000, 58)])])
delete(s, ['r{i="5"}'])
for name, extra in zip(names, ({(0, end + 55): 55}, {})):
    copy = Server(data=os.path.join(s.data, "snapshots", name))
    expect(copy, {**left, **extra}, f"snapshot {name}")
    equal(copy.stop(), 0, "exit status")
left = {k: v for k, v in left.items() if k[0] != 5}
left.update({(0, end + 55): 55, (0, end + 58): 58})
expect(s, left, "the original")
equal(s.stop(), 0, "exit status")

step("without --web.enable-admin-api nothing of this is possible")
s = Server(data=s.data, admin=False)
for path in ("delete_series?match[]=r", "clean_tombstones", "snapshot"):
    status, _, body = s.request("POST", "/api/v1/admin/tsdb/" + path)
    check(status == 500 and b"admin APIs disabled" in body and b'"unavailable"' in body, f"{path}: {status} {body!r}")
expect(s, left, "at the end")
print("ok")
