"""Discovery through the whole server, as /api/v1/targets shows it: files, HTTP over TLS (own CA, client
certificates, server_name, credentials), DNS from a server of the test."""
import base64
import http.server
import json
import os
import re
import socket
import socketserver
import ssl
import struct
import subprocess
import threading

from lib import Server, check, equal, folder, private_mounts, step, until

d = folder()


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, capture_output=True, cwd=d, timeout=30)


def certificate(name, san, ca=None):
    """name.pem and name.key, signed by `ca` or by itself."""
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-keyout", name + ".key", "-out", name + ".pem", "-subj", "/CN=" + name, "-addext", "subjectAltName=" + san,
            *(["-CA", ca + ".pem", "-CAkey", ca + ".key"] if ca else []))


certificate("ca", "DNS:ca")
certificate("other", "DNS:other")
certificate("sd", "DNS:sd.internal", "ca")
certificate("local", "IP:127.0.0.1", "ca")
certificate("client", "DNS:client", "ca")

# ---- HTTP servers ----
GROUPS = [{"targets": ["10.9.9.9:1234"], "labels": {"__meta_x": "1", "env": "test"}}]
seen = []


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        seen.append((self.path, dict(self.headers)))
        user = base64.b64encode(b"user:p:w").decode()
        if self.path == "/basic" and self.headers.get("Authorization") != "Basic " + user:
            self.send_error(401)
            return
        body = json.dumps(GROUPS).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def https(name, client_ca=None):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{d}/{name}.pem", f"{d}/{name}.key")
    if client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(f"{d}/{client_ca}.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


local, internal, mutual = https("local"), https("sd"), https("local", "ca")

# ---- A DNS server ----


def name_bytes(name):
    return b"".join(bytes([len(p)]) + p.encode() for p in name.strip(".").split(".")) + b"\0"


RECORDS = {("a.example.org", 1): [socket.inet_aton("10.0.0.1"), socket.inet_aton("10.0.0.2")],
           ("a.example.org", 28): [socket.inet_pton(socket.AF_INET6, "fd00::1")],
           ("_m._tcp.example.org", 33): [struct.pack(">HHH", 1, 2, 9100) + name_bytes("h1.example.org")],
           ("example.org", 15): [struct.pack(">H", 10) + name_bytes("mail.example.org")]}


class Dns(socketserver.BaseRequestHandler):
    def handle(self):
        query, sock = self.request
        i, labels = 12, []
        while query[i]:
            labels.append(query[i + 1:i + 1 + query[i]].decode())
            i += query[i] + 1
        name, (kind,) = ".".join(labels).lower(), struct.unpack(">H", query[i + 1:i + 3])
        question = query[12:i + 5]
        answers = RECORDS.get((name, kind), [])
        code = 2 if name == "broken.example.org" else 0 if any(n == name for n, _ in RECORDS) else 3
        out = query[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, len(answers), 0, 0) + question
        for a in answers:
            out += b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 1, len(a)) + a
        sock.sendto(out, self.client_address)


dns = False
if private_mounts():
    try:
        server = socketserver.ThreadingUDPServer(("127.0.0.77", 53), Dns)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with open(d + "/resolv.conf", "w") as f:
            f.write("nameserver 127.0.0.77\noptions timeout:1 attempts:1\n")
        dns = subprocess.run(["mount", "--bind", d + "/resolv.conf", "/etc/resolv.conf"], check=False).returncode == 0
    except OSError as e:
        step(f"no DNS server: {e}")

# ---- The server ----
with open(d + "/password", "w") as f:
    f.write("p:w\n")
with open(d + "/files.yml", "w") as f:
    f.write("- targets: ['127.0.0.1:1']\n  labels: {from: file}\n")
JOBS = {
    "file": "file_sd_configs: [{files: ['files*.yml']}]",
    "tls": f"http_sd_configs: [{{url: 'https://127.0.0.1:{local}/plain', tls_config: {{ca_file: ca.pem}}}}]",
    "basic": f"http_sd_configs: [{{url: 'https://127.0.0.1:{local}/basic', tls_config: {{ca_file: ca.pem}}, "
             "basic_auth: {username: user, password_file: password}}]",
    "name": f"http_sd_configs: [{{url: 'https://127.0.0.1:{internal}/name', "
            "tls_config: {ca_file: ca.pem, server_name: sd.internal}}]",
    "mutual": f"http_sd_configs: [{{url: 'https://127.0.0.1:{mutual}/mutual', "
              "tls_config: {ca_file: ca.pem, cert_file: client.pem, key_file: client.key}}]",
    "insecure": f"http_sd_configs: [{{url: 'https://127.0.0.1:{internal}/i', tls_config: {{insecure_skip_verify: true}}}}]",
    "wrong-ca": f"http_sd_configs: [{{url: 'https://127.0.0.1:{local}/wrong-ca', tls_config: {{ca_file: other.pem}}}}]",
    "no-ca": f"http_sd_configs: [{{url: 'https://127.0.0.1:{local}/no-ca'}}]",
    "wrong-name": f"http_sd_configs: [{{url: 'https://127.0.0.1:{internal}/wrong-name', tls_config: {{ca_file: ca.pem}}}}]",
    "no-certificate": f"http_sd_configs: [{{url: 'https://127.0.0.1:{mutual}/no-cert', tls_config: {{ca_file: ca.pem}}}}]",
    "wrong-password": f"http_sd_configs: [{{url: 'https://127.0.0.1:{local}/basic', tls_config: {{ca_file: ca.pem}}}}]",
    "srv": "dns_sd_configs: [{names: [_m._tcp.example.org]}]",
    "a": "dns_sd_configs: [{names: [a.example.org], type: A, port: 80}]",
    "aaaa": "dns_sd_configs: [{names: [a.example.org], type: AAAA, port: 80}]",
    "mx": "dns_sd_configs: [{names: [example.org], type: MX, port: 25}]",
    "none": "dns_sd_configs: [{names: [nothing.example.org], type: A, port: 80}]",
    "broken": "dns_sd_configs: [{names: [broken.example.org, a.example.org], type: A, port: 80}]",
}
with open(d + "/prometheus.yml", "w") as f:
    f.write("scrape_configs:\n" + "".join(f"- job_name: {n}\n  scrape_interval: 10m\n  {sd}\n" for n, sd in JOBS.items()))
s = Server(flags=[f"--config.file={d}/prometheus.yml"])


def found(job):
    """The labels of the job's targets as they were discovered, by address."""
    active = s.api("targets")[1]["data"]["activeTargets"]
    return {t["discoveredLabels"]["__address__"]: {k: v for k, v in t["discoveredLabels"].items()
                                                   if k.startswith("__meta") or k in ("env", "from")}
            for t in active if t["scrapePool"] == job}


until("file targets", lambda: found("file"))
equal(found("file"), {"127.0.0.1:1": {"__meta_filepath": d + "/files.yml", "from": "file"}}, "file")
with open(d + "/files2.yml", "w") as f:
    f.write("- targets: ['127.0.0.1:2']\n")
until("a new file is noticed", lambda: len(found("file")) == 2)
os.unlink(d + "/files2.yml")
until("a file that went", lambda: len(found("file")) == 1)
with open(d + "/files3.yml", "w") as f:
    f.write("- target: [a]\n")
until("a bad file is named", lambda: "files3.yml:1:3: field target not found" in s.log())
equal(list(found("file")), ["127.0.0.1:1"], "the good file stays")
step("files")

WANT = {"tls": (local, "plain"), "basic": (local, "basic"), "name": (internal, "name"), "mutual": (mutual, "mutual"),
        "insecure": (internal, "i")}
for job, (port, path) in WANT.items():
    until(job, lambda: found(job))
    equal(found(job), {"10.9.9.9:1234": {"__meta_url": f"https://127.0.0.1:{port}/{path}", "__meta_x": "1",
                                         "env": "test"}}, job)
for job in ("wrong-ca", "no-ca", "wrong-name", "no-certificate", "wrong-password"):
    equal(found(job), {}, job)
equal({p for p, _ in seen}, {"/plain", "/basic", "/name", "/mutual", "/i"}, "requests that passed the handshake")
host = [h["Host"] for p, h in seen if p == "/name"][0]
equal(host, f"127.0.0.1:{internal}", "the Host header with server_name")
for why in ("certificate", "server returned HTTP status 401 Unauthorized"):
    check(why in s.log(), f"{why} in the log")
check("p:w" not in s.log(), "no password in the log")
step("HTTP over TLS")

if dns:
    until("SRV", lambda: found("srv"))
    equal(found("srv"), {"h1.example.org:9100": {"__meta_dns_name": "_m._tcp.example.org",
                                                 "__meta_dns_srv_record_target": "h1.example.org.",
                                                 "__meta_dns_srv_record_port": "9100"}}, "SRV")
    until("A", lambda: found("a"))
    equal(found("a"), {f"10.0.0.{i}:80": {"__meta_dns_name": "a.example.org"} for i in (1, 2)}, "A")
    until("AAAA", lambda: found("aaaa"))
    equal(list(found("aaaa")), ["[fd00::1]:80"], "AAAA")
    until("MX", lambda: found("mx"))
    equal(found("mx"), {"mail.example.org:25": {"__meta_dns_name": "example.org",
                                                "__meta_dns_mx_record_target": "mail.example.org."}}, "MX")
    equal(found("none"), {}, "a name that does not exist")
    until("the name that works", lambda: len(found("broken")) == 2)
    until("the reason", lambda: 'could not resolve \\"broken.example.org\\"' in s.log())
    step("DNS")

metrics = s.request("GET", "/metrics")[2].decode()
check('prometheus_sd_discovered_targets{config="tls",name="scrape"} 1' in metrics, "targets in /metrics")


def counted(line):
    found = re.search("^" + re.escape(line) + r" (\S+)$", metrics, re.M)
    check(found is not None, f"{line} in /metrics")
    return float(found.group(1))


check(counted('prometheus_sd_refresh_duration_seconds_count{mechanism="http",config="tls"}') >= 1, "refreshes by job")
check(counted('prometheus_sd_refresh_duration_histogram_seconds_bucket{mechanism="http",le="+Inf"}') >= 1, "their times")
equal(counted('prometheus_sd_refresh_failures_total{mechanism="http",config="tls"}'), 0, "no failure of this job")
check(counted("prometheus_sd_http_failures_total") >= 1, "failures of URLs")
check(counted("prometheus_sd_file_read_errors_total") >= 1, "files that were bad")
check(counted("prometheus_sd_file_scan_duration_seconds_count") >= 1, "readings of files")
for name in ("prometheus_sd_file_watcher_errors_total", "prometheus_sd_consul_rpc_failures_total",
             'prometheus_sd_consul_rpc_duration_seconds_count{endpoint="catalog",call="services"}',
             'prometheus_sd_kubernetes_events_total{role="endpointslice",event="delete"}', "prometheus_sd_kubernetes_failures_total",
             'prometheus_sd_updates_delayed_total{name="scrape"}'):
    check(counted(name) >= 0, name)
mtimes = dict(re.findall(r'^prometheus_sd_file_mtime_seconds\{filename="(.*)"\} (\S+)$', metrics, re.M))
check(all(abs(os.stat(f).st_mtime - float(v)) < 0.01 for f, v in mtimes.items() if os.path.exists(f)) and mtimes, f"{mtimes}")
if dns:
    check(counted("prometheus_sd_dns_lookups_total") > counted("prometheus_sd_dns_lookup_failures_total") > 0, "lookups")
s.send_signal(15)
equal(s.process.wait(20), 0, "an orderly end")
step("end")
