"""examples/rules: every file is valid, and its unit tests pass: by Varve, and by promtool where it is
installed (its 2.42 does not know double_exponential_smoothing)."""
import glob
import os
import re
import shutil
import subprocess
import tempfile

from lib import VARVE, check, step

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "rules")
RULES = sorted(glob.glob(os.path.join(ROOT, "*.yml")))
TESTS = sorted(glob.glob(os.path.join(ROOT, "tests", "*.yml")))
NEWER = {"anomaly-smoothing.yml"}


def run(*argv):
    with tempfile.TemporaryDirectory(prefix="varve-examples-") as folder:
        env = dict(os.environ, TMPDIR=folder)
        p = subprocess.run(argv, capture_output=True, text=True, timeout=300, env=env)
    return p.returncode, p.stdout + p.stderr


step("rules are valid")
check(len(RULES) >= 10 and len(TESTS) >= 9, f"files are found: {RULES} {TESTS}")
code, out = run(VARVE, "check", "rules", *RULES)
check(code == 0, out)

step("varve test rules")
code, out = run(VARVE, "test", "rules", *TESTS)
check(code == 0, out)

step("every alert has a case that fires and one that does not")
for path in RULES:
    name = os.path.basename(path)
    with open(path, encoding="utf-8") as f:
        alerts = re.findall(r"^ *- \{?alert: (\w+)", f.read(), re.M)
    cases = ""
    for test in TESTS:
        with open(test, encoding="utf-8") as f:
            text = f.read()
        if f"../{name}]" in text:
            cases += text
    for alert in alerts:
        parts = cases.split(f"alertname: {alert}\n")[1:]
        fires = [p for p in parts if p.lstrip().startswith("exp_alerts:\n")]
        quiet = [p for p in parts if p.lstrip().startswith("exp_alerts: []")]
        check(fires and (quiet or alert == "Watchdog"), f"{name}: {alert} has no such cases")

step("promtool agrees")
if shutil.which("promtool") is None:
    print("promtool is not installed: left out")
else:
    for files, command in (([p for p in RULES if os.path.basename(p) not in NEWER], "check"),
                           ([p for p in TESTS if os.path.basename(p) not in NEWER], "test")):
        code, out = run("promtool", command, "rules", *files)
        check(code == 0, out)
