"""prometheus.yml: `varve check config` against Debian's promtool, reloading, and no secret anywhere."""
import glob
import os
import re
import shutil
import signal
import subprocess
import time

from lib import VARVE, Server, check, equal, folder, step, until

CASES = os.path.join(os.path.dirname(__file__), "..", "config")
# What Debian's promtool (2.42) and Prometheus 3.14, which is followed here, see differently.
NEWER = {"bad/am_version.yml": "API v1 of Alertmanager was removed in 3.0",
         "good/full.yml": "keys and UTF-8 label names that came with 3.x"}
# What upstream notices only when the settings are used, or never.
STRICTER = {"bad/auth_header_injection.yml": "a credential with a line break would end the header",
            "bad/tls_versions_order.yml": "upstream refuses it when the scrape pool is made"}


def run(tool, *args, cwd=None):
    p = subprocess.run([*tool, "check", "config", *args], cwd=cwd, capture_output=True, text=True, timeout=60)
    return p.returncode, p.stdout, p.stderr


def varve(*args, cwd=None):
    return run([VARVE], *args, cwd=cwd)


def put(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)


# ---- Verdicts ----
files = sorted(glob.glob(CASES + "/good/*.yml") + glob.glob(CASES + "/bad/*.yml"))
check(len(files) > 100, "the cases are there")


def verdicts(tool):
    """{file: accepted} of all files, asked for at once."""
    p = subprocess.run([*tool, "check", "config", "--syntax-only", *files], stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True, timeout=60)
    equal(p.returncode, 1, "some files are bad")
    parts = re.split(r"^Checking (.*)$", p.stdout, flags=re.M)
    return {os.path.relpath(f, CASES): " SUCCESS: " in said and "FAILED" not in said
            for f, said in zip(parts[1::2], parts[2::2])}


ours = verdicts([VARVE])
equal(len(ours), len(files), "every file is judged")
for name, accepted in ours.items():
    equal(accepted, name.startswith("good/"), name)
step(f"{len(files)} files judged")

promtool = shutil.which("promtool")
if promtool:
    theirs = verdicts([promtool])
    equal({n for n in ours if ours[n] != theirs[n]}, set(NEWER) | set(STRICTER), "files that promtool judges otherwise")
    step("promtool agrees, but for what is named")

# ---- Texts and exit codes ----
d = folder()
put(d + "/ok.yml", "global: {scrape_interval: 15s}\n")
put(d + "/rules/r.yml", "groups: [{name: g, rules: [{record: a, expr: b}]}]\n")
put(d + "/rules.yml", "rule_files: ['rules/*.yml', 'rules/no*.yml']\n")
put(d + "/norules.yml", "rule_files: [rules/missing.yml]\n")
put(d + "/token.yml", "scrape_configs: [{job_name: a, bearer_token_file: nothere}]\n")
put(d + "/cert.yml", "scrape_configs: [{job_name: a, tls_config: {cert_file: nothere, key_file: k}}]\n")
put(d + "/sd.yml", "scrape_configs: [{job_name: a, file_sd_configs: [{files: [nothere.yml]}]}]\n")
put(d + "/groups.yml", "- targets: [a\n")
put(d + "/badsd.yml", "scrape_configs: [{job_name: a, file_sd_configs: [{files: [groups.yml]}]}]\n")
put(d + "/long.yml", "scrape_configs: [{job_name: a, scrape_interval: 10m}]\n")
put(d + "/send.yml", "remote_write: [{url: 'http://r/'}]\n")
SAME = ["ok.yml", "norules.yml", "token.yml", "cert.yml", "sd.yml", "nofile.yml"]
for name in SAME if promtool else []:
    here, there = varve(name, cwd=d), run([promtool], name, cwd=d)
    if name == "nofile.yml":
        equal(here[0], there[0], "exit code for a missing file")
    else:
        plain = re.sub(r"FAILED: \S+\.yml:\d+:\d+: ", "FAILED: ", here[2])
        check(plain != here[2] or "FAILED" not in plain, f"{name}: the place is named: {here[2]}")
        equal((*here[:2], plain), there, f"{name}: exit code and texts, but for the place")
equal(varve("ok.yml", cwd=d), (0, "Checking ok.yml\n SUCCESS: ok.yml is valid prometheus config file syntax\n\n", ""), "ok")
code, out, err = varve("rules.yml", cwd=d)
check(code == 0 and "  SUCCESS: 1 rule files found\n" in out and "Checking rules/r.yml\n" in out, f"rules: {out}")
code, out, err = varve("badsd.yml", cwd=d)
check(code == 1 and '  FAILED: checking SD file "groups.yml": groups.yml:2:1: ' in err, f"SD file: {err}")
code, out, err = varve("ok.yml", "norules.yml", cwd=d)
check(code == 1 and " SUCCESS: ok.yml" in out and "FAILED" in err, "two files")
LINT = "  FAILED: too long scrape interval found, data point will be marked as stale - job: a, interval: 10m\n"
equal(varve("--lint=too-long-scrape-interval", "long.yml", cwd=d)[::2], (0, LINT), "lint")
equal(varve("--lint=all", "--lint-fatal", "long.yml", cwd=d)[::2], (3, LINT), "fatal lint")
equal(varve("--lint=none", "--lint-fatal", "long.yml", cwd=d)[::2], (0, ""), "no lint")
equal(varve("--lint-fatal", "long.yml", cwd=d)[::2], (0, ""), "the default lint is about rules")
equal(varve("--lint=nonsense", "long.yml", cwd=d)[0], 1, "unknown lint")
code, out, err = varve("send.yml", cwd=d)
check(code == 1 and 'send.yml:1:15: "remote_write" is understood, but this version does not act on it' in err, err)
code, out, err = varve("--syntax-only", "send.yml", cwd=d)
check(code == 0 and "  WARNING: send.yml:1:15: " in out, out)
equal(varve(cwd=d)[0], 1, "no file named")
put(d + "/agent.yml", "alerting: {alertmanagers: [{static_configs: [{targets: [a]}]}]}\n")
for name in ("agent.yml", "rules.yml", "ok.yml") if promtool else []:
    here, there = varve("--agent", "--syntax-only", name, cwd=d), run([promtool], "--agent", "--syntax-only", name, cwd=d)
    equal(here, there, f"{name} for an agent")
# ---- Files that are named and are not there: promtool's words, behind the place that names them; what it misses is a warning ----
HAND = "error checking authorization credentials or bearer token file"
for text, place, why in (("global: {}\nrule_files: [ok*.rules, none.rules]\n", "2:25", '"none.rules" does not point to an existing file'),
                         ("scrape_config_files:\n- none.yml\n", "2:3", '"none.yml" does not point to an existing file'),
                         ("scrape_configs:\n- job_name: a\n- job_name: b\n  bearer_token_file: none\n", "3:3", f'{HAND} "none"'),
                         ("scrape_configs:\n- {job_name: a, tls_config: {cert_file: none, key_file: none}}\n", "2:3", 'error checking client cert file "none"'),
                         ("scrape_configs: [{job_name: a, http_sd_configs: [{url: 'http://a', authorization: {credentials_file: none}}]}]\n", None,
                          'WARNING: file "none" for authorization in scrape job "a" does not exist')):
    put(d + "/named.yml", text)
    status, out, err = varve("named.yml", cwd=d)
    said = out + err
    equal(status, 0 if place is None else 1, f"{text!r}: {said}")
    check((f"FAILED: named.yml:{place}: " if place else "") + why in said, f"{text!r}: {said}")
step("texts and exit codes")

# ---- Reloading ----
conf = d + "/live.yml"


def live(text):
    put(conf + ".new", text)
    os.rename(conf + ".new", conf)


def metric(server, name):
    body = server.request("GET", "/metrics")[2].decode()
    return float(re.search(rf"^{name} (\S+)$", body, re.M).group(1))


def shown(server):
    return server.api("status/config")[1]["data"]["yaml"]


live("global: {scrape_interval: 21s}\n")
s = Server(flags=[f"--config.file={conf}", "--enable-feature=auto-reload-config",
                  "--config.auto-reload-interval=1s"])
check("scrape_interval: 21s" in shown(s) and "evaluation_interval: 1m" in shown(s), "defaults are shown")
first = metric(s, "prometheus_config_last_reload_success_timestamp_seconds")
live("global: {scrape_interval: 22s}\n")
s.send_signal(signal.SIGHUP)
until("SIGHUP reloads", lambda: "scrape_interval: 22s" in shown(s))
check(metric(s, "prometheus_config_last_reload_success_timestamp_seconds") > first, "time of the reload")
live("global: {scrape_interval: 23s}\n")
until("the change is noticed", lambda: "scrape_interval: 23s" in shown(s))
equal(metric(s, "prometheus_config_last_reload_successful"), 1, "all is well")
BAD = {"a: &a [x, x]\nb: &b [*a, *a]\n" + "".join(f"c{i}: [*b, *b]\n" for i in range(3)): "field a not found",
       "x" * (9 << 20): "larger than",
       "global: " + "[" * 60 + "]" * 60: "nested too deeply",
       "global: {}\nglobal: {}\n": "already set",
       "global:\n\tscrape_interval: 1m\n": "cannot start any token",
       "global: {nonsense: 1}\n": "field nonsense not found in type config.plain",
       "remote_read: [{url: 'http://x'}]\n": "\"remote_read\" is understood, but this version does not act on it",
       "global: {query_log_file: /nonexistent/q.log}\n": "query_log_file"}
for text, why in BAD.items():
    live(text)
    status, _, body = s.request("POST", "/-/reload")
    check(status == 500 and body.startswith(b"failed to reload config: ") and why.encode() in body,
          f"{text[:40]!r}: {status} {body[:300]!r}")
    equal(metric(s, "prometheus_config_last_reload_successful"), 0, "the metric tells")
    check("scrape_interval: 23s" in shown(s), "what was in force stays")
log = d + "/query.log"
live(f"global: {{scrape_interval: 24s, query_log_file: {log}}}\n")
equal(s.request("POST", "/-/reload")[0], 200, "reload")
equal(metric(s, "prometheus_config_last_reload_successful"), 1, "all is well again")
s.query("vector(42)", 1000)
until("the query log is written", lambda: os.path.exists(log) and "vector(42)" in open(log).read())
step("reload: SIGHUP, POST, by itself; bad files change nothing")

# ---- Secrets ----
CANARY = "canary-secret"
live(f"""
global: {{scrape_interval: 25s}}
scrape_configs: []
""")
with open(CASES + "/good/full.yml") as f:
    full = f.read()
check(full.count(CANARY) >= 10, "the canary is in the file")
live(full)
status, _, body = s.request("POST", "/-/reload")
places = [body.decode(), s.log(), shown(s), s.request("GET", "/metrics")[2].decode(),
          s.request("GET", "/api/v1/status/flags")[2].decode(), *varve("--syntax-only", conf)]
check(all(CANARY not in str(p) for p in places), "no secret leaves")
check(status == 500, "a file with remote_write is refused")
step("no secret is shown")

# ---- Settings that reach the store ----
live("storage: {tsdb: {retention: {time: 20d, size: 3GB}}}\n")
equal(s.request("POST", "/-/reload")[0], 200, "reload")
equal(s.api("status/runtimeinfo")[1]["data"]["storageRetention"], "20d or 3GiB", "retention of the file")
now = int(time.time() * 1000)
DAY = 86400000
OLD = [({"__name__": "old"}, [(now - 25 * DAY, 1.0)])]
s.write(OLD, expect=400)
live("storage: {tsdb: {retention: {time: 30d}}}\n")
equal(s.request("POST", "/-/reload")[0], 200, "reload")
s.write(OLD)
live("global: {external_labels: {dc: eu}}\n")
equal(s.request("POST", "/-/reload")[0], 200, "reload")
s.write([({"__name__": "fed"}, [(now, 1.0)])])
check('dc="eu"' in s.request("GET", "/federate?match[]=fed")[2].decode(), "external labels")
step("retention and external labels are in force")
