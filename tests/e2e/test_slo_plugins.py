"""A server whose objectives use plugins: SLO plugins change the rules that it evaluates, declared SLI plugins give
objectives their queries, both follow a reload, and a bad one leaves everything as it was."""
import glob
import os
import subprocess
import time

from lib import VARVE, Server, check, equal, folder, step, until

EXAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/sli-plugins")
PLUGIN = """
version: varve/sli-plugin/v1
id: shop/errors
options:
  job: {required: true, pattern: '[a-z]+'}
  codes: {default: 5..}
sli:
  events:
    error_query: sum(rate(hits_total{job="{{.options.job}}",code=~"{{.options.codes}}"}[{{.window}}]))
    total_query: sum(rate(hits_total{job="{{.options.job}}"}[{{.window}}]))
"""
SLO = """
version: prometheus/v1
service: shop
slos:
- name: errors
  objective: 90
  sli: {plugin: {id: shop/errors, options: {job: web}}}
  alerting: {name: ShopErrors}
"""
d = folder()
slos, plugins = d + "/slos", d + "/plugins"
os.mkdir(slos)
os.mkdir(plugins)


def put(path, text):
    with open(path, "w") as f:
        f.write(text)


step("the plugins of the examples make rules")
USES = (("http/availability", "{job: api}"), ("http/availability", """{job: api, metric: hits, filter: 'a="b"', errors: '5..|429'}"""),
        ("http/latency", "{job: api, bucket: '0.3'}"), ("http/latency", """{job: api, bucket: '0.3', filter: 'a="b"'}"""),
        ("kubernetes/apiserver/availability", "{}"), ("kubernetes/apiserver/availability", """{filter: 'cluster="a"'}"""),
        ("kubernetes/apiserver/latency", "{}"), ("getting_started_availability", "{job: api}"),
        ("getting_started_availability", """{job: api, filter: '{a="b",c="d",}'}"""))
text = "version: prometheus/v1\nservice: s\nlabels: {owner: me, tier: '1'}\nslos:\n"
for i, (name, options) in enumerate(USES):
    text += f"- {{name: n{i}, objective: 99, sli: {{plugin: {{id: {name}, options: {options}}}}}, alerting: {{name: A{i}}}}}\n"
put(d + "/uses.yml", text)
for flag in ("--sli-plugins=" + EXAMPLES, "--plugins-path=" + EXAMPLES + "/*.yml"):
    done = subprocess.run([VARVE, "slo", "check", flag, d + "/uses.yml"], capture_output=True, text=True)
    equal((done.returncode, done.stderr), (0, ""), flag)
    check(done.stdout.startswith(f"SUCCESS: {len(USES)} objectives,"), done.stdout)
done = subprocess.run([VARVE, "slo", "generate", "-p", EXAMPLES, "-i", d + "/uses.yml"], capture_output=True, text=True)
check('a="b",c="d",job="api"' in done.stdout, done.stdout)
ids = [line.split()[1] for f in glob.glob(EXAMPLES + "/*.yml") for line in open(f) if line.startswith("id: ")]
equal(sorted(ids), sorted({name for name, _ in USES}), "each plugin of the examples is used here")

done = subprocess.run([VARVE, "slo", "check", "-p", slos, d + "/uses.yml"], capture_output=True, text=True)
equal((done.returncode, done.stderr), (1, f"varve slo check: error: flag --sli-plugins: {slos}: no file *.yml or *.yaml in it\n"), "a folder without plugins")

step("flags give SLO plugins to all objectives")
alert = '{"id": "sloth.dev/contrib/error_budget_exhausted_alert/v1", "config": {"threshold": 0.5, "alert_name": "Half"}, "priority": 3}'
ARGS = ["-p", EXAMPLES, "-i", d + "/uses.yml"]
done = subprocess.run([VARVE, "slo", "generate", "-s", alert, *ARGS], capture_output=True, text=True)
equal(done.stdout.count("alert: Half"), len(USES), done.stderr)
done = subprocess.run([VARVE, "slo", "generate", "--disable-default-slo-plugins", "--slo-plugins=" + alert, *ARGS], capture_output=True, text=True)
equal((done.stdout.count("alert:"), done.stdout.count("record:")), (len(USES), 0), done.stderr)
done = subprocess.run([VARVE, "slo", "check", "-s", '{"id": "sloth.dev/core/noop/v1"}', "-s", '{"id": "sloth.dev/core/debug/v1", "config": {"text": "x"}}', *ARGS],
                      capture_output=True, text=True)
equal((done.returncode, done.stderr), (0, 'WARNING: flag --slo-plugins: plugin "sloth.dev/core/debug/v1" knows no "text": it is left alone\n'), "unknown key")
for bad, words in (("{", "flag --slo-plugins:"), ('{"id": "x"}', 'flag --slo-plugins:1:8: field "id": no SLO plugin "x"')):
    done = subprocess.run([VARVE, "slo", "generate", "-s", bad, *ARGS], capture_output=True, text=True)
    check(done.returncode == 1 and words in done.stderr, done.stderr)

step("a server with an objective of a declared plugin")
put(plugins + "/shop.yml", PLUGIN)
put(slos + "/shop.yml", SLO)
put(d + "/prometheus.yml", "global: {evaluation_interval: 1s}\n")
varve = Server(flags=[f"--config.file={d}/prometheus.yml", f"--slo.files={slos}/*.yml", f"--slo.sli-plugins={plugins}"])
now = int(time.time() * 1000)
for code, speed in (("200", 9), ("500", 3)):
    varve.write([({"__name__": "hits_total", "job": "web", "code": code}, [(now - (60 - i) * 15000, speed * i * 15) for i in range(61)])])


def rules():
    return {r.get("name"): r for g in varve.api("rules")[1]["data"]["groups"] for r in g["rules"]}


def slo():
    return varve.api("slos")[1]["data"]["slos"][0]


def value(query):
    r = varve.query(query, time.time())
    return round(float(r[0]["value"][1]), 3) if r else None


until("the ratio is recorded", lambda: value("slo:sli_error:ratio_rate5m") == 0.25)
check('hits_total{code=~"5..",job="web"}[5m]' in rules()["slo:sli_error:ratio_rate5m"]["query"], rules())
equal([a["severity"] for a in slo()["alerts"]], ["page", "ticket"], "alerts")


def reload(want):
    status, _, body = varve.request("POST", "/-/reload")
    equal(status, want, body)
    return body.decode()


step("a changed plugin changes the rules, a bad one changes nothing")
put(plugins + "/shop.yml", PLUGIN.replace("default: 5..", "default: 2.."))
reload(200)
until("the other ratio is recorded", lambda: value("slo:sli_error:ratio_rate5m") == 0.75)
for bad, words in ((PLUGIN.replace("{{.options.codes}}", "{{.options.codes"), "shop.yml:9:18: template: shop/errors.error_query:1: "),
                   (PLUGIN.replace("'[a-z]+'", "'[0-9]+'"), 'not as it should be is the option "job"'),
                   (PLUGIN.replace("id: shop/errors", "id: shop/other"), "there is none of this id")):
    put(plugins + "/shop.yml", bad)
    answer = reload(500)
    check(words in answer, f"{words}: {answer}")
    check('code=~"2.."' in rules()["slo:sli_error:ratio_rate5m"]["query"], "the rules before")
put(plugins + "/shop.yml", PLUGIN)
reload(200)

step("SLO plugins of a served file")
put(slos + "/shop.yml", SLO + """slo_plugins:
  chain:
  - {id: sloth.dev/contrib/error_budget_exhausted_alert/v1, config: {alert_name: Spent, for: 1s}}
  - {id: sloth.dev/contrib/info_labels/v1, config: {labels: {board: web}}}
  - {id: sloth.dev/contrib/sli_total_amount/v1}
""")
reload(200)
until("the total is recorded", lambda: value("slo:sli_total:amount5m") == 12)
equal(rules()["Spent"]["query"], 'slo:period_error_budget_remaining:ratio{sloth_id="shop-errors",sloth_service="shop",sloth_slo="errors"} <= 0', "alert")
until("the alert on the budget fires", lambda: [(a["state"], a["conditions"]) for a in slo()["alerts"] if a["name"] == "Spent"] == [("firing", [{"remaining": 0}])])
until("the info has the label", lambda: value('sloth_slo_info{board="web"}') == 1)
put(slos + "/shop.yml", SLO + "  plugins: {overridePrevious: true, chain: [{id: sloth.dev/core/metadata_rules/v1}]}\n")
reload(200)
equal(sorted(r for r in rules() if "sli" in r), [], "no ratios without their step")
equal(slo()["alerts"], [], "nor alerts")
equal((slo()["objective"], len(slo()["windows"])), (0.9, 7), "the objective is served")

step("MetricsQL is for others to evaluate")
put(slos + "/shop.yml", SLO.replace("{plugin: {id: shop/errors, options: {job: web}}}", "{raw: {error_ratio_query: 'share(x[{{.window}}])'}}") + """slo_plugins:
  overridePrevious: true
  chain: [{id: sloth.dev/contrib/validate_victoria_metrics/v1}, {id: sloth.dev/core/sli_rules/v1}]
""")
answer = reload(500)
check("objectives are served in PromQL" in answer, answer)
done = subprocess.run([VARVE, "slo", "generate", "-i", slos + "/shop.yml"], capture_output=True, text=True)
check(done.returncode == 0 and "share(x[5m])" in done.stdout and "are not PromQL" in done.stderr, done)
