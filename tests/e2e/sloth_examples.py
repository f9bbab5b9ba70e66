"""Compare the rules Varve makes with those Sloth publishes: `sloth_examples.py VARVE CHECKOUT`, where CHECKOUT is
a copy of github.com/slok/sloth. Each examples/NAME.yml is generated and held against examples/_gen/NAME.yml, rule by
rule: names, labels, annotations, expressions. Examples that need plugins or OpenSLO's v1alpha are named and left out.
No part of the test suite: it needs the network to get the checkout, and python3-yaml."""
import glob
import os
import subprocess
import sys

import yaml

varve, checkout = sys.argv[1:3]
OURS = {"cmd", "sloth_version"}  # set by who generated
same = different = refused = 0


def groups_of(text):
    for document in yaml.safe_load_all(text):
        if document:
            yield from (document.get("spec") or document).get("groups") or []


def normal(rule):
    out = dict(rule)
    out["expr"] = " ".join(rule["expr"].split())
    out["labels"] = {k: v for k, v in (rule.get("labels") or {}).items() if k not in OURS}
    return out


for published in sorted(glob.glob(os.path.join(checkout, "examples/_gen/*.yml"))):
    name = os.path.basename(published)
    made = subprocess.run([varve, "slo", "generate", "-i", os.path.join(checkout, "examples", name)],
                          capture_output=True, text=True)
    if made.returncode != 0:
        refused += 1
        print(f"{name}: left out: {made.stderr.strip()}")
        continue
    with open(published) as f:
        want = {g["name"]: [normal(r) for r in g["rules"]] for g in groups_of(f.read())}
    got = {g["name"]: [normal(r) for r in g["rules"]] for g in groups_of(made.stdout)}
    if got == want:
        same += 1
        print(f"{name}: the same: {sum(map(len, got.values()))} rules")
        continue
    different += 1
    print(f"{name}: DIFFERENT")
    for group in sorted(got.keys() | want.keys()):
        for i, (a, b) in enumerate(zip(got.get(group, []), want.get(group, []))):
            if a != b:
                print(f"  {group} rule {i}\n    made:      {a}\n    published: {b}")
        if len(got.get(group, [])) != len(want.get(group, [])):
            print(f"  {group}: {len(got.get(group, []))} rules made, {len(want.get(group, []))} published")
print(f"{same} passed, {different} failed, {refused} skipped")
sys.exit(different > 0)
