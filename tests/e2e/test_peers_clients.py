"""Client libraries for programs: Python's requests and prometheus_client (its parsers are strict), both Debian's."""
import json
import os
import shutil
import subprocess
import time

from lib import Server, check, equal, skip, step
from peers import STEP_S, data, give, result, run, samples

PYTHON = "/usr/bin/python3"
probe = subprocess.run([PYTHON, "-c", "import requests, prometheus_client"], capture_output=True, check=False) if shutil.which(PYTHON) else None
if probe is None or probe.returncode != 0:
    skip("this needs python3-requests and python3-prometheus-client")
NOW = int(time.time())
END = NOW - NOW % STEP_S - 15
COUNT = 200
varve = Server()
rows = data(END, COUNT)
give(varve.port, rows)

step("requests, prometheus_client")
out = json.loads(run(PYTHON, os.path.join(os.path.dirname(os.path.abspath(__file__)), "python_client.py"), str(varve.port), str(END)))
last = {l["code"]: s[-1][1] for l, s in rows if "code" in l}
equal({r["metric"]["code"]: r["value"] for r in out["instant"]}, {c: [END, f"{v:.0f}"] for c, v in last.items()}, "instant")
equal(out["range"][0]["values"], [[END - 60 + 15 * i, f"{last['200'] - 3 * (4 - i):.0f}"] for i in range(5)], "range")
equal(sorted(s["__name__"] for s in out["series"]), ["peer_gauge", "peer_gone"], "series")
equal(out["series"][0].get("text"), rows[2][0]["text"], "a label of odd characters")
equal(out["labels"], ["__name__", "job", "le"], "labels")
equal(out["values"], ["+Inf", "0.1", "1"], "values")
equal(out["error"][:2], [400, "bad_data"], out["error"])
check("1:5: parse error" in out["error"][2], out["error"])
wanted = samples(varve.port, "peer_gauge", END - 3000, END)
equal([[(round(t * 1000), v) for t, v in r["values"]] for r in out["streamed"]], list(wanted.values()), "streamed")
equal(out["healthy"], 200, "healthy")

step("what the parsers make of /federate and /metrics")
newest = result(varve.port, '{__name__=~"peer_requests_total|peer_gauge"}', time.time())
number = lambda v: float(v) if v not in ("NaN", "+Inf", "-Inf") else {"NaN": "nan", "+Inf": "inf", "-Inf": "-inf"}[v]
for kind in ("federate_text", "federate_openmetrics"):
    want = [[r["metric"]["__name__"], {"instance": "", **{k: v for k, v in r["metric"].items() if k != "__name__"}},
             number(r["value"][1]), float(END)] for r in newest]
    equal(len(want), 3, "series")
    key = lambda item: (item[0], sorted(item[1].items()))
    equal(sorted(out[kind], key=key), sorted(want, key=key), kind)
check(len(out["metrics"]) > 20, f"{len(out['metrics'])} families")
for name, kind, text, count in out["metrics"]:
    check(kind in ("counter", "gauge", "histogram", "summary") and text and count, f"{name}: {kind}, {text!r}, {count} samples")
equal(varve.stop(), 0, "exit status")
print("ok")
