"""The /health endpoints: what each says, to whom, while the server starts, stops, is loaded, or lacks a disk."""
import concurrent.futures
import hashlib
import http.client
import json
import os
import re
import signal
import statistics
import subprocess
import time

from lib import Server, check, equal, folder, free_port, private_mounts, step, time_series, post_write, until

FAST = ["--health.interval=500ms"]
LIMITS = ["--health.disk-warning=100", "--health.disk-critical=100"]  # whatever this machine's disk is like
CHECKS = ["tsdb", "wal", "head", "memory", "disk", "scrape", "cache", "rules", "alert_queue", "alertmanagers"]


def get(s, path, headers=None, method="GET"):
    """(status, JSON)"""
    status, h, body = s.request(method, path, headers=headers)
    equal(h.get("cache-control"), "no-store", f"{path}: Cache-Control")
    equal(h.get("content-type"), "application/json", f"{path}: Content-Type")
    check(len(body) < 65536, f"{path}: {len(body)} bytes")
    return status, json.loads(body) if body else None


def named(answer, name):
    return next(c for c in answer["checks"] if c["name"] == name)


def status_of(s, name):
    return named(get(s, "/health")[1], name)["status"]


def settled(s, status, what):
    """The answer of /health when it is as wanted: a machine that stalls makes checks late, for a moment."""
    def look():
        code, answer = get(s, "/health")
        return answer if (code, answer["status"]) == (503 if status == "unhealthy" else 200, status) else None
    return until(what, look)


step("a server that is well")
s = Server(flags=FAST + LIMITS)
answer = settled(s, "healthy", "all checks have run")
equal((answer["score"], answer["cached"]), (100, True), "/health")
equal([c["name"] for c in answer["checks"]], CHECKS, "checks")
check(answer["cache_age_seconds"] < 5 and answer["uptime_seconds"] > 0, f"ages: {answer}")
disk = named(answer, "disk")
stat = os.statvfs(s.data)
check(abs(disk["details"]["used_ratio"] - (1 - stat.f_bavail / stat.f_blocks)) < 0.05, f"disk: {disk}")
memory = named(answer, "memory")["details"]
check(1e6 < memory["rss_bytes"] < memory["limit_bytes"], f"memory: {memory}")
check(named(answer, "tsdb")["details"]["last_write_age_seconds"] < 5, "the data directory was written")
equal(get(s, "/health/live")[0:1], (200,), "live")
equal(get(s, "/health/live")[1]["status"], "alive", "live")
status, ready = get(s, "/health/ready")
equal((status, ready["status"], ready["reasons"]), (200, "ready", []), "ready")
status, startup = get(s, "/health/startup")
equal((status, startup["status"], startup["phase"], startup["progress"]), (200, "started", "done", 1), "startup")
equal(get(s, "/health/status")[0], 200, "status")

budget, memory = ({c["name"]: c["details"] for c in json.loads(s.request("GET", "/health?fresh=1")[2])["checks"]}[n] for n in ("head", "memory"))
equal(budget["head_bytes_max"], memory["limit_bytes"] // 5 * 3, "the head has three fifths of the memory")

step("parts of the answer")
equal([c["name"] for c in get(s, "/health?check=disk")[1]["checks"]], ["disk"], "one check")
equal(get(s, "/health?check=no")[0], 404, "no such check")
check("details" not in get(s, "/health?verbose=0")[1]["checks"][0], "verbose=0")
for path in ("/health", "/health/live", "/health/ready", "/health/startup", "/health/status", "/health/metrics"):
    equal(s.request("HEAD", path)[0::2], (200, b""), f"HEAD {path}")
    equal(s.request("POST", path)[0], 405, f"POST {path}")

step("metrics in both formats")
status, headers, body = s.request("GET", "/health/metrics")
check(headers["content-type"].startswith("text/plain; version=0.0.4"), "text format")
text = body.decode()
for line in ("health_score 100", 'health_status{status="healthy"} 1',
             'health_check_status{check="disk",type="disk",critical="true"} 1'):
    check(line in text.splitlines(), f"no {line}")
runs = lambda: float(re.search(r'health_check_runs_total\{check="tsdb",result="healthy"\} (\S+)',
                               s.request("GET", "/health/metrics")[2].decode()).group(1))
before = runs()
until("checks go on", lambda: runs() >= before + 3)
_, headers, body = s.request("GET", "/health/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0"})
check(headers["content-type"].startswith("application/openmetrics-text"), "OpenMetrics")
check(body.endswith(b"# EOF\n") and b"# TYPE health_check_runs counter" in body, "OpenMetrics' end")
check(b"health_score 100" in s.request("GET", "/metrics")[2], "/metrics tells of it, too")

step("going on serving for a while after SIGTERM")
s.stop()
health = free_port()
s = Server(flags=LIMITS + [f"--web.health-address=127.0.0.1:{health}", "--web.drain-delay=1s"])
kept = http.client.HTTPConnection("127.0.0.1", s.port)
side = http.client.HTTPConnection("127.0.0.1", health)


def ask(connection, path):
    connection.request("GET", path)
    r = connection.getresponse()
    return r.status, json.loads(r.read())


equal(ask(kept, "/health/ready")[0], 200, "ready before")
equal(ask(side, "/health/ready")[0], 200, "ready before, on the listener of its own")
equal(get(s, "/health?fresh=1")[1]["cached"], False, "a fresh round")
equal(get(s, "/health?fresh=1")[1]["cached"], True, "not again in the same ten seconds")
begun = time.time()
s.send_signal(signal.SIGTERM)
until("not ready", lambda: ask(kept, "/health/ready")[0] == 503, seconds=0.9)
for connection in (kept, side):
    status, answer = ask(connection, "/health/ready")
    equal((status, answer["reasons"]), (503, ["draining"]), "ready while it drains")
    equal(ask(connection, "/health/live")[0], 200, "live while it drains")
equal(s.request("GET", "/health/ready")[0], 503, "a new connection is served and told")
equal(s.request("GET", "/-/ready")[0], 503, "/-/ready says the same")
equal(s.api("query", query="vector(1)")[0], 200, "queries are answered meanwhile")
equal(s.process.wait(timeout=20), 0, "exit status")
check(0.9 < time.time() - begun < 10, f"the delay was obeyed: {time.time() - begun:.1f} s")

step("who may ask")
tokens = os.path.join(folder(), "tokens.yml")
with open(tokens, "w") as f:
    f.write("tokens:\n" + "".join(f"- {{name: {n}, sha256: {hashlib.sha256(n.encode()).hexdigest()}, scopes: [{n}]}}\n"
                                  for n in ("metrics", "read")))
METRICS, READ = {"Authorization": "Bearer metrics"}, {"Authorization": "Bearer read"}
for open_health in (False, True):
    s = Server(flags=LIMITS + [f"--web.token-file={tokens}"] + (["--web.open-health"] if open_health else []), wait=False)
    probe = lambda: s.request("GET", "/health/ready")[0] == 200

    def is_up():
        try:
            return probe()
        except OSError:
            return False
    until("ready, without a token", is_up)
    for path in ("/health/live", "/health/ready", "/health/startup"):
        equal(s.request("GET", path)[0], 200, f"{path} without a token")
    until("/health with some token", lambda: s.request("GET", "/health", headers=READ)[0] == 200)
    equal(s.request("GET", "/health")[0], 200 if open_health else 401, "/health without a token")
    for path in ("/health/status", "/health/metrics"):
        equal([s.request("GET", path, headers=h)[0] for h in ({}, READ, METRICS)], [401, 403, 200], path)
    s.stop()

step("bounds, and targets that are down")
config = os.path.join(folder(), "prometheus.yml")
with open(config, "w") as f:
    f.write("scrape_configs:\n- job_name: gone\n  scrape_interval: 200ms\n  scrape_timeout: 200ms\n"
            f"  static_configs: [{{targets: ['127.0.0.1:{free_port()}', '127.0.0.1:{free_port()}']}}]\n")
s = Server(flags=FAST + LIMITS + [f"--config.file={config}", "--health.memory-warning=0", "--health.memory-critical=100",
                                  "--health.readiness-checks=cache,scrape"])
until("all targets are down", lambda: status_of(s, "scrape") == "unhealthy")
answer = settled(s, "degraded", "a check that is not critical does not make it unhealthy")
equal(named(answer, "scrape")["message"], "all 2 targets are down", "message")
equal(named(answer, "memory")["status"], "degraded", "memory above its warning")
equal(answer["score"], round(100 * (4 * 3 + 1.5 + 0 + 1 + 1 + 1 + 1) / 20), "score")
equal(get(s, "/health/ready")[1]["reasons"], ["scrape"], "a check that was asked to count for readiness")
s.stop()
s = Server(flags=FAST + LIMITS + ["--health.memory-warning=0", "--health.memory-critical=0"])
until("memory above its critical bound", lambda: get(s, "/health")[0] == 503)
equal(get(s, "/health/status")[0], 200, "the detailed view is always 200")
equal(get(s, "/health/ready")[0], 200, "it goes on serving")
s.stop()
for flags, text in ((["--health.disk-warning=95"], "--health.disk-warning"), (["--health.interval=1ms"], "--health.interval"),
                    (["--health.failure-threshold=0"], "--health.failure-threshold")):
    s = Server(flags=flags, wait=False)
    equal(s.process.wait(timeout=20), 1, f"{flags}: exit status")
    check(text in s.log(), f"{flags}: {s.log()}")

step("rules that fail")
d = folder()
with open(os.path.join(d, "rules.yml"), "w") as f:
    f.write("groups:\n- name: broken one\n  interval: 1s\n  rules:\n  - {record: fine, expr: vector(1)}\n  - record: bad\n    expr: |\n"
            "      vector(1) * on () group_left () (label_replace(vector(1), 'a', '1', '', '') or label_replace(vector(1), 'a', '2', '', ''))\n")
with open(os.path.join(d, "prometheus.yml"), "w") as f:
    f.write("rule_files: [rules.yml]\n")
s = Server(flags=FAST + LIMITS + [f"--config.file={d}/prometheus.yml"])
until("a rule fails", lambda: status_of(s, "rules") == "degraded")
rules = named(get(s, "/health")[1], "rules")
equal(rules["message"], "1 of 2 rules fail; group broken one", "message")
equal((rules["details"]["groups"], rules["details"]["rules"], rules["details"]["late_groups"]), (1, 2, 0), "details")
s.stop()

step("while the log is replayed")
s = Server(flags=LIMITS)
now = int(time.time() * 1000)
for k in range(4):
    equal(post_write(s, b"".join(time_series({"__name__": "replayed", "i": f"{k}-{i}", "pad": "x" * 40}, [(now, i)])
                                 for i in range(10000)))[0], 204, "write")
s.kill()
seen = []
for attempt in range(5):
    s = Server(data=s.data, flags=LIMITS, port=s.port, wait=False)
    while not seen or seen[-1][0] != 200:
        try:
            seen.append(get(s, "/health/startup"))
            if seen[-1][0] == 503:
                early = s.request("GET", "/health/ready"), s.request("GET", "/health"), s.request("GET", "/health/live")
        except OSError:
            check(s.process.poll() is None, s.log())
    if any(x[0] == 503 for x in seen):
        break
    s.kill()
    seen = []
check(any(x[0] == 503 for x in seen), "a start was never seen")
for _, x in (x for x in seen if x[0] == 503):
    equal(x["status"], "starting", "status")
    check(x["phase"] in ("config", "wal_replay", "index", "alert_state") and 0 <= x["progress"] < 1, f"{x}")
equal(early[2][0], 200, "it lives while it starts")
until("started", lambda: get(s, "/health")[0] == 200)

step("answers under load")
heavy = "/api/v1/query?query=sum_over_time((mad_over_time(vector(time()%2577)[11h:1s]))[2h:1s])"
s.stop()
s = Server(flags=LIMITS + [f"--web.health-address=127.0.0.1:{health}", "--query.timeout=5s", "--query.max-concurrency=8"])
with concurrent.futures.ThreadPoolExecutor(40) as pool:
    load = [pool.submit(s.request, "GET", heavy) for _ in range(40)]
    until("queries run", lambda: b'varve_http_running{class="heavy"} 0' not in s.request("GET", "/metrics")[2])
    for port in (s.port, health):
        c = http.client.HTTPConnection("127.0.0.1", port)
        took = []
        for i in range(100):
            begun = time.perf_counter()
            path = ("/health/live", "/health/ready", "/health", "/health/startup")[i % 4]
            equal(ask(c, path)[0], 200, path)
            took.append(time.perf_counter() - begun)
        print(f"  port {port}: median {statistics.median(took) * 1000:.2f} ms, longest {max(took) * 1000:.1f} ms")
        check(statistics.median(took) < 0.02, f"health is slow under load: {sorted(took)}")
    s.kill()
    concurrent.futures.wait(load)

step("a disk that is full")
if not private_mounts():
    print("  (left out: no right to mount)")
    raise SystemExit(0)
d = folder()
if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", d], check=False).returncode != 0:
    print("  (left out: no right to mount)")
    raise SystemExit(0)
s = Server(data=os.path.join(d, "data"), flags=FAST, log_path=os.path.join(folder(), "log"))
until("well at first", lambda: get(s, "/health")[1]["status"] == "healthy")
with open(os.path.join(d, "filler"), "wb") as f:
    try:
        while True:
            f.write(b"x" * 65536)
            f.flush()
    except OSError:
        pass
until("the disk is unhealthy", lambda: status_of(s, "disk") == "unhealthy")
until("the store says that it cannot write", lambda: status_of(s, "tsdb") == "unhealthy")
status, answer = get(s, "/health")
equal((status, answer["status"]), (503, "unhealthy"), "/health")
check(" of the disk used (critical at 90%)" in named(answer, "disk")["message"], f"{named(answer, 'disk')}")


def refused():
    k = int(time.time() * 1e6)
    return post_write(s, b"".join(time_series({"__name__": "full", "i": f"{k}-{i}", "pad": os.urandom(1000).hex()}, [(k // 1000, 1)])
                                  for i in range(300)))[0] == 503


until("writes are refused, and it is not ready", lambda: refused() and get(s, "/health/ready")[0] == 503)
status, ready = get(s, "/health/ready")
equal((status, ready["reasons"]), (503, ["read_only"]), "ready")
equal(get(s, "/health/live")[0], 200, "a full disk is no reason to kill it")
os.unlink(os.path.join(d, "filler"))
until("ready again", lambda: get(s, "/health/ready")[0] == 200)
until("well again", lambda: get(s, "/health")[1]["status"] == "healthy")
s.stop()
