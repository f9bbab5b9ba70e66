"""Who may do what: passwords, tokens, scopes, TLS, names, origins, headers, secrets.

Certificates are made with openssl at the start; every check is from outside, by HTTP.
"""
import base64
import concurrent.futures
import hashlib
import http.client
import json
import os
import re
import socket
import ssl
import statistics
import subprocess
import time
import urllib.parse
import warnings

from lib import VARVE, Server, V1, check, equal, field, folder, free_port, snappy, start, step, time_series, until

warnings.simplefilter("ignore", DeprecationWarning)
import crypt  # noqa: E402
CANARY = "canary7Qx2"  # part of every secret below: must never come out


# ---- Files ----

def put(path, text):
    with open(path + ".next", "w") as f:
        f.write(text)
    os.rename(path + ".next", path)


def bcrypt(password, cost=4):
    return crypt.crypt(password, f"$2b${cost:02}$Kb6HOSUdXzZqvqHdOeHnoe")


def sha(token):
    return hashlib.sha256(token.encode()).hexdigest()


def basic(user, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def bearer(token):
    return {"Authorization": "Bearer " + token}


def openssl(*argv):
    r = subprocess.run(["openssl", *argv], capture_output=True, text=True)
    check(r.returncode == 0, f"openssl {argv[0]}: {r.stderr}")


def certificate(name, ca=None, san=None, days="2", usage="serverAuth"):
    """name.key and name.crt in DIR, signed by `ca` or by itself."""
    key, csr, crt, ext = (f"{DIR}/{name}.{e}" for e in ("key", "csr", "crt", "ext"))
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", csr,
            "-subj", f"/CN={name}")
    put(ext, (f"subjectAltName={san}\nextendedKeyUsage={usage}\n" if ca else "basicConstraints=critical,CA:TRUE\n"))
    sign = ["-CA", f"{DIR}/{ca}.crt", "-CAkey", f"{DIR}/{ca}.key", "-CAcreateserial"] if ca else ["-signkey", key]
    openssl("x509", "-req", "-in", csr, "-out", crt, "-days", days, "-extfile", ext, *sign)


DIR = folder()
WEB, TOKENS = f"{DIR}/web.yml", f"{DIR}/tokens.yml"
READ, WRITE, ADMIN, METRICS = (f"{CANARY}-{n}" for n in ("read", "write", "admin", "metrics"))
PASSWORD = CANARY + "-password"
WEB_TEXT = f"basic_auth_users:\n  alice: {bcrypt(PASSWORD)}\n  bob: {bcrypt('bobs')}\n"
TOKENS_TEXT = "tokens:\n" + "".join(
    f"- {{name: {n}, sha256: {sha(t)}, scopes: [{n}]}}\n"
    for n, t in (("read", READ), ("write", WRITE), ("admin", ADMIN), ("metrics", METRICS)))


def guarded(*flags, **kwargs):
    """A server that cannot be asked without credentials: ready when it says no."""
    s = Server(flags=flags, wait=False, **kwargs)

    def up():
        check(s.process.poll() is None, f"server ended:\n{s.log()}")
        try:
            return s.request("GET", "/-/ready", headers=basic("alice", PASSWORD))[0] in (200, 401)
        except OSError:
            return False
    until("server up", up)
    return s


def status(s, path, headers=None, method="GET", body=None):
    return s.request(method, path, body, headers)[0]


def refused(s, reason, headers=None):
    text = s.request("GET", "/metrics", headers=headers)[2].decode()
    return int(re.search(r'varve_http_refused_total\{reason="%s"\} (\d+)' % reason, text).group(1))


# ---- Start and reload ----

def fails_to_start(flags, words):
    p = start([VARVE, "serve", f"--storage.tsdb.path={folder()}", "--web.listen-address=127.0.0.1:0", *flags],
              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    out = p.communicate(timeout=20)[0]
    check(p.returncode not in (0, None, -11, -6) and all(w in out for w in words), f"{flags}: {p.returncode} {out}")
    check(CANARY not in out, f"secret in the error: {out}")


step("wrong files: a clear line and no start")
put(WEB, WEB_TEXT)
put(TOKENS, TOKENS_TEXT)
for text, words in (("basic_auth_users: {alice: " + PASSWORD + "}\n", [":1:", "alice", "bcrypt"]),
                    ("basic_auth_users: [" + PASSWORD + "\n", [":2:"]),
                    ("tls_server_config: {cert_file: nowhere.crt, key_file: nowhere.key}\n", ["nowhere.crt"]),
                    ("tls_server_config: {cert_file: a, key_file: b, min_version: TLS14}\n", ["min_version", "TLS13"]),
                    ("surprise: 1\n", ["surprise"]),
                    ("http_server_config: {headers: {Set-Cookie: a}}\n", ["Set-Cookie"])):
    put(f"{DIR}/wrong.yml", text)
    fails_to_start([f"--web.config.file={DIR}/wrong.yml"], ["wrong.yml", *words] if words != ["nowhere.crt"] else words)
fails_to_start([f"--web.config.file={DIR}/nowhere.yml"], ["nowhere.yml"])
put(f"{DIR}/wrong.yml", f"tokens: [{{name: a, sha256: {READ}, scopes: [read]}}]\n")
fails_to_start([f"--web.token-file={DIR}/wrong.yml"], ["wrong.yml:1:", "64 hexadecimal digits"])
put(f"{DIR}/wrong.yml", f"tokens: [{{name: a, sha256: {sha(READ)}, scopes: [everything]}}]\n")
fails_to_start([f"--web.token-file={DIR}/wrong.yml"], ["scopes are read, write, admin, metrics"])

for path, kind, good in ((WEB, "web-config", True), (TOKENS, "token-file", True), (f"{DIR}/wrong.yml", "token-file", False)):
    r = subprocess.run([VARVE, "check", kind, path], capture_output=True, text=True)
    equal((r.returncode, r.stderr.startswith(f"{path} SUCCESS\n" if good else f"{path} FAILED: ")), (0 if good else 1, True),
          f"{r}")
    check(CANARY not in r.stderr, f"secret in {r}")
equal(subprocess.run([VARVE, "check", "web-config"], capture_output=True).returncode, 2, "no file")

step("passwords and tokens, by the route's scope")
CONFIG = f"{DIR}/prometheus.yml"
put(CONFIG, f"""
scrape_configs:
- job_name: a
  basic_auth: {{username: u, password: {CANARY}1}}
  static_configs: [{{targets: ["127.0.0.1:1"]}}]
- job_name: b
  authorization: {{credentials: {CANARY}2}}
  proxy_url: http://u:{CANARY}3@127.0.0.1:1
  static_configs: [{{targets: ["127.0.0.1:1"]}}]
- job_name: c
  oauth2: {{client_id: c, client_secret: {CANARY}4, token_url: "http://u:{CANARY}5@127.0.0.1:1/token"}}
  http_sd_configs: [{{url: "http://u:{CANARY}6@127.0.0.1:1/sd", basic_auth: {{username: u, password: {CANARY}7}}}}]
""")
s = guarded(f"--web.config.file={WEB}", f"--web.token-file={TOKENS}", f"--config.file={CONFIG}",
            "--web.external-url=http://prom.example.com:1234/")
alice = basic("alice", PASSWORD)
code, headers, body = s.request("GET", "/api/v1/labels")
equal((code, headers["www-authenticate"], body), (401, "Basic", b"Unauthorized\n"), "no credentials")
for bad in (basic("alice", "wrong"), basic("nobody", PASSWORD), {"Authorization": "Basic ###"}, bearer("nobody"),
            {"Authorization": "Digest x"}, bearer(sha(READ)), {"Authorization": "Basic " + "A" * 8000},
            basic("alice", PASSWORD + "\0"), basic("", "")):
    equal(status(s, "/api/v1/labels", bad), 401, f"{bad}")
equal(status(s, "/api/v1/labels", alice), 200, "basic")
equal(status(s, "/api/v1/labels", basic("bob", "bobs")), 200, "another user")
ROUTES = (("GET", "/api/v1/query?query=1", {READ}), ("GET", "/api/v1/labels", {READ}), ("GET", "/federate", {READ}),
          ("GET", "/api/v1/status/flags", {READ}), ("GET", "/api/v1/status/config", {READ}),
          ("GET", "/metrics", {METRICS}), ("GET", "/api/v1/status/self_metrics", {READ, METRICS}),
          ("POST", "/api/v1/admin/tsdb/clean_tombstones", {ADMIN}), ("POST", "/-/reload", {ADMIN}),
          ("POST", "/api/v1/write", {WRITE}), ("POST", "/api/v1/push", {WRITE}), ("POST", "/api/v1/read", {READ}),
          ("GET", "/-/healthy", {READ, WRITE, ADMIN, METRICS}), ("GET", "/version", {READ, WRITE, ADMIN, METRICS}),
          ("GET", "/api/v1/nothing", {READ, WRITE, ADMIN, METRICS}))
for method, path, allowed in ROUTES:
    equal(status(s, path, method=method), 401, f"{path} as nobody")
    for token in (READ, WRITE, ADMIN, METRICS):
        code = status(s, path, bearer(token), method)
        check((code not in (401, 403)) == (token in allowed) and (token in allowed or code == 403),
              f"{method} {path} as {token}: {code}")
    check(status(s, path, alice, method) not in (401, 403), f"{path} as alice")
message = snappy(field(1, b"")[:0] + time_series({"__name__": "m"}, [(1, int(time.time() * 1000))]))
equal(status(s, "/api/v1/write", {**V1, **bearer(WRITE)}, "POST", message), 204, "a token that writes")
equal(status(s, "/api/v1/write", {**V1, **bearer(READ)}, "POST", message), 403, "a token that reads does not")
equal(status(s, "/api/v1/write", V1, "POST", os.urandom(2 << 20)), 401, "a long body is read before the answer")

step("another writing of a path does not get around it")


def raw(port, data, seconds=5, tls=None):
    """The status of what comes back; 0 when the connection is closed without an answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as c:
        c.sendall(data)
        try:
            line = c.makefile("rb").readline()
        except ConnectionResetError:
            return 0
        return int(line.split()[1]) if line else 0


for target in ("//api/v1/labels", "/api/v1//labels", "/api/v1/./labels", "/-/healthy/../../api/v1/labels",
               "/-/healthy/%2e%2e/%2e%2e/api/v1/labels", "/api%2fv1%2flabels", "/api/v1/labels/", "/API/v1/labels",
               "/api/v1/labels;/-/healthy", "/api/v1/labels%20", "\\api\\v1\\labels", "/api/v1/labels%00",
               "http://evil.example/api/v1/labels", "/-/healthy%00/api/v1/labels", "/%61pi/v1/labels"):
    code = raw(s.port, f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    check(code in (400, 401), f"{target} as nobody: {code}")
    code = raw(s.port, f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer {METRICS}\r\n"
               "\r\n".encode())
    check(code in (400, 403, 404), f"{target} with a token for metrics: {code}")
for method in ("get", "Get", "TRACE", "CONNECT", "PROPFIND", "HEAD", "DELETE", "PATCH", "OPTIONS"):
    code = raw(s.port, f"{method} /api/v1/labels HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    check(code in (400, 401), f"{method} as nobody: {code}")
two = f"GET /api/v1/labels HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {READ}\r\nAuthorization: Bearer x\r\n\r\n"
equal(raw(s.port, two.encode()), 400, "two Authorization headers")

step("the health routes: closed, or open by choice")
equal(status(s, "/-/healthy"), 401, "as upstream")
equal(status(s, "/-/ready"), 401, "as upstream")
health = free_port()
o = guarded(f"--web.config.file={WEB}", "--web.open-health", f"--web.health-address=127.0.0.1:{health}")
equal([status(o, p) for p in ("/-/healthy", "/-/ready", "/metrics", "/-/reload")], [200, 200, 401, 401], "open health")
for path, want in (("/-/healthy", 200), ("/-/ready", 200), ("/metrics", 401), ("/api/v1/labels", 401)):
    equal(raw(health, f"GET {path} HTTP/1.0\r\n\r\n".encode()), want, f"{path} on the health address")
token = base64.b64encode(f"alice:{PASSWORD}".encode()).decode()
for path, want in (("/metrics", 200), ("/api/v1/labels", 404), ("/-/reload", 404)):
    equal(raw(health, f"GET {path} HTTP/1.0\r\nAuthorization: Basic {token}\r\n\r\n".encode()), want, path)
equal(o.stop(), 0, "stops")

step("CORS: a preflight needs no credentials and gives none")
code, headers, _ = s.request("OPTIONS", "/api/v1/query", headers={
    "Origin": "http://grafana.example", "Access-Control-Request-Method": "GET",
    "Access-Control-Request-Headers": "authorization"})
check(code == 204 and headers["access-control-allow-origin"] == "*", f"{code} {headers}")
check("Authorization" in headers["access-control-allow-headers"], "the header may be sent")
check("access-control-allow-credentials" not in headers, "never with ambient credentials")
equal(status(s, "/api/v1/query?query=1", {"Origin": "http://grafana.example"}), 401, "the call needs them")

step("files that change: at once, wrong ones leave what was")
put(TOKENS, TOKENS_TEXT.replace(sha(READ), sha("fresh")))
until("the new token is known", lambda: status(s, "/api/v1/labels", bearer("fresh")) == 200)
equal(status(s, "/api/v1/labels", bearer(READ)), 401, "the old one is not")
put(WEB, "basic_auth_users: {alice: nonsense}\n")
until("told", lambda: "varve_web_config_last_reload_successful 0" in
      s.request("GET", "/metrics", headers=bearer(METRICS))[2].decode())
equal(status(s, "/api/v1/labels", alice), 200, "the old users stay")
code, _, body = s.request("POST", "/-/reload", headers=bearer(ADMIN))
check(code == 500 and b"failed to reload config: " in body and b"bcrypt" in body, f"{code} {body}")
put(WEB, WEB_TEXT.replace("alice", "carol"))
until("alice has gone", lambda: status(s, "/api/v1/labels", alice) == 401)
equal(status(s, "/api/v1/labels", basic("carol", PASSWORD)), 200, "carol has come")
check("varve_web_config_last_reload_successful 1" in s.request("GET", "/metrics", headers=bearer(METRICS))[2].decode(), "good")
equal(status(s, "/-/reload", bearer(ADMIN), "POST"), 200, "reload")
put(WEB, WEB_TEXT)
put(TOKENS, TOKENS_TEXT)
until("alice is back", lambda: status(s, "/api/v1/labels", alice) == 200)

step("names and origins: pages of others get nothing and change nothing")
page = {"User-Agent": "Mozilla/5.0", **alice}
for host, want in (("evil.example.com", 403), ("127.0.0.1.evil.example", 403), ("prom.example.com", 200),
                   ("127.0.0.1:9090", 200), ("[::1]:9090", 200), ("localhost:1", 200), ("varve", 200),
                   ("varve.monitoring.svc", 200), ("PROM.EXAMPLE.COM.:9090", 200), ("evil.localhost.com", 403)):
    equal(status(s, "/api/v1/labels", {**page, "Host": host}), want, f"browser for {host}")
equal(status(s, "/api/v1/labels", {**alice, "Host": "varve.example.com"}), 200, "other clients go where they are told")
RELOAD = {"Host": "127.0.0.1:9090", **alice}
for extra, want in (({}, 200), ({"Origin": "http://127.0.0.1:9090"}, 200), ({"Origin": "http://evil.example"}, 403),
                    ({"Origin": "null"}, 403), ({"Sec-Fetch-Site": "cross-site"}, 403),
                    ({"Sec-Fetch-Site": "same-site"}, 403), ({"Sec-Fetch-Site": "same-origin"}, 200),
                    ({"Sec-Fetch-Site": "none"}, 200), ({"Origin": "http://prom.example.com:1234"}, 200),
                    ({"Origin": "http://127.0.0.1:9091"}, 403),
                    ({"Origin": "http://evil.example", "X-Requested-With": "XMLHttpRequest"}, 200)):
    equal(status(s, "/-/reload", {**RELOAD, **extra}, "POST"), want, f"reload with {extra}")
for path in ("/api/v1/admin/tsdb/delete_series?match[]=m", "/api/v1/status/active_queries/1/cancel", "/api/v1/write",
             "/-/quit"):
    equal(status(s, path, {**RELOAD, "Origin": "http://evil.example"}, "POST"), 403, f"{path} from another page")
equal(status(s, "/-/reload", {"Host": "127.0.0.1:9090", "Origin": "http://evil.example", **bearer(ADMIN)}, "POST"), 200,
      "a token is not ambient")
equal(status(s, "/api/v1/query", {**RELOAD, "Origin": "http://evil.example",
                                  "Content-Type": "application/x-www-form-urlencoded"}, "POST", "query=1"), 200,
      "reading by POST changes nothing")
check("request refused" in s.log() and "reason=forbidden client=127.0.0.1 route=/api/v1/labels" in open(s.log_path).read(), "logged")
check(refused(s, "foreign_origin", alice) >= 8 and refused(s, "unknown_host", alice) == 3, "counted")
strict = Server(flags=[f"--web.external-url=https://user:{CANARY}@prom.example.com/", "--web.route-prefix=/", "--web.allowed-hosts=varve.example.com, other.example", "--web.cors.origin=https://(ops|dash)\\.example"])
for host, want in (("varve.example.com:80", 200), ("other.example", 200), ("third.example", 403), ("varve", 403)):
    equal(status(strict, "/api/v1/labels", {"Host": host}), want, f"strict for {host}")
for origin, want in (("https://ops.example", 200), ("https://dash.example", 200), ("https://ops.example.evil", 403)):
    equal(status(strict, "/-/reload", {"Origin": origin}, "POST"), want, f"named origin {origin}")
shown = strict.request("GET", "/api/v1/status/flags")[2].decode() + strict.request("GET", "/")[2].decode() + strict.log()
check("https://user:xxxxx@prom.example.com/" in shown and CANARY not in shown, f"the password of a URL: {shown}")
equal(strict.stop(), 0, "stops")

step("secure headers on every answer, and what the configuration says instead")
SECURE = {"x-content-type-options": "nosniff", "x-frame-options": "DENY", "referrer-policy": "no-referrer"}
for method, path, h in (("GET", "/api/v1/labels", alice), ("GET", "/api/v1/labels", {}), ("GET", "/nothing", alice),
                        ("GET", "/", alice), ("PUT", "/api/v1/labels", alice), ("GET", "/metrics", alice),
                        ("GET", "/api/v1/query?query=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E", alice)):
    code, got, body = s.request(method, path, headers=h)
    check(all(got.get(k) == v for k, v in SECURE.items()), f"{path}: {got}")
    check("default-src 'none'" in got["content-security-policy"] and "unsafe" not in got["content-security-policy"], path)
    check(("no-store" == got.get("cache-control")) == path.startswith("/api/"), f"{path}: {got}")
    check("server" not in got and "x-powered-by" not in got, f"{path}: {got}")
    check(b"<img" not in body, f"{path}: markup comes back as it was")
put(WEB, WEB_TEXT + "http_server_config: {headers: {X-Frame-Options: SAMEORIGIN, Strict-Transport-Security: max-age=9}}\n")
until("new headers", lambda: s.request("GET", "/version", headers=alice)[1].get("x-frame-options") == "SAMEORIGIN")
got = s.request("GET", "/version", headers=alice)[1]
check(got["strict-transport-security"] == "max-age=9" and got["x-content-type-options"] == "nosniff", f"{got}")

step("a flood of wrong passwords: who is known is not kept waiting, nor told from who is not")
put(WEB, f"basic_auth_users:\n  alice: {bcrypt(PASSWORD, 10)}\n  dave: {bcrypt('dave', 10)}\n")
until("dearer passwords", lambda: status(s, "/api/v1/labels", basic("dave", "dave")) == 200)
equal(status(s, "/api/v1/labels", alice), 200, "alice is known now")


def timed(headers):
    begun = time.time()
    return status(s, "/api/v1/labels", headers), time.time() - begun


times = {who: statistics.median(timed(basic(who, "wrong"))[1] for _ in range(5)) for who in ("alice", "nobody")}
check(0.5 < times["alice"] / times["nobody"] < 2, f"times tell who exists: {times}")
checks = lambda: int(re.search(r"varve_web_password_checks_total (\d+)",
                               s.request("GET", "/metrics", headers=bearer(METRICS))[2].decode()).group(1))
before, flood_end = checks(), time.time() + 3


def flood(i):
    codes, n = {}, 0
    while time.time() < flood_end:
        code = status(s, "/api/v1/labels", basic(f"user{i}", f"{n}"))
        codes[code] = codes.get(code, 0) + 1
        n += 1
    return codes


with concurrent.futures.ThreadPoolExecutor(20) as pool:
    floods = [pool.submit(flood, i) for i in range(20)]
    good = []
    while time.time() < flood_end - 0.2:
        code, seconds = timed(alice)
        equal(code, 200, "alice during the flood")
        good.append(seconds)
        time.sleep(0.02)
    codes = {}
    for f in floods:
        for k, v in f.result().items():
            codes[k] = codes.get(k, 0) + v
computed = checks() - before
worst = sorted(good)[int(len(good) * 0.99)]
print(f"  flood {codes}, {computed} computed; alice: {len(good)} requests, median {statistics.median(good) * 1e3:.0f} ms, "
      f"p99 {worst * 1e3:.0f} ms")
check(set(codes) == {401, 503} and codes[503] > codes[401], f"most are turned away unheard: {codes}")
check(computed <= codes[401] and statistics.median(good) < 0.1 and worst < 1, f"{computed} computed, p99 {worst}")
check(refused(s, "too_many_passwords", bearer(METRICS)) == codes[503], "counted")

step("names and values that would be markup come back as data (D15)")
HOSTILE = '"><img src=x onerror=alert(1)>'
now = int(time.time())
m = snappy(time_series({"__name__": "<b>" + HOSTILE, "job": HOSTILE, HOSTILE: "javascript:alert(1)"}, [(now * 1000, 1.0)]))
equal(status(s, "/api/v1/write", {**V1, **bearer(WRITE)}, "POST", m), 204, "written")
name = urllib.parse.quote('{__name__=~"<b>.*"}')
for path in (f"/api/v1/query?query={name}", f"/api/v1/series?match[]={name}", "/api/v1/labels", "/api/v1/label/job/values",
             "/api/v1/label/__name__/values", "/api/v1/metadata", "/api/v1/status/tsdb", "/api/v1/search/metric_names",
             f"/federate?match[]={name}", "/api/v1/query?query=" + urllib.parse.quote(HOSTILE), "/graph?g0.expr=" + HOSTILE,
             "/" + urllib.parse.quote(HOSTILE), "/api/v1/label/" + urllib.parse.quote(HOSTILE) + "/values"):
    code, got, body = s.request("GET", path.replace(" ", "%20"), headers=alice)
    kind = got.get("content-type", "")
    check("html" not in kind or b"<img" not in body, f"{path}: markup in {kind}: {body[:300]}")
    check(got["x-content-type-options"] == "nosniff" and "default-src 'none'" in got["content-security-policy"], f"{path}: {got}")
    if kind == "application/json":
        json.loads(body)
check("onerror" in s.request("GET", "/api/v1/label/job/values", headers=alice)[2].decode(), "the value is there")

step("secrets are nowhere (D16)")
seen = s.log()
for path in ("/metrics", "/api/v1/status/config", "/api/v1/status/flags", "/api/v1/status/runtimeinfo", "/api/v1/features",
             "/api/v1/status/active_queries", "/api/v1/notifications", "/api/v1/status/self_metrics", "/api/v1/openapi.yaml",
             "/version", "/nothing", "/api/v1/scrape_pools", "/api/v1/scrape_pools/config?scrape_pool=a",
             "/api/v1/scrape_pools/config?scrape_pool=b", "/api/v1/scrape_pools/config?scrape_pool=c", "/api/v1/query?query=(", "/api/v1/targets", "/api/v1/rules"):
    _, headers, body = s.request("GET", path, headers=alice)
    seen += f"{headers}{body!r}"
for text in (CANARY, bcrypt(PASSWORD), bcrypt(PASSWORD, 10), sha(READ)):
    at = seen.find(text)
    check(at < 0, f"found a secret: {seen[max(at - 300, 0):at + 40]}")
core = open(f"/proc/{s.pid()}/limits").read()
check(re.search(r"Max core file size\s+0\s+0", core), "no core files")
check(CANARY not in open(f"/proc/{s.pid()}/cmdline").read(), "nothing on the command line")
equal(s.stop(), 0, "stops")
print("ok")
