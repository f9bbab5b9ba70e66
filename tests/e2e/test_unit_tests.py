"""varve test rules: the same verdicts, texts and exit status as Debian's promtool 2.42 on the same files; what only newer
ones know; flags; results for CI.
"""
import glob
import os
import re
import subprocess
import time
import xml.etree.ElementTree as ET

from lib import VARVE, check, equal, folder, step
from peers import need

need("promtool")
CASES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data", "rules")
scratch = folder()


def run(*argv, cwd=CASES):
    """exit status, standard output, standard error"""
    p = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, timeout=120, env={**os.environ, "TMPDIR": scratch})
    return p.returncode, p.stdout, p.stderr


def varve(*argv, **kwargs):
    return run(VARVE, "test", "rules", *argv, **kwargs)


files = sorted(glob.glob(CASES + "/*_*.yml"))
named = lambda prefix: [os.path.basename(f) for f in files if os.path.basename(f).startswith(prefix)]
check(len(named("ok_")) >= 6 and len(named("fail_")) >= 5 and len(named("bad_")) >= 5, "the cases are there")

step("as promtool: output and status to the byte")
for name in named("ok_") + named("fail_"):
    got = varve(name)
    if name == "ok_newer.yml":
        equal(got, (0, f"Unit Testing:  {name}\n  SUCCESS\n\n", ""), name)
        equal(run("promtool", "test", "rules", name)[0], 1, "promtool 2.42 knows all that, so it can be compared")
        continue
    equal(got, run("promtool", "test", "rules", name), name)
    equal(got[0], 0 if name.startswith("ok_") else 1, name)
together = named("ok_series") + named("fail_alerts") + named("ok_rules")
equal(varve(*together), run("promtool", "test", "rules", *together), "several files")

step("files that cannot be read: the same verdict, and the place")
for name in named("bad_"):
    status, out, err = varve(name)
    want = run("promtool", "test", "rules", name)
    equal((status, out), want[:2], name)
    check(re.match(r"  FAILED:\n\S+\.yml: ?\d+:\d+: ", err), f"{name}: {err!r}")
check("field nam not found in type main.testGroup" in varve("bad_key.yml")[2], "a key that is not known")
check("could not parse expression: 1:4: parse error" in varve("bad_rules.yml")[2], "an expression of a rule file")
equal(varve("nowhere.yml"), (1, "", "varve test rules: error: path 'nowhere.yml' does not exist\n"), "no file")
equal(varve()[0], 1, "no argument")
equal(varve("--run=(", "ok_rules.yml")[0], 1, "no expression")
equal(run(VARVE, "test")[0], 2, "no subcommand")

step("a file may not ask for everything")
with open(os.path.join(scratch, "big.yml"), "w") as f:
    f.write("""tests:
- {name: values, input_series: [{series: m, values: 1x99999999999}]}
- {name: blanks, input_series: [{series: m, values: _x18446744073709551615}]}
- {name: steps, interval: 1s, promql_expr_test: [{expr: m, eval_time: 100y}]}
""")
began = time.time()
status, _, err = varve("big.yml", cwd=scratch)
equal((status, err.count("a series of more than 1048576 values"), err.count("more than 4194304 times")), (1, 2, 1), err)
check(time.time() - began < 10, "at once")

step("--run")
status, out, err = varve("--run", "not asked", "--run=^no such", "fail_alerts.yml")
equal((status, err.count("name: not asked for"), err.count("other labels")), (1, 2, 0), err)
equal(varve("--run=nothing", "fail_alerts.yml")[0], 0, "none is run")

step("--diff")
_, _, err = varve("--diff", "--run=other", "fail_alerts.yml")
check('\x1b[0;33m"severity": "ticket" => "page"\x1b[0m' in err, "what differs")
check('\x1b[0;31m"a": "b"\x1b[0m' in err and '\x1b[0;32m"summary": "no a"\x1b[0m' in err, "what one side has alone")

step("--debug")
_, _, err = varve("--debug", "--run=chain", "ok_order.yml")
check("DEBUG: Starting test chain\n" in err and re.search(r"DEBUG: Test chain finished, took \S+ms\n", err), err)
check('DEBUG: Dump of all data (input_series and rules) at 3m1s:\n' in err and
      '{__name__="chain:two"} =>\n3 @[0]\n4 @[30000]\n' in err, err)

step("--ignore-unknown-fields")
with open(os.path.join(scratch, "more.yml"), "w") as f:
    f.write("groups:\n- name: g\n  owner: me\n  rules:\n  - {record: r, expr: 1, runbook: x}\n")
with open(os.path.join(scratch, "t.yml"), "w") as f:
    f.write("rule_files: [more.yml]\ntests:\n- promql_expr_test:\n  - {expr: r, eval_time: 0, exp_samples: [{labels: r, value: 1}]}\n")
equal(varve("t.yml", cwd=scratch)[0], 1, "strict")
equal(varve("--ignore-unknown-fields", "t.yml", cwd=scratch)[0], 0, "not strict")

step("numbers that are none")
with open(os.path.join(scratch, "nan.yml"), "w") as f:
    f.write("tests:\n- promql_expr_test:\n  - {expr: vector(NaN), exp_samples: [{labels: '{}', value: .nan}]}\n"
            "  - {expr: vector(1/0), exp_samples: [{labels: '{}', value: .inf}]}\n")
equal(varve("nan.yml", cwd=scratch), (1, "Unit Testing:  nan.yml\n\n\n", '  FAILED:\n    expr: "vector(NaN)", time: 0s,\n'
                                      "        exp: {} NaN\n        got: {} NaN\n"), "NaN is not NaN")

step("histograms as values of alerts")
with open(os.path.join(scratch, "h.yml"), "w") as f:
    f.write("groups:\n- name: g\n  rules:\n  - {alert: H, expr: h, annotations: {a: '{{ $value }} {{ .Value.Count }}', "
            "b: '{{ query \"h\" | first | value }}', c: '{{ humanize $value }}'}}\n")
with open(os.path.join(scratch, "h_test.yml"), "w") as f:
    f.write("rule_files: [h.yml]\ntests:\n- input_series: [{series: h, values: '{{schema:0 sum:5 count:4 buckets:[1 2 1]}}'}]\n"
            "  alert_rule_test:\n  - {alertname: H, exp_alerts: [{exp_annotations: {a: '{count:4, sum:5, (0.5,1]:1, (1,2]:2, (2,4]:1} 4', b: '0', "
            "c: '<error expanding template: error executing template __alert_H: template: __alert_H:1:115: executing \"__alert_H\" at <humanize "
            "$value>: error calling humanize: can''t convert *histogram.FloatHistogram to float>'}}]}\n")
equal(varve("h_test.yml", cwd=scratch), (0, "Unit Testing:  h_test.yml\n  SUCCESS\n\n", ""), "as upstream prints them")

step("--junit")
path = os.path.join(scratch, "junit.xml")
equal(varve(f"--junit={path}", "ok_rules.yml", "fail_alerts.yml", "bad_key.yml")[0], 1, "status")
suites = {s.get("name"): s for s in ET.parse(path).getroot()}
counts = lambda name: tuple(int(suites[name].get(k)) for k in ("tests", "failures", "errors", "skipped"))
equal(counts("ok_rules.yml"), (3, 0, 0, 0), "all passed")
equal(counts("fail_alerts.yml"), (3, 6, 0, 0), "some failed")
equal(counts("bad_key.yml"), (1, 0, 1, 0), "not run")
cases = suites["fail_alerts.yml"].findall("testcase")
equal([c.get("name") for c in cases], ['other labels "and" texts', "not asked for", "unnamed#2"], "names")
check('alertname: JobGone, time: 5m, \n        exp:[' in cases[0].findall("failure")[1].text, "the failure's text")
check("field nam not found" in suites["bad_key.yml"].find("testcase").find("error").text, "the error's text")
equal([p for p in os.listdir(scratch) if p.startswith("varve-")], [], "no temporary directory is left")
