"""prometheus-query, a client library of the npm registry, asks a Varve by GET and by POST. It is installed for the test
into a folder that goes with it; without a registry that answers the test is skipped.
"""
import json
import os
import subprocess
import time

import npm_lib
from lib import Server, check, equal, step
from peers import STEP_S, data, give

d = npm_lib.install("prometheus-query@3.5.1")
NOW = int(time.time())
END = NOW - NOW % STEP_S - 15
rows = data(END)
varve = Server()
give(varve.port, rows)

step("queries, metadata, status")
script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "npm_client.mjs")
p = subprocess.run(["node", script, f"http://127.0.0.1:{varve.port}", str(END)], cwd=d, capture_output=True, text=True, check=False,
                   timeout=60)
equal(p.returncode, 0, f"node: {p.stderr[-2000:]}")
wanted = {l["code"]: s for l, s in rows if "code" in l}
for way, out in json.loads(p.stdout).items():
    equal({r["metric"]["code"]: r["values"] for r in out["instant"]}, {c: [[t, v] for t, v in s[-1:]] for c, s in wanted.items()}, way)
    equal({r["metric"]["code"]: r["values"] for r in out["range"]}, {c: [[t, v] for t, v in s[-41:]] for c, s in wanted.items()}, way)
    equal(out["series"], [rows[2][0]], f"{way}: series")
    equal(out["labels"], ["__name__", "job", "le"], f"{way}: labels")
    equal(out["values"], ["+Inf", "0.1", "1"], f"{way}: values")
    equal(out["rules"], [], f"{way}: rules")
    equal(out["alerts"], [], f"{way}: alerts")
    equal(out["alertmanagers"], {"activeAlertmanagers": [], "droppedAlertmanagers": []}, f"{way}: alertmanagers")
    check(out["targets"]["activeTargets"] == [] and "droppedTargets" in out["targets"], f"{way}: {out['targets']}")
    equal(out["metadata"], {}, f"{way}: metadata")
    check("yaml" in out["config"], f"{way}: {out['config']}")
    check("storage.tsdb.path" in out["flags"] and "startTime" in out["runtime"] and "headStats" in out["tsdb"], f"{way}: status")
    equal(out["buildinfo"], ["branch", "buildDate", "buildUser", "goVersion", "revision", "version"], f"{way}: buildinfo")
    check("parse error" in out["error"], f"{way}: {out.get('error')}")
equal(varve.stop(), 0, "exit status")
print("ok")
