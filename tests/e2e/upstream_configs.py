"""Judge Prometheus' own example configurations: `upstream_configs.py VARVE CHECKOUT`, where CHECKOUT is a checkout
of github.com/prometheus/prometheus. Each file of config/testdata is checked with `varve check config --syntax-only`: those that config_test.go expects an error of
must be refused, those called good must be taken; of the rest the verdict is printed.
No part of the test suite, which needs no other project's files."""
import glob
import os
import re
import subprocess
import sys

varve, checkout = os.path.abspath(sys.argv[1]), sys.argv[2]
os.chdir(os.path.join(checkout, "config"))
with open("config_test.go") as f:
    expected = dict(re.findall(r'filename:\s*"([^"]+)",\s*\n\s*errMsg:\s*(?:`|")(.*?)(?:`|"),?\n', f.read()))
agreed, wrong = 0, 0
for path in sorted(glob.glob("testdata/**/*.y*ml", recursive=True)):
    name = os.path.relpath(path, "testdata")
    checked = subprocess.run([varve, "check", "config", "--syntax-only", path], capture_output=True, text=True)
    said = (checked.stdout + checked.stderr).strip().splitlines()[-1].strip()
    taken = checked.returncode == 0
    if name not in expected and ".good." not in name:
        print(f"{name}: {'taken' if taken else said}")
        continue
    good = name not in expected
    if good == taken:
        agreed += 1
    else:
        wrong += 1
        print(f"WRONG {name}: {said}; expected: {expected.get(name, 'that it is taken')}")
print(f"{agreed} agreed, {wrong} did not")
sys.exit(wrong > 0)
