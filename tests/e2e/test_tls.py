"""TLS: versions, suites, client certificates, names, and certificates that change under a running server."""
import http.client
import os
import re
import socket
import ssl
import subprocess
import time
import warnings

from lib import VARVE, Server, check, equal, folder, free_port, start, step, until

warnings.simplefilter("ignore", DeprecationWarning)
DIR = folder()
WEB = f"{DIR}/web.yml"


def put(path, text):
    with open(path + ".next", "w") as f:
        f.write(text)
    os.rename(path + ".next", path)


def openssl(*argv):
    r = subprocess.run(["openssl", *argv], capture_output=True, text=True)
    check(r.returncode == 0, f"openssl {argv}: {r.stderr}")


def authority(name):
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-keyout", f"{DIR}/{name}.key", "-out", f"{DIR}/{name}.crt", "-subj", f"/CN={name}")


def certificate(name, ca, san, usage="serverAuth", days=2):
    """DIR/name.crt and .key; with negative days it has expired."""
    key, csr, crt, ext = (f"{DIR}/{name}.{e}" for e in ("key", "csr", "crt", "ext"))
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", csr,
            "-subj", f"/CN={name}")
    put(ext, f"subjectAltName={san}\nextendedKeyUsage={usage}\n")
    openssl("x509", "-req", "-in", csr, "-out", crt, "-days", str(days), "-extfile", ext, "-CA", f"{DIR}/{ca}.crt",
            "-CAkey", f"{DIR}/{ca}.key", "-CAcreateserial")


class Secure(Server):
    def __init__(self, *flags):
        super().__init__(flags=[f"--web.config.file={WEB}", *flags], wait=False)

        def up():
            check(self.process.poll() is None, f"server ended:\n{self.log()}")
            with socket.socket() as c:
                return c.connect_ex(("127.0.0.1", self.port)) == 0
        until("server listens", up)

    def get(self, path="/-/healthy", client=None, minimum=None, maximum=None, ciphers=None, port=None, ca="ca"):
        """(status, serial number of the certificate, version, suite); raises when refused."""
        context = ssl.create_default_context(cafile=f"{DIR}/{ca}.crt")
        if minimum:
            context.minimum_version = minimum
        context.maximum_version = maximum or context.maximum_version
        if ciphers:
            context.set_ciphers(ciphers)
        if client:
            context.load_cert_chain(f"{DIR}/{client}.crt", f"{DIR}/{client}.key")
        with socket.create_connection(("127.0.0.1", port or self.port), timeout=10) as raw, \
                context.wrap_socket(raw, server_hostname="localhost") as c:
            c.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            line = c.makefile("rb").readline()
            if not line:
                raise ConnectionResetError("closed")
            return int(line.split()[1]), c.getpeercert()["serialNumber"], c.version(), c.cipher()[0]

    def refuses(self, text, **kwargs):
        try:
            got = self.get(**kwargs)
        except (ssl.SSLError, ConnectionError, OSError):
            return
        check(False, f"not refused: {text}: {got}")


for name in ("ca", "other"):
    authority(name)
certificate("server", "ca", "DNS:localhost,IP:127.0.0.1")
certificate("renewed", "ca", "DNS:localhost,IP:127.0.0.1")
for name, ca, san, usage, days in (("client", "ca", "DNS:agent.example", "clientAuth", 2),
                                   ("stranger", "ca", "DNS:stranger.example", "clientAuth", 2),
                                   ("address", "ca", "IP:192.0.2.7", "clientAuth", 2),
                                   ("foreign", "other", "DNS:agent.example", "clientAuth", 2),
                                   ("expired", "ca", "DNS:agent.example", "clientAuth", -1),
                                   ("purpose", "ca", "DNS:agent.example", "serverAuth", 2)):
    certificate(name, ca, san, usage, days)
for e in ("crt", "key"):
    os.link(f"{DIR}/server.{e}", f"{DIR}/now.{e}")
PAIR = "tls_server_config:\n  cert_file: now.crt\n  key_file: now.key\n"

step("a start with files that do not fit ends with a line that says so")
for text, words in ((PAIR.replace("now.key", "renewed.key"), "does not match the certificate"),
                    (PAIR.replace("now.key", "ca.srl"), "private key"),
                    (PAIR + "  cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]\n", "TLS_RSA_WITH_RC4_128_SHA"),
                    (PAIR + "  client_auth_type: RequireAndVerifyClientCert\n", "needs a client_ca_file"),
                    (PAIR + "  client_ca_file: now.key\n  client_auth_type: RequireAndVerifyClientCert\n", "client CA"),
                    (PAIR + "  client_allowed_sans: [a]\n", "client_allowed_sans"),
                    (PAIR + "  min_version: TLS13\n  max_version: TLS12\n", "min_version is above max_version"),
                    (PAIR.replace("  key_file: now.key\n", ""), "key_file is missing")):
    put(WEB, text)
    p = start([VARVE, "serve", f"--storage.tsdb.path={folder()}", "--web.listen-address=127.0.0.1:0",
               f"--web.config.file={WEB}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    out = p.communicate(timeout=20)[0]
    check(p.returncode == 1 and words in out and "BEGIN" not in out, f"{text}: {p.returncode} {out}")
    r = subprocess.run([VARVE, "check", "web-config", WEB], capture_output=True, text=True)
    check(r.returncode == 1 and r.stderr.startswith(f"{WEB} FAILED: ") and words in r.stderr and r.stdout == "", f"{r}")
put(WEB, PAIR)
r = subprocess.run([VARVE, "check", "web-config", WEB, f"{DIR}/nowhere.yml", WEB], capture_output=True, text=True)
equal((r.returncode, r.stderr), (1, f"{WEB} SUCCESS\n{DIR}/nowhere.yml FAILED: {DIR}/nowhere.yml: no such file\n"
                                 f"{WEB} SUCCESS\n"), "each file has its line, as promtool writes them")

step("versions: 1.2 and 1.3, nothing older; plain HTTP gets nothing; the health address speaks TLS too")
put(WEB, PAIR)
health = free_port()
s = Secure(f"--web.health-address=127.0.0.1:{health}")
until("the store is open", lambda: s.get("/-/ready")[0] == 200)
equal(s.get()[0::2][:2], (200, "TLSv1.3"), "newest")
equal(s.get(maximum=ssl.TLSVersion.TLSv1_2)[2], "TLSv1.2", "1.2")
s.refuses("TLS 1.1", minimum=ssl.TLSVersion.TLSv1, maximum=ssl.TLSVersion.TLSv1_1, ciphers="ALL:@SECLEVEL=0")
s.refuses("another CA", ca="other")
equal(s.get(port=health)[0], 200, "health")
with socket.create_connection(("127.0.0.1", s.port), timeout=10) as c:
    c.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: a\r\n\r\n")
    check(b"HTTP/1" not in c.recv(100), "no HTTP without TLS")
r = subprocess.run(["curl", "-sS", "--cacert", f"{DIR}/ca.crt", "-d", "query=1%2B1",
                    f"https://localhost:{s.port}/api/v1/query"], capture_output=True, text=True)
check('"2"]' in r.stdout, f"curl: {r}")
r = subprocess.run(["curl", "-sSi", "--http2", "--cacert", f"{DIR}/ca.crt", f"https://localhost:{s.port}/-/ready"],
                   capture_output=True, text=True)
check(r.stdout.startswith("HTTP/1.1 200"), f"curl that would speak HTTP/2: {r}")

step("a renewed certificate, without a restart and with open connections; a broken one changes nothing")
first, second = s.get()[1], None
kept = http.client.HTTPSConnection("localhost", s.port, context=ssl.create_default_context(cafile=f"{DIR}/ca.crt"))
kept.request("GET", "/-/healthy")
equal(kept.getresponse().read(), b"Varve Server is Healthy.\n", "open connection")
put(f"{DIR}/now.key", "broken\n")
until("the failure is told", lambda: "renewed TLS files are wrong" in s.log())
equal(s.get()[1], first, "the old certificate stays")
kept.request("GET", "/metrics")
text = kept.getresponse().read().decode()
check("varve_web_config_last_reload_successful 0" in text, "metric")
put(f"{DIR}/now.crt", open(f"{DIR}/renewed.crt").read())
put(f"{DIR}/now.key", open(f"{DIR}/renewed.key").read())
until("the new certificate", lambda: s.get()[1] != first)
kept.request("GET", "/metrics")
check("varve_web_config_last_reload_successful 1" in kept.getresponse().read().decode(), "metric, on the old connection")

step("versions and suites change at a reload, TLS itself does not")
put(WEB, PAIR + "  max_version: TLS12\n  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]\n")
until("only 1.2", lambda: s.get()[2] == "TLSv1.2")
equal(s.get()[3], "ECDHE-ECDSA-AES256-GCM-SHA384", "suite")
s.refuses("another suite", maximum=ssl.TLSVersion.TLSv1_2, ciphers="ECDHE-ECDSA-CHACHA20-POLY1305")
put(WEB, PAIR + "  min_version: TLS13\n")
until("only 1.3", lambda: s.get()[2] == "TLSv1.3")
s.refuses("1.2", maximum=ssl.TLSVersion.TLSv1_2)
put(WEB, "basic_auth_users: {}\n")
until("told", lambda: "switched on and off at a start only" in s.log())
equal(s.get()[0], 200, "still TLS")

step("client certificates: asked for, verified, by name")
VERIFY = PAIR + "  client_ca_file: ca.crt\n  client_auth_type: RequireAndVerifyClientCert\n"
put(WEB, VERIFY)


def served(client):
    try:
        return s.get(client=client)[0] == 200
    except (ssl.SSLError, OSError):
        return False


until("certificates are asked for", lambda: not served("foreign"))
for client in ("client", "stranger", "address"):
    equal(s.get(client=client)[0], 200, client)
for client in ("foreign", "expired", "purpose"):
    s.refuses(client, client=client)
    s.refuses(client, client=client, maximum=ssl.TLSVersion.TLSv1_2)
s.refuses("no certificate")
put(WEB, VERIFY + "  client_allowed_sans: [agent.example, 192.0.2.7]\n")
until("names are compared", lambda: not served("stranger"))
check(served("client") and served("address") and not served("foreign"), "by name and address")
put(WEB, VERIFY.replace("RequireAndVerifyClientCert", "VerifyClientCertIfGiven"))
until("no certificate is fine", lambda: served(None))
check(served("client") and not served("foreign"), "one that is given must be good")
put(WEB, PAIR + "  client_auth_type: RequireAnyClientCert\n")
until("any will do", lambda: served("foreign"))
check(not served(None), "but there must be one")

step("a handshake that never ends is ended; others do not wait for it")
put(WEB, PAIR)
t = Secure("--web.header-timeout=1s")
idle = [socket.create_connection(("127.0.0.1", t.port)) for _ in range(20)]
begun = time.time()
equal(t.get()[0], 200, "meanwhile")
check(time.time() - begun < 1, "at once")
for c in idle:
    c.settimeout(5)
    check(c.recv(1) == b"", "closed")
check(0.5 < time.time() - begun < 4, f"after a second: {time.time() - begun}")
kept = http.client.HTTPSConnection("localhost", t.port, context=ssl.create_default_context(cafile=f"{DIR}/ca.crt"))


def refused(reason):
    kept.request("GET", "/metrics")
    text = kept.getresponse().read().decode()
    return int(re.search(r'varve_http_refused_total\{reason="%s"\} (\d+)' % reason, text).group(1))


equal(refused("slow_headers"), 20, "counted")
before = refused("tls")
t.refuses("another CA", ca="other")
until("a failed handshake is counted", lambda: refused("tls") == before + 1)
kept.close()
equal([x.stop() for x in (s, t)], [0, 0], "stop")
print("ok")
