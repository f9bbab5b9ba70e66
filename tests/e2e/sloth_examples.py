"""Compare the rules Varve makes with those Sloth publishes: `sloth_examples.py VARVE CHECKOUT`, where CHECKOUT is
a checkout of github.com/slok/sloth. Each examples/NAME.yml is generated and held against examples/_gen/NAME.yml, rule by
rule: names, labels, annotations, expressions. Examples that need what is not there are named and left out.
The outputs that Sloth's own test/integration/prometheus expects are compared as well; of its two plugins in Go one does what
info_labels does, the other is that of the examples with another metric.
No part of the test suite, which needs no other project's files; needs python3-yaml."""
import glob
import os
import re
import subprocess
import sys
import tempfile

import yaml

varve, checkout = sys.argv[1:3]
PLUGINS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/sli-plugins")  # Sloth's example is declared there
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


def rewritten(path, folder, *words):
    """A copy of a file in `folder` with some words replaced."""
    with open(path) as f:
        text = f.read()
    for old, new in words:
        text = text.replace(old, new)
    copy = os.path.join(folder, os.path.basename(path))
    with open(copy, "w") as f:
        f.write(text)
    return copy


def compare(name, argv, text):
    """Generate with `argv` and hold that against the published `text`."""
    global same, different, refused
    made = subprocess.run([varve, "slo", "generate", "--sli-plugins", PLUGINS, *argv], capture_output=True, text=True)
    if made.returncode != 0:
        refused += 1
        print(f"{name}: left out: {made.stderr.strip()}")
        return
    want = {g["name"]: [normal(r) for r in g["rules"]] for g in groups_of(text)}
    got = {g["name"]: [normal(r) for r in g["rules"]] for g in groups_of(made.stdout)}
    if got == want:
        same += 1
        print(f"{name}: the same: {sum(map(len, got.values()))} rules")
        return
    different += 1
    print(f"{name}: DIFFERENT")
    for group in sorted(got.keys() | want.keys()):
        for i, (a, b) in enumerate(zip(got.get(group, []), want.get(group, []))):
            if a != b:
                print(f"  {group} rule {i}\n    made:      {a}\n    published: {b}")
        if len(got.get(group, [])) != len(want.get(group, [])):
            print(f"  {group}: {len(got.get(group, []))} rules made, {len(want.get(group, []))} published")


for published in sorted(glob.glob(os.path.join(checkout, "examples/_gen/*.y*ml"))):
    with open(published) as f:
        compare(os.path.basename(published), ["-i", os.path.join(checkout, "examples", os.path.basename(published))], f.read())

work = tempfile.TemporaryDirectory()
twin = rewritten(os.path.join(PLUGINS, "getting-started.yml"), work.name,
                 ("getting_started_availability", "integration_test"), ("http_request_duration_seconds_count", "integration_test"))
INTEGRATION = os.path.join(checkout, "test/integration/prometheus")
for given, published, flags in (
        ("base", "base", []), ("base", "base-28d", ["--default-slo-period", "28d"]),
        ("base", "base-custom-windows-7d",
         ["--default-slo-period", "7d", "--slo-period-windows-path", os.path.join(INTEGRATION, "windows")]),
        ("base", "base-no-alerts", ["--disable-alerts"]), ("base", "base-no-recordings", ["--disable-recordings"]),
        ("base", "base-extra-labels", ["-l", "exk1=exv1", "-l", "exk2=exv2"]), ("base-k8s", "base-k8s", []),
        ("multifile", "multifile", []), ("multifile-k8s", "multifile-k8s", []), ("openslo", "openslo", []),
        ("sli-plugin", "sli-plugin", []), ("slo-plugin", "slo-plugin", []), ("slo-plugin-k8s", "slo-plugin-k8s", [])):
    with open(os.path.join(INTEGRATION, f"testdata/out-{published}.yaml.tpl")) as f:
        template = re.sub(r'\{\{"(\{\{.*?\}\})"\}\}', r"\1", f.read().replace("{{ .version }}", "v"))  # braces as Go's templates write them
    taken = rewritten(os.path.join(INTEGRATION, f"testdata/in-{given}.yaml"), work.name, ("integration-tests/plugin1", "sloth.dev/contrib/info_labels/v1"))
    compare(f"out-{published}", ["-i", taken, "--sli-plugins", twin, *flags], template)
print(f"{same} passed, {different} failed, {refused} skipped")
sys.exit(different > 0)
