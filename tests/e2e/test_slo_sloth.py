"""`varve slo generate` against a model of Sloth's generator written from what Sloth publishes (its examples and the
expected outputs of its own tests): each group, name, label, annotation and expression, numbers digit by digit. Events and
raw ratios, alerts that are disabled, labels at every place, intervals, the Kubernetes resource, OpenSLO v1alpha, periods
of 28 and 30 days and catalogs of alert windows; SLO plugins and their chains; directories."""
import os
import subprocess

from lib import VARVE, check, equal, folder, skip, step

try:
    import yaml
except ImportError:
    skip("this needs python3-yaml")

d = folder()
MODES = {"prometheus/v1": "cli-gen-prom", "sloth.slok.dev/v1": "cli-gen-k8s", "openslo/v1alpha": "cli-gen-openslo"}
PERIODS = {28: "4w", 30: "30d", 7: "1w"}
GOOGLE = ((2, "5m", "1h"), (5, "30m", "6h"), (10, "2h", "1d"), (10, "6h", "3d"))
HOURS = {"1h": 1, "6h": 6, "12h": 12, "1d": 24, "2d": 48, "3d": 72}
MINUTES = {"5m": 5, "10m": 10, "30m": 30, "1h": 60, "2h": 120, "6h": 360, "12h": 720, "1d": 1440, "2d": 2880, "3d": 4320}
ERRORS = 'sum(rate(http_requests_total{app="shop",code=~"5..|429"}[{{.window}}]))'
TOTAL = 'sum(rate(http_requests_total{app="shop"}[{{.window}}]))'


def number(v):
    return repr(int(v)) if v == int(v) else repr(v)


def ratio(slo, window):
    put = (lambda q: " ".join(q.replace("{{.window}}", window).split()))
    if "raw" in slo:
        return f"({put(slo['raw'])} )"
    if "good" in slo:  # OpenSLO
        return f"( 1 - ( ( {put(slo['good'])} ) / ( {put(slo['total'])} ) ) )"
    return f"({put(slo['errors'])}) / ({put(slo['total'])})"


def alert(slo, severity, paces, sel, days):
    budget = number((100 - slo["objective"]) / 100)

    def pair(percent, short, long):
        speed = number(percent * (days * 24.0) / 100 / HOURS[long])
        part = (lambda w: f"max(slo:sli_error:ratio_rate{w}{sel} > ({speed} * {budget})) without (sloth_window)")
        return f"( {part(short)} and {part(long)} )"

    name = "{{$labels.sloth_service}} {{$labels.sloth_slo}}"
    own = slo.get(severity, {})
    return {"alert": slo["alert"], "expr": f"{pair(*paces[0])} or {pair(*paces[1])}",
            "labels": {**slo.get("alert_labels", {}), **own.get("labels", {}), "sloth_severity": severity},
            "annotations": {"title": f"({severity}) {name} SLO error budget burn rate is too fast.",
                            "summary": f"{name} SLO error budget burn rate is over expected.",
                            **slo.get("annotations", {}), **own.get("annotations", {})}}


def model(service, slo, spec="prometheus/v1", days=30, paces=GOOGLE, labels=None, extra=None, optimized=True):
    """Groups of one objective, as Sloth makes them."""
    name, period = slo["name"], PERIODS[days]
    sel = f'{{sloth_id="{service}-{name}", sloth_service="{service}", sloth_slo="{name}"}}'
    base = {**(labels or {}), **slo.get("labels", {}), **(extra or {}), "sloth_id": f"{service}-{name}", "sloth_service": service, "sloth_slo": name}
    windows = sorted({w for p in paces for w in p[1:]}, key=MINUTES.get)
    rules = [{"record": f"slo:sli_error:ratio_rate{w}", "expr": ratio(slo, w), "labels": {**base, "sloth_window": w}} for w in windows]
    short = "slo:sli_error:ratio_rate" + windows[0] + sel
    rules.append({"record": f"slo:sli_error:ratio_rate{period}", "labels": {**base, "sloth_window": period},
                  "expr": f"sum_over_time({short}[{period}]) / ignoring (sloth_window) count_over_time({short}[{period}])"
                  if optimized else ratio(slo, period)})
    objective = number(1 - (100 - slo["objective"]) / 100)
    burn = (lambda w: f"slo:sli_error:ratio_rate{w}{sel} / on(sloth_id, sloth_slo, sloth_service) group_left slo:error_budget:ratio{sel}")
    meta = [{"record": r, "expr": e, "labels": base} for r, e in (
        ("slo:objective:ratio", f"vector({objective})"), ("slo:error_budget:ratio", f"vector(1-{objective})"),
        ("slo:time_period:days", f"vector({days})"), ("slo:current_burn_rate:ratio", burn(windows[0])),
        ("slo:period_burn_rate:ratio", burn(period)), ("slo:period_error_budget_remaining:ratio", f"1 - slo:period_burn_rate:ratio{sel}"))]
    meta.append({"record": "sloth_slo_info", "expr": "vector(1)", "labels": {
        **base, **slo.get("info", {}), "sloth_mode": MODES[spec], "sloth_spec": spec, "sloth_objective": number(slo["objective"])}})
    alerts = [alert(slo, s, p, sel, days) for s, p in (("page", paces[:2]), ("ticket", paces[2:])) if not slo.get(s, {}).get("disable")]
    groups = {"sli-recordings": rules, "meta-recordings": meta, "alerts": alerts}
    return {f"sloth-slo-{k}-{service}-{name}": (slo.get("intervals", {}).get(k), v) for k, v in groups.items() if v}


def generated(text, *flags, ok=True):
    with open(os.path.join(d, "slo.yml"), "w") as f:
        f.write(text)
    p = subprocess.run([VARVE, "slo", "generate", "-i", "slo.yml", *flags], cwd=d, capture_output=True, text=True, timeout=60)
    if not ok:
        equal(p.returncode, 1, text)
        return p.stderr
    equal(p.returncode, 0, f"{text}\n{p.stderr}")
    groups = {}
    for g in [g for document in yaml.safe_load_all(p.stdout) for g in (document.get("spec") or document)["groups"]]:
        for r in g["rules"]:
            r["expr"] = " ".join(str(r["expr"]).split())
            r["labels"].pop("sloth_version", None)
        groups[g["name"]] = (g.get("interval"), g["rules"])
    return groups


def same(got, want, text):
    equal(sorted(got), sorted(want), f"{text}: groups")
    for name, (interval, rules) in want.items():
        equal(got[name][0], interval, f"{text}: interval of {name}")
        equal(len(got[name][1]), len(rules), f"{text}: rules of {name}")
        for a, b in zip(got[name][1], rules):
            equal(a, b, f"{text}: {name}")


AVAILABILITY = {"name": "availability", "objective": 99.9, "labels": {"tier": "one"}, "errors": ERRORS, "total": TOTAL,
                "alert": "ShopBurns", "alert_labels": {"team": "web"}, "annotations": {"runbook": "http://r/1"},
                "page": {"labels": {"severity": "critical"}, "annotations": {"dashboard": "http://d/1"}},
                "ticket": {"labels": {"severity": "warning", "team": "web-office"}}}
RAW = {"name": "quality", "objective": 95, "raw": f"{ERRORS}\n/\n{TOTAL}\n", "page": {"disable": True}, "ticket": {"disable": True}}
INFO = {"name": "paged", "objective": 99.99, "errors": ERRORS, "total": TOTAL, "alert": "Paged", "info": {"owner": "me"},
        "ticket": {"disable": True}, "intervals": {"sli-recordings": "4m", "meta-recordings": "5m", "alerts": "2m"}}
SLOTH = f"""
version: prometheus/v1
service: shop
labels: {{stage: live}}
slos:
- name: availability
  objective: 99.9
  description: Few requests fail.
  labels: {{tier: one}}
  sli:
    events:
      error_query: '{ERRORS}'
      total_query: '{TOTAL}'
  alerting:
    name: ShopBurns
    labels: {{team: web}}
    annotations: {{runbook: 'http://r/1'}}
    page_alert: {{labels: {{severity: critical}}, annotations: {{dashboard: 'http://d/1'}}}}
    ticket_alert: {{labels: {{severity: warning, team: web-office}}}}
- name: quality
  objective: 95
  sli:
    raw:
      error_ratio_query: |
        {ERRORS}
        /
        {TOTAL}
  alerting: {{page_alert: {{disable: true}}, ticket_alert: {{disable: true}}}}
- name: paged
  objective: 99.99
  infoLabels: {{owner: me}}
  interval: {{all: 5m, slierror: 4m, alert: 2m}}
  sli: {{events: {{error_query: '{ERRORS}', total_query: '{TOTAL}'}}}}
  alerting: {{name: Paged, ticket_alert: {{disable: true}}}}
"""


def modelled(**more):
    out = {}
    for slo in (AVAILABILITY, RAW, INFO):
        out.update(model("shop", slo, labels={"stage": "live"}, **more))
    return out


same(generated(SLOTH), modelled(), "30 days")
same(generated(SLOTH, "--default-slo-period=28d"), modelled(days=28), "28 days")
same(generated(SLOTH, "--extra-labels=cmd=test.sh", "-l", "tier=two"), modelled(extra={"cmd": "test.sh", "tier": "two"}), "extra labels")
same(generated(SLOTH, "--disable-optimized-rules"), modelled(optimized=False), "rules from raw samples")
same(generated(SLOTH, "--disable-alerts"), {k: v for k, v in modelled().items() if "-alerts-" not in k}, "no alerts")
same(generated(SLOTH, "--disable-recordings"), {k: v for k, v in modelled().items() if "-alerts-" in k}, "alerts alone")
for bad in ("x", "=y", "1a=y", "__name__=y"):
    check("is not name=value" in generated(SLOTH, f"--extra-labels={bad}", ok=False), bad)
step("Sloth's files: events, raw, disabled alerts, labels, intervals, 28 and 30 days")

# ---- Catalogs ----
CATALOG = """
apiVersion: sloth.slok.dev/v1
kind: AlertWindows
spec:
  sloPeriod: %s
  page:
    quick: {errorBudgetPercent: 9, shortWindow: 10m, longWindow: 1h}
    slow: {errorBudgetPercent: 13.5, shortWindow: 30m, longWindow: 6h}
  ticket:
    quick: {errorBudgetPercent: 21, shortWindow: 2h, longWindow: 1d}
    slow: {errorBudgetPercent: 43, shortWindow: 12h, longWindow: 2d}
"""
OWN = ((9, "10m", "1h"), (13.5, "30m", "6h"), (21, "2h", "1d"), (43, "12h", "2d"))
os.mkdir(d + "/windows")
for name, period in (("7d.yaml", "7d"), ("30d.yml", "30d")):
    with open(f"{d}/windows/{name}", "w") as f:
        f.write(CATALOG % period)
same(generated(SLOTH, "--slo-period-windows-path=windows", "--default-slo-period=7d"), modelled(days=7, paces=OWN), "7 days of a catalog")
same(generated(SLOTH, "--slo-period-windows-path=windows"), modelled(paces=OWN), "30 days of a catalog")
same(generated(SLOTH, "--slo-period-windows-path=windows", "--default-slo-period=28d"), modelled(days=28), "28 days beside a catalog")
same(generated(SLOTH + "---" + CATALOG % "7d", "--default-slo-period=7d"), modelled(days=7, paces=OWN), "a catalog in the same file")
for flags, words in ((["--default-slo-period=7d"], "must be 28d, 30d or a period with AlertWindows"),
                     (["--slo-period-windows-path=nowhere"], "nowhere: no such file")):
    check(words in generated(SLOTH, *flags, ok=False), words)
check("slo.yml" in generated(SLOTH + "---" + CATALOG % "7d" + "---" + CATALOG % "1w", ok=False), "the place of a period given twice")
step("catalogs of alert windows")

# ---- Other forms of the same ----
K8S = f"""
apiVersion: sloth.slok.dev/v1
kind: PrometheusServiceLevel
metadata: {{name: shop, namespace: monitoring, labels: {{a: b}}}}
spec:
  service: shop
  labels: {{stage: live}}
  slos:
  - name: quality
    objective: 95
    sli: {{raw: {{errorRatioQuery: "{ERRORS.replace('"', chr(92) + '"')}\\n/\\n{TOTAL.replace('"', chr(92) + '"')}\\n"}}}}
    alerting: {{pageAlert: {{disable: true}}, ticketAlert: {{disable: true}}}}
  - name: availability
    objective: 99.9
    labels: {{tier: one}}
    sli: {{events: {{errorQuery: '{ERRORS}', totalQuery: '{TOTAL}'}}}}
    alerting:
      name: ShopBurns
      labels: {{team: web}}
      annotations: {{runbook: 'http://r/1'}}
      pageAlert: {{labels: {{severity: critical}}, annotations: {{dashboard: 'http://d/1'}}}}
      ticketAlert: {{labels: {{severity: warning, team: web-office}}}}
"""
want = {}
for slo in (AVAILABILITY, RAW):
    want.update(model("shop", slo, spec="sloth.slok.dev/v1", labels={"stage": "live"}))
same(generated(K8S), want, "the Kubernetes resource")
with open(d + "/slo.yml", "w") as f:
    f.write(K8S.replace("{name: shop,", "{name: shop, uid: 1-2, annotations: {note: 'a: b'},") + "---" + SLOTH.replace("service: shop", "service: plain") + "---" +
            K8S.replace("{name: shop,", "{name: other,").replace("service: shop", "service: other"))
made = list(yaml.safe_load_all(subprocess.run([VARVE, "slo", "generate", "-i", "slo.yml"], cwd=d, capture_output=True, text=True).stdout))
equal([m.get("kind") for m in made], [None, "PrometheusRule", "PrometheusRule"], "a file of rules, and a resource of each resource")
equal({k: v for k, v in made[1].items() if k != "spec"}, {
    "apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule", "metadata": {
        "name": "shop", "namespace": "monitoring", "annotations": {"note": "a: b"},
        "labels": {"a": "b", "app.kubernetes.io/component": "SLO", "app.kubernetes.io/managed-by": "varve"}}}, "a resource for Prometheus' operator")
equal([len(m["spec"]["groups"]) for m in made[1:]], [5, 5], "groups of the resources")
check("metadata.name" in generated(K8S.replace("{name: shop,", "{"), ok=False), "a resource without a name")
OPENSLO = f"""
apiVersion: openslo/v1alpha
kind: SLO
metadata: {{name: requests, displayName: Requests}}
spec:
  service: shop
  description: d
  objectives:
  - ratioMetrics:
      good: {{source: prometheus, queryType: promql, query: 'sum(rate(good_total[{{{{.window}}}}]))'}}
      total: {{source: prometheus, queryType: promql, query: '{TOTAL}'}}
    target: 0.999
  timeWindows: [{{count: 30, unit: Day}}]
"""
for text, key in ((K8S, "pageAlert"), (SLOTH, "page_alert")):  # a key of the other spelling is none of Sloth's
    other = "page_alert" if key == "pageAlert" else "pageAlert"
    kept = {n: [r["labels"].get("severity") for r in g] for n, (_, g) in generated(text.replace(key + ": {labels", other + ": {labels")).items()}
    equal(kept["sloth-slo-alerts-shop-availability"], [None, "warning"], other)
quiet = {"page": {"disable": True}, "ticket": {"disable": True}}
same(generated(OPENSLO), model("shop", {"name": "requests-0", "objective": 99.9, "good": "sum(rate(good_total[{{.window}}]))", "total": TOTAL, **quiet}, spec="openslo/v1alpha"), "OpenSLO v1alpha")
step("the Kubernetes resource, OpenSLO")

# ---- SLO plugins: what they change of the model ----
FILTER = '{sloth_id="shop-availability", sloth_service="shop", sloth_slo="availability"}'
SLI_GROUP, META_GROUP, ALERT_GROUP = (f"sloth-slo-{k}-shop-availability" for k in ("sli-recordings", "meta-recordings", "alerts"))
ONE = SLOTH[:SLOTH.index("- name: quality")]


def chained(items, override=False, of_file=False):
    """ONE with a chain, of the objective or of its file; and its model without plugins."""
    chain = f"{{overridePrevious: {'true' if override else 'false'}, chain: [{', '.join(items)}]}}"
    text = ONE + ("slo_plugins: " if of_file else "  plugins: ") + chain + "\n"
    return text, model("shop", AVAILABILITY, labels={"stage": "live"})


def plugin(name, config="", more=""):
    return f"{{id: sloth.dev/{name}/v1{', config: ' + config if config else ''}{more}}}"


def rule_of(groups, group, name):
    return next(r for r in groups[group][1] if name in (r.get("record"), r.get("alert")))


text, want = chained([plugin("core/debug", "{msg: hello}"), plugin("core/noop"), plugin("core/validate", more=", priority: -7")])
same(generated(text), want, "steps that change nothing")
text, want = chained([plugin("contrib/info_labels", "{labels: {plug-1: a, stage: b}}")], of_file=True)
rule_of(want, META_GROUP, "sloth_slo_info")["labels"].update({"plug-1": "a", "stage": "b"})
same(generated(text), want, "info_labels")
text, want = chained([plugin("contrib/rule_intervals", "{interval: {default: 2m, alert: 30s}}")])
same(generated(text), {k: ("30s" if k == ALERT_GROUP else "2m", v[1]) for k, v in want.items()}, "rule_intervals")
text, want = chained([plugin("contrib/remove_labels", "{preserveLabels: [tier], skipMetrics: ['slo:objective:ratio']}")])
for group in (SLI_GROUP, META_GROUP):
    for r in want[group][1]:
        if r["record"] not in ("slo:objective:ratio", "sloth_slo_info"):
            r["labels"] = {k: v for k, v in r["labels"].items() if k != "stage"}
same(generated(text), want, "remove_labels")
text, want = chained([plugin("contrib/error_budget_exhausted_alert", "{threshold: 0.1, for: 15m, alert_name: Spent, selector_labels: {region: eu}, "
                                                                     "alert_labels: {severity: page}, annotations: {title: 'no more'}}")])
want[ALERT_GROUP][1].append({
    "alert": "Spent", "for": "15m", "labels": {"severity": "page"}, "annotations": {"title": "no more"},
    "expr": 'slo:period_error_budget_remaining:ratio{region="eu", sloth_id="shop-availability", sloth_service="shop", '
            'sloth_slo="availability", stage="live", tier="one"} <= 0.1'})
same(generated(text), want, "error_budget_exhausted_alert")
put = (lambda q, w: q.replace("{{.window}}", w))
own = {"stage": "live", "tier": "one", "sloth_id": "shop-availability", "sloth_service": "shop", "sloth_slo": "availability"}
WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
text, want = chained([plugin("contrib/sli_total_amount")])
want["sloth-slo-sli-total-amount-shop-availability"] = (None, [
    {"record": "slo:sli_total:amount" + w, "expr": put(TOTAL, w), "labels": own} for w in (*WINDOWS, "30d")])
same(generated(text), want, "sli_total_amount")
for config, optimized in (("", True), ("{disableOptimized: true}", False)):
    text, _ = chained([plugin("contrib/denominator_corrected_rules", config)])
    want = model("shop", AVAILABILITY, labels={"stage": "live"}, optimized=optimized)
    for w in WINDOWS:
        rule_of(want, SLI_GROUP, "slo:sli_error:ratio_rate" + w)["expr"] = (
            f"( slo:numerator_correction:ratio{w}{FILTER} * on() {put(ERRORS, w)} ) / ({put(TOTAL, w)})")
        want[META_GROUP][1].append({"record": "slo:numerator_correction:ratio" + w, "expr": f"({put(TOTAL, w)})/({put(TOTAL, '30d')})", "labels": own})
    same(generated(text), want, "denominator_corrected_rules")
step("each of Sloth's SLO plugins")

text, want = chained([plugin("core/alert_rules"), plugin("core/sli_rules", "{disableOptimized: true}")], override=True, of_file=True)
want = model("shop", AVAILABILITY, labels={"stage": "live"}, optimized=False)
same(generated(text), {k: want[k] for k in (SLI_GROUP, ALERT_GROUP)}, "steps of one's own")
k8s = K8S.replace("  labels: {stage: live}", "  labels: {stage: live}\n  sloPlugins: {chain: [" + plugin("core/noop") + "]}")
k8s = k8s.replace("    labels: {tier: one}", "    labels: {tier: one}\n    plugins: {overridePrevious: true, chain: [" + plugin("core/alert_rules") + "]}")
want = {**model("shop", RAW, spec="sloth.slok.dev/v1", labels={"stage": "live"}),
        ALERT_GROUP: model("shop", AVAILABILITY, spec="sloth.slok.dev/v1", labels={"stage": "live"})[ALERT_GROUP]}
same(generated(k8s), want, "plugins in the Kubernetes resource")
METRICSQL = "histogram_share(0.5, sum by (vmrange) (rate(http_bucket[{{.window}}])))"
text, _ = chained([plugin("contrib/validate_victoria_metrics"), plugin("core/sli_rules")], override=True, of_file=True)
want = model("shop", {**AVAILABILITY, "errors": METRICSQL}, labels={"stage": "live"})
same(generated(text.replace(ERRORS, METRICSQL)), {SLI_GROUP: want[SLI_GROUP]}, "MetricsQL")
for bad, words in ((ONE.replace(ERRORS, METRICSQL), "slo.yml:12:20: error query:"),
                   (text.replace(ERRORS, METRICSQL + "]"), "slo.yml:12:20: error query: a bracket is closed that is not open"),
                   (chained(["{id: my.org/own/v1}"])[0], 'slo.yml:20:51: field "id": no SLO plugin "my.org/own/v1"'),
                   (chained([plugin("core/sli_rules", "{disableOptimized: 7}")])[0], 'field "disableOptimized": must be true or false')):
    check(words in generated(bad, ok=False), f"{words}: {generated(bad, ok=False)}")
step("chains: order, override, the Kubernetes resource, MetricsQL, errors with their place")

# ---- Directories ----
os.makedirs(d + "/in/team/deep")
os.makedirs(d + "/in/.hidden")
os.mkdir(d + "/made")
for name, text in (("in/team/deep/a.yml", SLOTH.replace("service: shop", "service: one")), ("in/team/b.YAML", K8S.replace("service: shop", "service: two")),
                   ("in/c.yml", CATALOG % "7d"), ("in/notes.txt", "no YAML: ["), ("in/.hidden/skip.yml", SLOTH.replace("service: shop", "service: three"))):
    with open(f"{d}/{name}", "w") as f:
        f.write(text)


def slo(*args):
    p = subprocess.run([VARVE, "slo", *args], cwd=d, capture_output=True, text=True, timeout=60)
    return p.returncode, p.stdout, p.stderr


def below(path):
    return sorted(os.path.relpath(os.path.join(at, name), path) for at, _, names in os.walk(path) for name in names)


for given in ("in", "in/", "./in"):
    equal(slo("generate", "-i", given, "-o", "made", "-e", "skip")[0], 0, given)
    equal(below(d + "/made"), ["team/b.YAML", "team/deep/a.yml"], "files with objectives")
with open(d + "/made/team/deep/a.yml") as f:
    equal({g["name"].rsplit("-", 1)[0] for g in yaml.safe_load(f)["groups"]} - {"sloth-slo-alerts-one"}, {"sloth-slo-sli-recordings-one", "sloth-slo-meta-recordings-one"}, "groups")
equal(slo("generate", "-i", "in", "-o", "made")[0], 0, "all")
equal(below(d + "/made"), [".hidden/skip.yml", "team/b.YAML", "team/deep/a.yml"], "all")
check(slo("validate", "-i", "in")[1].startswith("SUCCESS: 8 objectives,"), slo("validate", "-i", "in"))
check(slo("check", "in/team", "in/c.yml")[1].startswith("SUCCESS: 5 objectives,"), "directories as arguments")
check(slo("check", "-i", "in", "--fs-include=deep|c.yml$")[1].startswith("SUCCESS: 3 objectives,"), "include")
check(slo("check", "-i", "in", "-n", "team", "-e", "b.YAML")[1].startswith("SUCCESS: 3 objectives,"), "exclude wins")
with open(d + "/in/z.yml", "w") as f:
    f.write(SLOTH.replace("service: shop", "service: four").replace(TOTAL, TOTAL + ")"))
for args, words in ((["-i", "in"], "to a directory: --out"), (["-i", "in", "-o", "slo.yml"], "to a directory: --out"), (["-i", "in", "-o", "./in/"], "the same directory"),
                    (["-i", "in", "-o", "made", "-e", "("], "flag --fs-exclude: error parsing regexp"), (["-i", "windows", "-o", "made", "-n", "x"], "no file *.yml or *.yaml in it"),
                    (["-i", "in", "-o", "fresh"], "fresh: "), (["-i", "in", "-o", "made"], "in/z.yml:13:20: total query:")):
    code, _, err = slo("generate", *args)
    check(code == 1 and words in err, f"{args}: {err}")
check("z.yml" not in below(d + "/made"), "nothing is written where something is wrong")
os.symlink("../..", d + "/in/team/loop")
os.remove(d + "/in/z.yml")
check(slo("check", "-i", "in")[1].startswith("SUCCESS: 8 objectives,"), "links to directories are not followed")
step("directories as input and output")
