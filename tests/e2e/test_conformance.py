"""PromQL as the scripts say: those in tests/promql, and the shared ones where they lie beside us.

The shared scripts and their runner are not part of this repository (they lie beside it, or where
VARVE_CONFORMANCE says); without them half of this test is left out, and it says so.
"""
import glob
import json
import os
import re
import subprocess
import sys

from lib import VARVE, Server, check, equal, folder, step
from promql_script import Bad, Load, check_eval, read_script

# As the engine of the shared scripts has them.
FEATURES = ("promql-delayed-name-removal,use-start-timestamps,promql-extended-range-selectors,"
            "promql-binop-fill-modifiers,promql-experimental-functions")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SHARED = os.environ.get("VARVE_CONFORMANCE", os.path.join(os.path.dirname(ROOT), "shared", "conformance"))
COMPLETE = True  # True: what the engine says it cannot do yet is a failure too


def run_script(path):
    """(evals, failures) of one of our scripts; every section has a server of its own."""
    name, count, wrong = os.path.basename(path), 0, []
    with open(path) as f:
        sections = read_script(f.read())
    for section in sections:
        server = Server(flags=[f"--enable-feature={FEATURES}"])
        for command in section:
            if isinstance(command, Load):
                command.send(server)
                continue
            count += 1
            try:
                check_eval(server, command)
            except Bad as e:
                wrong.append(f"{name}:{command.line} {command.query}\n    {e}")
        server.kill()
    return count, wrong


def run_shared():
    serve = (f"{VARVE} serve --storage.tsdb.path={{dir}} --web.listen-address=127.0.0.1:{{port}} "
             f"--storage.tsdb.retention.time=0s --enable-feature=type-and-unit-labels,{FEATURES}")
    scripts = sorted(glob.glob(os.path.join(SHARED, "promql", "*.test")))
    check(scripts, f"scripts in {SHARED}")
    out = os.path.join(folder(), "results.json")
    done = subprocess.run([sys.executable, os.path.join(SHARED, "promqltest.py"), "--server-cmd", serve, "--json", out, *scripts],
                          capture_output=True, text=True, timeout=500, check=False)
    check(os.path.exists(out), f"the shared runner: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    with open(out) as f:
        results = json.load(f)
    wrong = [f"{os.path.basename(r['file'])}:{r['line']} {r['query']}\n    {r['status']} {r['reason']}"
             for r in results if r["status"] != "passed"]
    return len(results), wrong


failures = []
step("our own scripts")
for script in sorted(glob.glob(os.path.join(ROOT, "tests", "promql", "*.test"))):
    evals, bad = run_script(script)
    print(f"  {os.path.basename(script)}: {evals - len(bad)} of {evals}")
    check(evals > 0, f"{script} checks nothing")
    failures += bad
if os.path.exists(os.path.join(SHARED, "promqltest.py")):
    step("the shared scripts")
    evals, bad = run_shared()
    print(f"  {evals - len(bad)} of {evals}")
    failures += bad
else:
    step(f"SKIPPED: the shared scripts are not in {SHARED}")
if not COMPLETE:
    todo = [text for text in failures if re.search(r"not supported|start.timestamp", text)]
    failures = [text for text in failures if text not in todo]
    print(f"  {len(todo)} evals wait for the engine")
for text in failures[:40]:
    print("  " + text)
equal(len(failures), 0, "failures")
print("ok")
