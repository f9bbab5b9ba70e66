"""How targets are reached: TLS with own CA and client certificate, HTTP/2, credentials, OAuth2 tokens that run out,
proxies, own headers; and what scraping of native histograms makes of its limits."""
import base64
import http.server
import math
import ssl
import threading

from scrape_lib import *

d = folder()
PAGE = b"a 1\n"


def certificate(name, san, ca=None):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-keyout", name + ".key", "-out", name + ".pem", "-subj", "/CN=" + name, "-addext",
                    "subjectAltName=" + san, *(["-CA", ca + ".pem", "-CAkey", ca + ".key"] if ca else [])],
                   check=True, capture_output=True, cwd=d, timeout=30)


def secure(pages, name, client_ca=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{d}/{name}.pem", f"{d}/{name}.key")
    if client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(f"{d}/{client_ca}.pem")
    pages.server.socket = context.wrap_socket(pages.server.socket, server_side=True, do_handshake_on_connect=False)
    pages.text("/metrics", PAGE)
    return pages


class Tokens:
    """A token server and the page that wants its last token, which lasts 11 s: senders take it as old after one.
    `answer` makes the server's answer of a token: its type and body."""

    def __init__(self, answer=None):
        self.given, self.forms, self.suffix, outer = [], [], "", self
        answer = answer or (lambda token: ("application/json", json.dumps(
            {"access_token": token, "token_type": "Bearer", "expires_in": 11})))

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def reply(self, status, kind, body):
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                form = self.rfile.read(int(self.headers["Content-Length"])).decode()
                outer.forms.append((self.headers.get("Authorization", ""), form))
                if self.headers.get("Authorization") != "Basic " + base64.b64encode(b"me:hush").decode():
                    return self.reply(401, "application/json", b'{"error":"invalid_client"}')
                outer.given.append(f"token-{len(outer.given)}")
                kind, body = answer(outer.given[-1])
                return self.reply(200, kind, body.encode())

            def do_GET(self):
                known = outer.given and self.headers.get("Authorization") == f"Bearer {outer.given[-1]}{outer.suffix}"
                return self.reply(200, "text/plain", PAGE) if known else self.reply(401, "text/plain", b"who?\n")

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class Proxy:
    """Passes GETs of whole URLs and CONNECTs on to wherever they say; the name target.test is 127.0.0.1."""

    def __init__(self):
        self.seen, outer = [], self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer.seen.append(("GET", self.path, dict(self.headers)))
                url = urllib.parse.urlsplit(self.path)
                c = http.client.HTTPConnection(url.hostname.replace("target.test", "127.0.0.1"), url.port, timeout=10)
                c.request("GET", url.path)
                answer = c.getresponse()
                body = answer.read()
                c.close()
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.getheader("Content-Type"))
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_CONNECT(self):
                outer.seen.append(("CONNECT", self.path, dict(self.headers)))
                host, port = self.path.rsplit(":", 1)
                peer = socket.create_connection((host.replace("target.test", "127.0.0.1"), int(port)), timeout=10)
                self.send_response(200)
                self.end_headers()
                threading.Thread(target=self.pump, args=(peer, self.connection), daemon=True).start()
                self.pump(self.connection, peer)
                self.close_connection = True

            @staticmethod
            def pump(source, to):
                try:
                    while data := source.recv(65536):
                        to.sendall(data)
                except OSError:
                    pass

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *args: None
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def write(name, text):
    with open(f"{d}/{name}", "w") as f:
        f.write(text)


def serve(text):
    write("prometheus.yml", "global: {scrape_interval: 2s, scrape_timeout: 2s}\nscrape_configs:\n" + text)
    return Server(flags=[f"--config.file={d}/prometheus.yml"])


def target(name, address, *lines):
    return (f"- job_name: {name}\n  static_configs: [{{targets: ['{address}']}}]\n"
            + "".join(f"  {line}\n" for line in lines))


def expect(varve, good, bad):
    for name in good:
        until(f"{name} is up", lambda: targets(varve.port)[name]["health"] == "up", 60)
    for name, reason in bad.items():
        until(f"{name} says {reason!r}", lambda: reason in targets(varve.port)[name]["lastError"], 60)
        until(f"{name} is down", lambda: targets(varve.port)[name]["health"] == "down", seconds=60)


def main_tls():
    step("https: own CA, client certificates, names; what does not fit is refused")
    certificate("ca", "DNS:ca")
    certificate("other", "DNS:other")
    certificate("local", "IP:127.0.0.1", "ca")
    certificate("named", "DNS:target.internal", "ca")
    certificate("client", "DNS:client", "ca")
    certificate("stranger", "DNS:stranger", "other")
    local, named, mutual = secure(Pages(), "local"), secure(Pages(), "named"), secure(Pages(), "local", "ca")
    h2 = free_port()
    os.mkdir(f"{d}/site")
    write("site/metrics", "a 1\n")
    start(["nghttpd", "-d", f"{d}/site", "-a", "127.0.0.1", str(h2), f"{d}/local.key", f"{d}/local.pem"])
    tls, plain = "scheme: https", "fallback_scrape_protocol: PrometheusText0.0.4"

    def with_tls(more):
        return f"tls_config: {{{more}}}"

    own = with_tls("ca_file: ca.pem")
    varve = serve(
        target("ca", f"127.0.0.1:{local.port}", tls, own)
        + target("name", f"127.0.0.1:{named.port}", tls, with_tls("ca_file: ca.pem, server_name: target.internal"))
        + target("client", f"127.0.0.1:{mutual.port}", tls,
                 with_tls("ca_file: ca.pem, cert_file: client.pem, key_file: client.key"))
        + target("any", f"127.0.0.1:{named.port}", tls, with_tls("insecure_skip_verify: true"))
        + target("h2", f"127.0.0.1:{h2}", tls, own, plain)
        + target("h1-only", f"127.0.0.1:{h2}", tls, own, plain, "enable_http2: false")
        + target("wrong-ca", f"127.0.0.1:{local.port}", tls, with_tls("ca_file: other.pem"))
        + target("system-ca", f"127.0.0.1:{local.port}", tls)
        + target("wrong-name", f"127.0.0.1:{named.port}", tls, own)
        + target("no-client", f"127.0.0.1:{mutual.port}", tls, own)
        + target("wrong-client", f"127.0.0.1:{mutual.port}", tls,
                 with_tls("ca_file: ca.pem, cert_file: stranger.pem, key_file: stranger.key"))
        + target("no-file", f"127.0.0.1:{local.port}", tls, with_tls("ca_file: nothing.pem")))
    expect(varve, ["ca", "name", "client", "any", "h2"],
           {"wrong-ca": "certificate", "system-ca": "certificate", "wrong-name": "target host name",
            "no-client": "", "wrong-client": "", "h1-only": "", "no-file": "unable to read CA cert"})
    for name in ("no-client", "wrong-client", "h1-only"):
        check(targets(varve.port)[name]["lastError"] != "", name)
    equal(list(series(varve.port, 'a{job="h2"}').values()), [["1"]], "the page over HTTP/2")
    varve.stop()


def main_credentials():
    step("passwords, tokens, headers: as they are now in their files; OAuth2 tokens are renewed before they end")
    pages, tokens = Pages(), Tokens()

    def wants(name, value):
        return lambda r: (200, "text/plain", PAGE) if r.headers.get(name) == value else (401, "text/plain", b"no\n")

    pages.pages["/basic"] = wants("Authorization", "Basic " + base64.b64encode(b"u:p:w").decode())
    pages.pages["/bearer"] = wants("Authorization", "Bearer first")
    pages.pages["/custom"] = wants("Authorization", "Token x y")
    pages.pages["/header"] = lambda r: (200, "text/plain", PAGE) if (
        r.headers.get_all("X-Tenant"), r.headers.get("X-Secret"), r.headers.get("X-File")) == (
            ["a", "b"], "s", "from file") else (403, "text/plain", b"no\n")
    write("password", "p:w\n")
    write("bearer", "first\n")
    write("header", "from file\n")

    def at(path):
        return f"metrics_path: {path}"

    address = f"127.0.0.1:{pages.port}"
    oauth = "oauth2: {{client_id: {0}, client_secret: hush, token_url: 'http://127.0.0.1:{1}/token', scopes: [s1, s2], " \
            "endpoint_params: {{audience: x}}}}"
    varve = serve(
        target("basic", address, at("/basic"), "basic_auth: {username: u, password_file: password}")
        + target("bearer", address, at("/bearer"), "authorization: {credentials_file: bearer}")
        + target("custom", address, at("/custom"), "authorization: {type: Token, credentials: x y}")
        + target("header", address, at("/header"),
                 "http_headers: {X-Tenant: {values: [a, b]}, X-Secret: {secrets: [s]}, X-File: {files: [header]}}")
        + target("no-password", address, at("/basic"), "basic_auth: {username: u, password: wrong}")
        + target("oauth", f"127.0.0.1:{tokens.port}", oauth.format("me", tokens.port))
        + target("oauth-refused", f"127.0.0.1:{tokens.port}", oauth.format("him", tokens.port)))
    unauthorized = "server returned HTTP status 401 Unauthorized"
    expect(varve, ["basic", "bearer", "custom", "header", "oauth"],
           {"no-password": unauthorized, "oauth-refused": "oauth2: cannot fetch token: 401 Unauthorized"})
    pages.pages["/bearer"] = wants("Authorization", "Bearer second")
    expect(varve, [], {"bearer": unauthorized})
    write("bearer", "second")
    expect(varve, ["bearer"], {})
    until("a second and a third token", lambda: len(tokens.given) >= 3, 30)
    form = [form for auth, form in tokens.forms if auth.endswith(base64.b64encode(b"me:hush").decode())][0]
    equal(sorted(urllib.parse.parse_qsl(form)), [("audience", "x"), ("grant_type", "client_credentials"),
                                                 ("scope", "s1 s2")], "the token's form")
    tokens.given.append("revoked")
    expect(varve, ["oauth"], {})  # with the next token, at the latest
    shown = get(varve.port, "/api/v1/status/config")["data"]["yaml"]
    check("hush" not in shown and "x y" not in shown, "secrets are not shown")
    varve.stop()


def main_token_answers():
    step("tokens that last: seconds as text, forms, no end; 401 does not end a token, as upstream")
    servers = {
        "text": Tokens(lambda t: ("application/json", json.dumps({"access_token": t, "expires_in": "11"}))),
        "form": Tokens(lambda t: ("application/x-www-form-urlencoded", f"access_token={t}%2D&token_type=bearer&expires_in=11")),
        "plain": Tokens(lambda t: ("text/plain; charset=utf-8", f"scope=a+b&access_token={t}&expires_in=3600")),
        "endless": Tokens(lambda t: ("application/json", json.dumps({"access_token": t}))),
        "none": Tokens(lambda t: ("application/json", json.dumps({"token": t})))}
    servers["form"].suffix = "-"
    varve = serve("".join(target(n, f"127.0.0.1:{t.port}", f"oauth2: {{client_id: me, client_secret: hush, token_url: "
                           f"'http://127.0.0.1:{t.port}/token'}}") for n, t in servers.items()))
    expect(varve, ["text", "form", "plain", "endless"], {"none": "oauth2: server response missing access_token"})
    for n in ("text", "form"):
        until(f"{n}: a second and a third token", lambda: len(servers[n].given) >= 3, 30)
    for n in ("plain", "endless"):
        equal(len(servers[n].given), 1, f"{n}: one token")
        servers[n].given.append("another")
    unauthorized = "server returned HTTP status 401 Unauthorized"
    expect(varve, ["text", "form"], {"plain": unauthorized, "endless": unauthorized})
    expect(varve, ["text", "form"], {"plain": unauthorized, "endless": unauthorized})
    for n in ("plain", "endless"):
        equal(len(servers[n].forms), 1, f"{n}: the token was not asked for again")
    varve.stop()


def main_proxies():
    step("proxies: plain requests are passed on, https goes through a tunnel")
    proxy, pages, safe = Proxy(), Pages(), secure(Pages(), "named")
    pages.text("/metrics", PAGE)
    via = f"proxy_url: http://127.0.0.1:{proxy.port}"
    varve = serve(
        target("plain", f"target.test:{pages.port}", via)
        + target("tunnel", f"target.test:{safe.port}", "scheme: https", via,
                 "tls_config: {ca_file: ca.pem, server_name: target.internal}",
                 "proxy_connect_header: {X-Pass: [let me through]}")
        + target("except", f"127.0.0.1:{pages.port}", via, "no_proxy: 127.0.0.1")
        + target("direct", f"target.test:{pages.port}"))
    expect(varve, ["plain", "tunnel", "except"], {"direct": "no such host"})
    gets = [s for s in proxy.seen if s[0] == "GET"]
    connects = [s for s in proxy.seen if s[0] == "CONNECT"]
    equal({s[1] for s in gets}, {f"http://target.test:{pages.port}/metrics"}, "what the proxy was asked for")
    check("X-Pass" not in gets[0][2] and connects[0][2].get("X-Pass") == "let me through", f"headers {connects[0]}")
    varve.stop()


# ---- Native histograms as protobuf ----


def varint(n):
    out = b""
    while n > 0x7F:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def field(number, value):
    if isinstance(value, float):
        return varint(number << 3 | 1) + struct.pack("<d", value)
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def zigzag(n):
    return n << 1 if n >= 0 else (-n << 1) - 1


def family(name, schema, buckets):
    """A histogram of `buckets` buckets next to each other, each of one observation."""
    deltas = b"".join(varint(zigzag(1 if i == 0 else 0)) for i in range(buckets))
    h = (field(1, buckets) + field(2, 1.0) + field(5, zigzag(schema)) + field(6, 0.001) + field(7, 0)
         + field(12, field(1, zigzag(0)) + field(2, buckets)) + field(13, deltas))
    message = field(1, name) + field(3, 4) + field(4, field(7, h))
    return varint(len(message)) + message


def main_histograms():
    step("native histograms: buckets are merged down to limit and factor, or the scrape fails")
    pages = Pages()
    kind = ("application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited")
    pages.text("/metrics", family("h", 3, 40), kind)
    pages.text("/wide", family("h", -4, 40), kind)
    native = "scrape_native_histograms: true"
    address = f"127.0.0.1:{pages.port}"
    varve = serve(target("all", address, native) + target("ten", address, native, "native_histogram_bucket_limit: 10")
                  + target("factor", address, native, "native_histogram_min_bucket_factor: 1.4")
                  + target("never", address, native, "native_histogram_bucket_limit: 5", "metrics_path: /wide"))
    expect(varve, ["all", "ten", "factor"], {"never": "histogram bucket limit exceeded"})

    def buckets(name):
        found = get(varve.port, urllib.parse.quote(f'/api/v1/query?query=h{{job="{name}"}}', safe="/?="))
        return [[float(x) for x in b[1:]] for b in found["data"]["result"][0]["histogram"][1]["buckets"]]

    until("stored", lambda: get(varve.port, "/api/v1/query?query=count(h)")["data"]["result"][0]["value"][1] == "3")
    for name, growth in (("all", 2 ** (1 / 8)), ("ten", None), ("factor", 2 ** (1 / 2))):
        found = buckets(name)
        equal(sum(b[2] for b in found), 40.0, f"{name}: observations")
        if growth:
            check(all(math.isclose(b[1] / b[0], growth, rel_tol=1e-9) for b in found), f"{name}: {found[:3]}")
    equal(len(buckets("all")), 40, "as they came")
    check(5 <= len(buckets("ten")) <= 10, f"merged: {len(buckets('ten'))}")
    varve.stop()


main_tls()
main_credentials()
main_token_answers()
main_proxies()
main_histograms()
