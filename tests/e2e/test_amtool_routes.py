"""Routing trees: what an alert is for, beside amtool. A hundred random trees with labels, the tree as it
is shown, and files that both check."""
import concurrent.futures
import json
import os
import random
import shutil
import subprocess
import threading

from lib import VARVE, check, equal, folder, step

d = folder()
amtool = shutil.which("amtool")


def put(name, text):
    with open(os.path.join(d, name), "w", encoding="utf-8") as f:
        f.write(text)
    return name


def run(*argv, stdin=None):
    p = subprocess.run(argv, cwd=d, input=stdin, capture_output=True, text=True, timeout=60, check=False)
    return p.returncode, p.stdout, p.stderr


GOOD = """global: {resolve_timeout: 3m}
route:
  receiver: a
  group_by: [alertname]
  routes:
  - matchers: [severity=~"a|b", 'team="foo"']
    receiver: b
    continue: true
inhibit_rules: [{source_match: {a: b}, target_match: {a: c}}]
receivers: [{name: a}, {name: b, webhook_configs: [{url: 'http://h/x'}]}]
"""

step("checking files")
put("good.yml", GOOD), put("bad.yml", GOOD.replace("receiver: b\n", "receiver: c\n"))
code, out, err = run(VARVE, "check", "alertmanager", "good.yml")
equal((code, out, err), (0, "Checking 'good.yml'  SUCCESS\nFound:\n - global config\n - route\n - 1 inhibit rules\n"
                            " - 2 receivers\n - 0 templates\n\n", ""), "a good file")
code, out, err = run(VARVE, "check", "alertmanager", "bad.yml", "good.yml")
equal(code, 1, "a bad file")
check(out.startswith("Checking 'bad.yml'  FAILED: bad.yml:6:5: undefined receiver \"c\" used in route\n\nChecking 'good.yml'"), out)
check("failed to validate 1 file(s)" in err, err)
equal(run(VARVE, "check", "alertmanager", "missing.yml")[0], 1, "no such file")
put("texts.yml", GOOD.replace("'http://h/x'", "'http://h/{{ .X'").replace("[{name: a}", "[{name: a, slack_configs: "
                              "[{api_url: 'http://s/', title: \"a\\n{{ nothing }}\"}]}"))
code, out, err = run(VARVE, "check", "alertmanager", "texts.yml")
equal(code, 1, "texts that do not parse")
check("  FAILED: texts.yml:10:39: slack_configs: title: line 2, column 4: function" in out and "\"nothing\" not defined\n" in out, out)
check("  FAILED: texts.yml:10:" in out and ": webhook_configs: url: line 1, column" in out, out)
put("t.tmpl", "{{ define \"x\" }}\n  {{ .A | }")
put("files.yml", "templates: ['*.tmpl']\n" + GOOD)
code, out, err = run(VARVE, "check", "alertmanager", "files.yml")
check(code == 1 and "  FAILED: t.tmpl:2:11: template: t.tmpl:2: unexpected" in out, out)
put("t.tmpl", "{{ define \"x\" }}{{ .A }}{{ end }}")
code, out, err = run(VARVE, "check", "alertmanager", "files.yml")
equal((code, out.splitlines()[-2:]), (0, ["  SUCCESS", ""]), "files of templates")
equal(run(VARVE, "check", "alertmanager", stdin=GOOD)[1].splitlines()[0], "Checking '/dev/stdin'  SUCCESS", "standard input")
code, out, err = run(VARVE, "check", "alertmanager", "--routes", "good.yml")
check("Routing tree:\n.\n└── default-route  receiver: a\n    └── {severity=~\"a|b\",team=\"foo\"}  continue: true  receiver: b\n" in out, out)
code, out, err = run(VARVE, "alert", "routes", "test", "--config.file=good.yml", "--verify.receivers=a", "severity=a", "team=foo")
equal((code, out), (1, "b\nWARNING: Expected receivers did not match resolved receivers.\n"), "not as expected")
equal(run(VARVE, "alert", "routes", "test", "--config.file=good.yml", "bad")[0], 1, "no label")
equal(run(VARVE, "alert", "routes", "test", "a=b")[0], 2, "no file")

seed = random.randrange(1 << 32)
rng = random.Random(seed)
NAMES, VALUES, RECEIVERS = ["a", "b", "c", "d"], ["", "x", "y", "xy", "x y", 'q"', "ä\\"], ["r1", "r2", "r3"]
EXPRESSIONS = ["x", "x|y", "x.*", ".+", ".*", "(x|y){2}", "[^x]", "q.", "x?y?"]


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def matcher():
    op = rng.choice(["=", "!=", "=~", "!~"])
    return rng.choice(NAMES) + op + quoted(rng.choice(EXPRESSIONS if "~" in op else VALUES))


def route(depth):
    r = {"matchers": [matcher() for _ in range(rng.randrange(3))]}
    if rng.random() < .3:
        r["match"] = {rng.choice(NAMES): rng.choice(VALUES)}
    if rng.random() < .3:
        r["match_re"] = {rng.choice(NAMES): rng.choice(EXPRESSIONS)}
    if rng.random() < .7:
        r["receiver"] = rng.choice(RECEIVERS)
    r["continue"] = rng.random() < .4
    r["routes"] = [route(depth + 1) for _ in range(rng.randrange(4))] if depth < 3 else []
    return r


step(f"a hundred random trees beside amtool (seed {seed})")
if amtool is None:
    print("amtool is not installed: left out")


def compare(i):
    """What differs in tree i, or None."""
    with lock:
        tree = {"receiver": "r1", "routes": [route(0) for _ in range(rng.randrange(1, 5))]}
        labels = [f"{n}={quoted(rng.choice(VALUES))}" for n in NAMES if rng.random() < .8] or ["a=x"]
    file = put(f"random{i}.yml", json.dumps({"route": tree, "receivers": [{"name": n} for n in RECEIVERS]}, ensure_ascii=False))
    for argv in [["test", "--tree"] + labels] + ([["show"]] if i % 10 == 0 else []):
        theirs = run(amtool, "config", "routes", argv[0], f"--config.file={file}", *argv[1:])
        ours = run(VARVE, "alert", "routes", argv[0], f"--config.file={file}", *argv[1:])
        if theirs[:2] != ours[:2]:
            return f"tree {i}: {argv}\n{tree}\namtool {theirs}\nvarve {ours}"
    return None


lock = threading.Lock()
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    for difference in pool.map(compare, range(100 if amtool else 0)):
        check(difference is None, difference)
print("ok")
