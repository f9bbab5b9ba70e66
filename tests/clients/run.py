"""Starts a Varve, gives it the data of tests/e2e/clients.py and runs the clients of this folder against it; then once more
against a Varve without data, where a check that passes proves nothing: `run.py VARVE MODULES` (script/clients does).
"""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))

import clients
from lib import Server, check, equal, step

RUNS = [("Grafana's data source", "grafana.cjs", {}), ("Grafana's data source by GET", "grafana.cjs", {"HTTP_METHOD": "GET"}),
        ("Grafana's scenes", "scenes.cjs", {}), ("Perses' client", "perses.cjs", {})]
# What a server without data answers as well: about the server, about nothing, about errors.
WITHOUT_DATA = {"save and test", "init: rules, exemplars", "variable: nothing_like_this", "health check", "a query as a tree",
                "an error", "a panel of a broken query shows the error"}
modules = os.path.abspath(sys.argv[2])


def run(script, port, env):
    """{check: did it pass}"""
    p = subprocess.run(["node", os.path.join(HERE, script), f"http://127.0.0.1:{port}", str(clients.S), str(clients.E)],
                       env={**os.environ, "NODE_PATH": os.path.join(modules, "node_modules"), **env}, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True, check=False, timeout=300)
    found = dict((name, word == "ok") for word, name in re.findall(r"^  (ok|FAILED)  (.*)$", p.stdout, re.M))
    check(re.search(r"^\d+ passed, \d+ failed$", p.stdout, re.M), f"{script} did not end:\n{p.stdout[-3000:]}")
    return found, p.stdout


varve, empty = Server(), Server()
clients.send(varve.port)
passed = failed = 0
for title, script, env in RUNS:
    step(title)
    found, text = run(script, varve.port, env)
    if not all(found.values()):
        print(text)
    print(f"  {sum(found.values())} of {len(found)}", flush=True)
    passed, failed = passed + sum(found.values()), failed + len(found) - sum(found.values())
    if script != "scenes.cjs" and not env:  # that one waits ten seconds for each panel
        blind = {name for name, ok in run(script, empty.port, env)[0].items() if ok} - WITHOUT_DATA
        equal(blind, set(), "checks that pass without data")
equal(varve.stop(), 0, "exit status")
print(f"{passed} passed, {failed} failed")
sys.exit(1 if failed else 0)
