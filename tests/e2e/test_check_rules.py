"""varve check rules: what it prints and how it exits, beside promtool where that is installed."""
import os
import shutil
import subprocess

from lib import VARVE, check, equal, folder, step

d = folder()
promtool = shutil.which("promtool")


def put(name, text):
    with open(os.path.join(d, name), "w", encoding="utf-8") as f:
        f.write(text)
    return name


def run(*argv, stdin=None):
    p = subprocess.run(argv, cwd=d, input=stdin, capture_output=True, text=True, timeout=20, check=False)
    return p.returncode, p.stdout, p.stderr


def varve(*argv, **kwargs):
    return run(VARVE, "check", "rules", *argv, **kwargs)


GOOD = """groups:
- name: g
  interval: 30s
  rules:
  - record: job:x:sum
    expr: sum by (job) (x)
  - alert: High
    expr: x > 1
    for: 5m
    labels: {severity: page}
    annotations: {summary: "{{ $labels.job }} is at {{ $value }}"}
"""
TWINS = "groups: [{name: g, rules: [{record: a, expr: x, labels: {b: c}}, {record: a, expr: y, labels: {b: c}}]}]\n"
BROKEN = """groups:
- name: g
  rules:
  - record: a
    expr: |
      sum(x
        +)
  - alert: b
    expr: x
    for: 1x
"""

step("fine, with lint, broken")
put("good.yml", GOOD), put("twins.yml", TWINS), put("empty.yml", "")
put("expr.yml", BROKEN.replace("    for: 1x\n", "")), put("for.yml", BROKEN)
put("two.yml", "groups: [{name: g, rules: [{expr: x}, {record: a}]}]\n")
equal(varve("good.yml"), (0, "Checking good.yml\n  SUCCESS: 2 rules found\n\n", ""), "a good file")
code, out, err = varve("expr.yml")
equal((code, err), (1, '  FAILED:\nexpr.yml: 7:10: group "g", rule 1, "a": could not parse expression: 2:4: '
                       'parse error: unexpected ")" in aggregation\n'), "an error inside a block")
code, out, err = varve("for.yml", "good.yml")
equal(code, 1, "a bad duration")
check('for.yml:10:10: field "for":' in err and "SUCCESS: 2 rules found" in out, f"{out} {err}")
code, out, err = varve("two.yml")
equal(err.count("\n"), 3, f"two errors are told: {err}")
equal(varve("--lint-fatal", "twins.yml")[0], 3, "fatal lint")
equal(varve("--lint-fatal", "--lint=none", "twins.yml")[0], 0, "no lint")
equal(varve("--lint-fatal", "--lint=all", "good.yml")[0], 0, "nothing to lint")
equal(varve("--lint-fatal", "--lint=all", "twins.yml", "expr.yml")[0], 1, "an error is more than lint")
equal(varve("missing.yml")[0], 1, "no such file")

step("standard input, unknown keys")
equal(varve(stdin=GOOD), (0, "Checking standard input\n  SUCCESS: 2 rules found\n\n", ""), "standard input")
equal(varve(stdin=BROKEN)[0], 1, "bad standard input")
put("mimir.yml", GOOD.replace("  interval", "  source_tenants: [a]\n  interval"))
code, out, err = varve("mimir.yml")
equal((code, err), (1, "  FAILED:\nmimir.yml:3:3: field source_tenants not found in type rulefmt.RuleGroup\n"), "unknown")
equal(varve("--ignore-unknown-fields", "mimir.yml")[0], 0, "unknown keys ignored")

step("by way of the configuration")
put("prometheus.yml", "rule_files: ['*od.yml']\n"), put("broken.yml", "rule_files: [expr.yml]\n")
code, out, err = run(VARVE, "check", "config", "prometheus.yml")
check(code == 0 and out.endswith("Checking good.yml\n  SUCCESS: 2 rules found\n\n"), f"{out} {err}")
code, out, err = run(VARVE, "check", "config", "broken.yml")
check(code == 1 and "expr.yml: 7:10: group" in err, f"{out} {err}")

if promtool:
    step("beside promtool")
    for name in ("good.yml", "twins.yml", "empty.yml"):
        equal(varve(name), run(promtool, "check", "rules", name), name)
    for name in ("expr.yml", "two.yml"):
        got, want = varve(name), run(promtool, "check", "rules", name)
        equal(got[0], want[0], f"{name}: status")
        tail = lambda text: [line.split(": ", 2)[2:] for line in text.splitlines()[1:] if line]
        equal(tail(got[2]), [t if len(t) < 2 else t for t in tail(want[2])], f"{name}: words behind the place")
