"""Groups that get another name, which a reload cannot tell from one that goes and one that comes: the series of their rules
go on without a gap; those of a rule that is gone end at the reload.
"""
import os
import time

from lib import Server, check, equal, folder, step, until

d = folder()
INTERVAL_S = 0.5
MOVES, GOES = "  - {record: moves, expr: 'vector(1)'}\n", "  - {record: goes, expr: 'vector(2)'}\n"


def put(*groups):
    with open(os.path.join(d, "rules.yml"), "w", encoding="utf-8") as f:
        f.write("groups:\n" + "".join(f"- name: {name}\n  rules:\n{rules}" for name, rules in groups))


with open(os.path.join(d, "prometheus.yml"), "w", encoding="utf-8") as f:
    f.write(f"global: {{evaluation_interval: {int(INTERVAL_S * 1000)}ms}}\nrule_files: [rules.yml]\n")
put(("stays", "  - {record: other, expr: '1'}\n"), ("old", MOVES + GOES))
server = Server(flags=[f"--config.file={d}/prometheus.yml"])


def reload():
    equal(server.request("POST", "/-/reload")[0], 200, "reload")
    return time.time()


def gaps(name, start, end):
    """Moments without a value, a step of 50 ms."""
    status, answer = server.api("query_range", query=name, start=f"{start:.3f}", end=f"{end:.3f}", step="50ms")
    equal(status, 200, name)
    seen = {round(float(t) * 1000) for r in answer["data"]["result"] for t, _ in r["values"]}
    first, last = round(start * 1000), round(end * 1000)
    return [t for t in range(first, last, 50) if not any(abs(t - s) <= 1 for s in seen)]


until("series are recorded", lambda: server.query("moves + on() goes", time.time()))
for name, rules in (("new", MOVES), ("newer", MOVES)):
    step(f"the group is called {name}")
    put(("stays", "  - {record: other, expr: '1'}\n"), (name, rules))
    at = reload()
    time.sleep(3 * INTERVAL_S + 1)
    equal(gaps("moves", at, time.time() - 0.1), [], "moments at which the series that moved has no value")
    if name == "new":
        check(len(gaps("goes", at + 0.06, time.time())) > 10, "the series that is gone ended at the reload")
