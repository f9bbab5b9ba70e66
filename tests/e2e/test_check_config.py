"""Every rule of prometheus.yml by an example (config_cases.py): the verdict, what the error says and that it names
a line, for `varve check config --syntax-only`; Debian's promtool says the same but for what is named."""
import os
import re
import shutil
import subprocess

from config_cases import CASES
from lib import VARVE, check, folder, step

d = folder()
names = []
for i, (text, *_) in enumerate(CASES):
    names.append(f"{i:03}.yml")
    with open(os.path.join(d, names[-1]), "w") as f:
        f.write(text)


def judged(tool):
    """What the tool says of each file, all asked for at once."""
    p = subprocess.run([tool, "check", "config", "--syntax-only", *names], cwd=d, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True, timeout=60)
    parts = re.split(r"^Checking (.*)$", p.stdout, flags=re.M)
    said = dict(zip(parts[1::2], parts[2::2]))
    check(set(said) == set(names), f"{tool} judged all files")
    return [said[n] for n in names]


def refused(text):
    return "FAILED" in text


def differences(said):
    for (text, want, *_), name, got in zip(CASES, names, said):
        if (want is not None) != refused(got):
            yield f"{text!r}: {got.strip()!r}, wanted {want!r}"
        elif want is not None and (want not in got or not re.search(rf" {name}:\d+:\d+: ", got)):
            yield f"{text!r}: {got.strip()!r}, wanted a place and {want!r}"


ours = judged(VARVE)
wrong = list(differences(ours))
check(not wrong, "\n" + "\n".join(wrong))
check(sum(want is None for _, want, *_ in CASES) > 50, "many are taken")
check(not any("canary" in s for s in ours), "no password is shown")
step(f"{len(CASES)} examples are judged as they should be")

promtool = shutil.which("promtool")
if promtool:
    theirs = judged(promtool)
    others = [f"{case[0]!r}: {b.strip()!r}" for case, a, b in zip(CASES, ours, theirs)
              if refused(a) != refused(b) and len(case) == 2]
    check(not others, "promtool judges otherwise:\n" + "\n".join(others))
    agree = sum(refused(a) == refused(b) for a, b in zip(ours, theirs))
    check(agree > 150, f"promtool agrees in {agree}")
    step(f"promtool agrees in {agree}")
