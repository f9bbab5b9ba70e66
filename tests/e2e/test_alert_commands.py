"""varve alert query and silence against a server and against Debian's Alertmanager, beside what amtool prints."""
import hashlib
import re

from alert_lib import *
from peers import Peer

for program in ("prometheus-alertmanager", "amtool"):
    if not shutil.which(program):
        skip(f"this needs {program}")

d = folder()
config = os.path.join(d, "am.yml")
with open(config, "w") as f:
    f.write("route: {receiver: all, group_wait: 1s, routes: [{receiver: team, matchers: [team=foo]}]}\nreceivers: [{name: all}, {name: team}]\n"
            "inhibit_rules: [{source_matchers: [sev=crit], target_matchers: [sev=warn]}]\n")
am = Peer("alertmanager", "prometheus-alertmanager", f"--config.file={config}", "--storage.path={folder}/data",
          "--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=", ready="/-/ready")
tokens = os.path.join(d, "tokens.yml")
with open(tokens, "w") as f:  # sha256 of "all"
    f.write("tokens:\n- {name: t, sha256: 5ef5ef0364b6939c4ca61f34b393f7b368d1be8619647aaf83d5b395919ab629, scopes: [read, write, admin, metrics]}\n")
    for scope in ("read", "write", "metrics"):  # the token is the scope's name
        f.write(f"- {{name: {scope}, sha256: {hashlib.sha256(scope.encode()).hexdigest()}, scopes: [{scope}]}}\n")
http_config = os.path.join(d, "http.yml")
with open(http_config, "w") as f:
    f.write("authorization: {credentials_file: token}\n")
with open(os.path.join(d, "token"), "w") as f:
    f.write("all\n")


def health(server):
    try:
        return server.request("GET", "/-/ready")[0] == 200
    except OSError:
        return False


s = Server(flags=[f"--alertmanager.config-file={config}", f"--web.token-file={tokens}", "--web.open-health"], wait=False)
until("the server is ready", lambda: s.process.poll() is None and health(s))
ENV = {**os.environ, "HOME": d, "TZ": "UTC", "USER": "someone"}
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
NEAR = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+Z)?")


def run(*argv, status=0):
    p = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, env=ENV)
    equal(p.returncode, status, f"{argv}: {p.stdout}{p.stderr}")
    return p.stdout if status == 0 else p.stderr


SERVERS = {"varve": [f"--url=http://127.0.0.1:{s.port}", f"--http.config.file={http_config}"], "peer": [f"--url=http://127.0.0.1:{am.port}/"]}


def varve(server, *argv, status=0):
    return run(VARVE, "alert", *argv, *SERVERS[server], status=status)


def amtool(*argv, status=0):
    return run("amtool", *argv, f"--alertmanager.url=http://127.0.0.1:{am.port}", status=status)


def plain(text):
    return NEAR.sub("T", ID.sub("I", text))


step("alerts")
for labels in (["alertname=Tool", "node=n1", "--annotation=summary=é <s>", "--start=2026-01-01T00:00:00Z", "--generator-url=http://g/"],
               ["Named", "node=n2", "team=foo", "--start=2026-01-02T00:00:00Z", "--end=2036-01-01T00:00:00Z"],
               ["alertname=C", "sev=crit", "--start=2026-01-03T00:00:00Z"], ["alertname=W", "sev=warn", "--start=2026-01-04T00:00:00Z"],
               ["alertname=S", "silent=yes", "--start=2026-01-05T00:00:00Z"]):
    amtool("alert", "add", *labels)
alerts = json.loads(run("amtool", "alert", "query", "-o", "json", "-a", "-i", "-s", "-u", f"--alertmanager.url=http://127.0.0.1:{am.port}"))
body = json.dumps([{k: a[k] for k in ("labels", "annotations", "startsAt", "endsAt", "generatorURL") if k in a} for a in alerts])
equal(s.request("POST", "/api/v2/alerts", body, {"Content-Type": "application/json", "Authorization": "Bearer all"})[0], 200, "the same alerts")
for server in SERVERS:
    varve(server, "silence", "add", "--comment=c", "silent=yes")
until("the Alertmanager has seen the silence", lambda: "S " in amtool("alert", "query", "--silenced"))
for query in ([], ["--output=extended"], ["Tool"], ["alertname=~N.*"], ["--inhibited"], ["--silenced"], ["--active", "--silenced", "--inhibited"],
              ["--receiver=te.*"], ["nosuch=1"], ["team=foo", "node=n2"], ["--output=extended", "node=~.+", "team!=foo"]):
    want = amtool("alert", "query", *query)
    for server in SERVERS:
        equal(varve(server, "query", *query), want, f"{server} {query}")
equal(varve("varve", "list"), varve("varve", "query"), "another word for it")
for server in SERVERS:
    equal([a["labels"]["alertname"] for a in json.loads(varve(server, "query", "--output=json", "Tool"))], ["Tool"], "JSON")

step("silences")
MORE = [["--author=an n", "--comment=c\"é", "--duration=2h", "alertname=Tool", "node=~n.+", "q!=x y", "r!~a|b"],
        ["--comment=later", "--start=2036-01-01T00:00:00Z", "--end=2036-02-01T00:00:00+01:00", "a=b"], ["--comment=short", "--duration=10m", "Named"]]
ids = {server: [varve(server, "silence", "add", *m).strip() for m in MORE] for server in SERVERS}
check(all(ID.fullmatch(i) for of in ids.values() for i in of), ids)
for query in ([], ["--output=extended"], ["--within=1h"], ["--created-by=an n"], ["alertname=Tool"], ["--expired"], ["--quiet"], ["a=c"]):
    want = amtool("silence", "query", *query)
    equal(varve("peer", "silence", "list", *query), want, f"of the same server: {query}")
    equal(plain(varve("varve", "silence", "query", *query)), plain(want), f"{query}")
equal(json.loads(varve("peer", "silence", "list", "--output=json", "Named")), json.loads(amtool("silence", "query", "-o", "json", "Named")), "JSON")
equal(varve("varve", "silence", "list", "--quiet", f"--id={ids['varve'][1]}"), ids["varve"][1] + "\n", "one")
for server in SERVERS:
    changed = varve(server, "silence", "update", "--duration=5h", "--comment=longer", ids[server][0])
    check(ids[server][0] in changed and "longer" in changed, changed)
    other = varve(server, "silence", "update", "--quiet", "--start=2037-01-01T00:00:00Z", "--duration=1h", ids[server][2]).strip()
    check(ID.fullmatch(other) and other != ids[server][2], other)
    check(ids[server][2] in varve(server, "silence", "list", "--expired", "--quiet", "--within=1h"), "the old one has ended")
    equal(varve(server, "silence", "expire", other, ids[server][0]), "", "two end")
    check(other not in varve(server, "silence", "list", "--quiet"), "they are gone")

step("errors")
NOBODY = "00000000-0000-0000-0000-000000000000"
for server in SERVERS:
    for argv, words in ((["silence", "add", "a=b"], "comment required"), (["silence", "add", "--comment=x"], "no matchers specified"),
                        (["silence", "add", "--comment=x", "a=b", "c"], "bad matcher format: c"), (["silence", "add", "--comment=x", "a=~("], "error parsing regexp"),
                        (["silence", "add", "--comment=x", "a=b", "--end=2020-01-01T00:00:00Z"], "cannot start after it ends"),
                        (["silence", "add", "--comment=x", "a=b", "--start=soon"], "is no time"), (["silence", "expire"], "no silence IDs"),
                        (["silence", "expire", "x"], "no id of a silence"), (["silence", "update", NOBODY], "404 Not Found"),
                        (["silence", "add", "--comment=x", "a="], "at least one matcher must not match the empty string"), (["query", "--receiver=("], "400 Bad Request: failed to parse receiver")):
        check(words in varve(server, *argv, status=1), f"{server} {argv}")
check("404 Not Found" in varve("varve", "silence", "expire", NOBODY, status=1), "nobody")
check("401 Unauthorized" in run(VARVE, "alert", "query", SERVERS["varve"][0], status=1), "no token")
check("connect" in run(VARVE, "alert", "query", f"--url=http://127.0.0.1:{free_port()}", status=1), "nobody listens")
check("no answer of an Alertmanager" in run(VARVE, "alert", "query", f"--url=http://127.0.0.1:{am.port}/metrics?", status=1), "a page")
for argv in (["silence"], ["query", "--output=xml"], ["silence", "list", "--nosuch"], ["query", "-o"]):
    run(VARVE, "alert", *argv, status=2)

step("who may")
for method, path, scope in (("GET", "alerts", "read"), ("GET", "alerts/groups", "read"), ("GET", "silences", "read"), ("GET", "status", "read"), ("GET", "receivers", "read"),
                            ("POST", "alerts", "write"), ("POST", "silences", "all"), ("GET", f"silence/{NOBODY}", "read"), ("DELETE", f"silence/{NOBODY}", "all")):
    for prefix in ("/api/v2/", "/alertmanager/api/v2/"):
        for token in ("read", "write", "metrics", "all"):
            status = s.request(method, prefix + path, "[]", {"Content-Type": "application/json", "Authorization": f"Bearer {token}"})[0]
            equal(status == 403, token not in (scope, "all"), f"{method} {prefix}{path} with {token}: {status}")
        equal(s.request(method, prefix + path, "[]", {"Content-Type": "application/json"})[0], 401, f"{method} {path} without a token")

step("what would steer a terminal stays out")
equal(s.request("POST", "/api/v2/alerts", json.dumps([{"labels": {"alertname": "\x1b[2J\u009b31m", "evil": "1"}, "annotations": {"summary": "two\nlines"}}]),
                {"Content-Type": "application/json", "Authorization": "Bearer all"})[0], 200, "a hostile alert")
equal(varve("varve", "query", "evil=1").splitlines()[1].split("  ")[0], "?[2J?31m", "control characters")
check("two lines" in varve("varve", "query", "evil=1"), "lines")
equal(s.stop(), 0, "exit status")
