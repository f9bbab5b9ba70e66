"""A canary in every secret that a configuration in force can hold (D16): scraping, discovery, Alertmanagers, their
proxies, headers, tokens and URLs, and the files that hold them. Everything fails, so that every error is written; then
no answer of the API, no metric, no page, no log, no reload error and no output of `check config` shows one."""
import json
import os
import re
import subprocess

from lib import VARVE, Server, check, equal, folder, free_port, step, until

d = folder()
count = 0
canaries = []


def secret():
    global count
    count += 1
    canaries.append(f"kanari{count:03}Q")
    return canaries[-1]


def in_file():
    name = f"{d}/file{count}.txt"
    with open(name, "w") as f:
        f.write(secret() + "\n")
    return name


dead = free_port()  # nobody listens there


def ways():
    """Every way to say who one is, as lines of a section that speaks HTTP."""
    proxy = f"proxy_url: 'http://user:{secret()}@127.0.0.1:{dead}'"
    return {
        "basic": f"basic_auth: {{username: u, password: {secret()}}}",
        "basic_file": f"basic_auth: {{username: u, password_file: {in_file()}}}",
        "bearer": f"authorization: {{credentials: {secret()}}}",
        "bearer_file": f"authorization: {{type: Token, credentials_file: {in_file()}}}",
        "bearer_old": f"bearer_token: {secret()}",
        "oauth": f"oauth2: {{client_id: me, client_secret: {secret()}, token_url: 'http://x:{secret()}@127.0.0.1:{dead}/t'}}",
        "oauth_file": f"oauth2: {{client_id: me, client_secret_file: {in_file()}, token_url: 'http://127.0.0.1:{dead}/t'}}",
        "headers": f"http_headers: {{X-Key: {{secrets: [{secret()}], files: [{in_file()}]}}}}",
        "proxy": proxy,
        "proxy_header": f"proxy_url: 'http://127.0.0.1:{dead}', proxy_connect_header: {{X-P: [{secret()}]}}, scheme: https",
        "key": f"tls_config: {{cert: 'not a certificate', key: {secret()}}}",
    }


jobs = []
for name, line in ways().items():
    jobs.append(f"{{job_name: {name}, static_configs: [{{targets: ['127.0.0.1:{dead}']}}], {line}}}")
for name, line in ways().items():
    line = line.replace(", scheme: https", "")
    jobs.append(f"{{job_name: sd_{name}, http_sd_configs: [{{url: 'http://a:{secret()}@127.0.0.1:{dead}/sd', {line}}}]}}")
jobs.append(f"{{job_name: consul, consul_sd_configs: [{{server: '127.0.0.1:{dead}', token: {secret()}}}]}}")
jobs.append(f"{{job_name: consul_user, consul_sd_configs: [{{server: '127.0.0.1:{dead}', username: u, password: {secret()}}}]}}")
jobs.append(f"{{job_name: docker, docker_sd_configs: [{{host: 'http://127.0.0.1:{dead}', "
            f"basic_auth: {{username: u, password: {secret()}}}}}]}}")
jobs.append(f"{{job_name: kube, kubernetes_sd_configs: [{{role: pod, api_server: 'https://k:{secret()}@127.0.0.1:{dead}', "
            f"authorization: {{credentials: {secret()}}}}}]}}")
alertmanagers = [f"{{static_configs: [{{targets: ['127.0.0.1:{dead}']}}], {line}}}" for line in ways().values()]
TEXT = ("global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs: [" + ",\n  ".join(jobs) + "]\n"
        "alerting: {alertmanagers: [" + ",\n  ".join(alertmanagers) + "]}\n")
conf = d + "/prometheus.yml"
rules = "groups: [{name: g, interval: 1s, rules: [{alert: A, expr: vector(1)}]}]\n"
with open(d + "/r.yml", "w") as f:
    f.write(rules)
with open(conf, "w") as f:
    f.write(f"rule_files: [{d}/r.yml]\n" + TEXT)
check(count > 50, f"{count} canaries")


def clean(what, text):
    seen = [c for c in canaries if c in text]
    check(not seen, f"{what} shows {seen[:3]}: ...{text[max(0, text.find(seen[0]) - 200):][:400] if seen else ''}")


p = subprocess.run([VARVE, "check", "config", conf], capture_output=True, text=True, timeout=30)
clean("check config", p.stdout + p.stderr)
for what, bad in (("a key that is unknown", TEXT + "nonsense: 1\n"), ("two credentials", TEXT.replace(
        "job_name: basic,", f"job_name: basic, bearer_token: {canaries[0]},", 1)),
        ("a bad URL", TEXT.replace(f"@127.0.0.1:{dead}/sd", f"@127.0.0.1:x{dead}/sd", 1)),
        ("a secret that is a list", re.sub(r"\btoken: (kanari\w+)", r"token: [\1]", TEXT))):
    with open(d + "/bad.yml", "w") as f:
        f.write(bad)
    p = subprocess.run([VARVE, "check", "config", d + "/bad.yml"], capture_output=True, text=True, timeout=30)
    equal(p.returncode, 1, what)
    clean(f"check config, {what}", p.stdout + p.stderr)
step(f"check config shows none of {count} canaries")

s = Server(flags=[f"--config.file={conf}", "--log.level=debug"])
until("all scrapes have failed", lambda: (lambda t: len(t) >= 11 and all(x["lastError"] for x in t))(
    s.api("targets", state="active")[1]["data"]["activeTargets"]), 30)
until("discovery has failed", lambda: int(re.search(r'^prometheus_sd_failed_configs\{name="scrape"\} (\d+)',
                                                    s.request("GET", "/metrics")[2].decode(), re.M).group(1)) >= 14, 30)
until("alerts could not be sent", lambda: re.search(
    r"^prometheus_notifications_errors_total.* [1-9]", s.request("GET", "/metrics")[2].decode(), re.M), 30)
PATHS = ["/metrics", "/api/v1/status/config", "/api/v1/status/flags", "/api/v1/status/runtimeinfo", "/api/v1/targets",
         "/api/v1/targets/metadata", "/api/v1/scrape_pools", "/api/v1/alertmanagers", "/api/v1/alerts", "/api/v1/rules",
         "/api/v1/status/tsdb", "/api/v1/series?match[]=up", "/api/v1/query?query=up", "/federate?match[]=up", "/-/healthy",
         "/health", "/api/v1/label/instance/values", "/config", "/targets", "/service-discovery", "/debug/pprof/cmdline"]
PATHS += [f"/api/v1/scrape_pools/config?scrapePool={n}" for n in ("basic", "oauth", "proxy", "sd_headers", "consul", "kube")]
for path in PATHS:
    status, headers, body = s.request("GET", path)
    clean(path, body.decode(errors="replace") + str(headers))
check("<secret>" in json.dumps(s.api("status/config")[1]), "they are there, hidden")
for bad in (TEXT + "nonsense: 1\n", TEXT.replace(f"@127.0.0.1:{dead}/sd", f"@127.0.0.1:x{dead}/sd", 1)):
    with open(conf, "w") as f:
        f.write(bad)
    status, _, body = s.request("POST", "/-/reload")
    equal(status, 500, "a bad file")
    clean("the error of a reload", body.decode())
with open(conf, "w") as f:
    f.write("global: {}\n")
equal(s.request("POST", "/-/reload")[0], 200, "all is given up")
with open(f"/proc/{s.pid()}/cmdline") as f:
    clean("the command line", f.read())
equal(s.stop(), 0, "exit status")
clean("the log", s.log())
for root, _, names in os.walk(s.data):
    for n in names:
        with open(os.path.join(root, n), "rb") as f:
            clean(n, f.read().decode(errors="replace"))
step("a server whose every connection fails shows none")
