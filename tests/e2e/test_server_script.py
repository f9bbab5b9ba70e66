"""script/server: the address it names first is the one it listens on, however it is given and from wherever it is
started; on the first start there are targets and rules. Its build is replaced by the binary under test."""
import os
import shutil
import subprocess

from lib import VARVE, check, equal, folder, free_port, start, step, until
from peers import ask, get

here = os.path.dirname(os.path.abspath(__file__))
root = folder()  # a copy of what the script needs, with a build that does nothing
os.makedirs(root + "/script")
os.makedirs(root + "/build/release")
shutil.copy(os.path.join(here, "..", "..", "script", "server"), root + "/script/server")
shutil.copytree(os.path.join(here, "..", "..", "examples", "rules"), root + "/examples/rules")
shutil.copy(os.path.join(here, "..", "..", "examples", "alertmanager.yml"), root + "/examples/alertmanager.yml")
os.symlink(VARVE, root + "/build/release/varve")
open(root + "/build/release/build.ninja", "w").close()
os.makedirs(root + "/bin")
for path in ("/script/bootstrap", "/bin/cmake"):
    with open(root + path, "w") as f:
        f.write("#!/bin/sh\nexit 0\n")
    os.chmod(root + path, 0o755)
env = dict(os.environ, PATH=root + "/bin:" + os.environ["PATH"])


def started(*args, cwd="/"):
    """The URL it names in its first line; and it answers there."""
    p = start([root + "/script/server", *args], cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    first = p.stdout.readline()
    check(first.startswith("Varve: http"), first)
    url = first.split()[1]
    port = int(url.rsplit(":", 1)[1])

    until(f"{args}: {url} answers", lambda: get(port, "/-/ready")[0] == 200, 30)
    return p, url, port


def stop(p):
    p.terminate()
    equal(p.wait(30), 0, "exit status")


data = folder()
for args in (["--web.listen-address={}"], ["--web.listen-address", "{}"], ["--log.level=warn", "--web.listen-address", "{}"]):
    port = free_port()
    p, url, at = started(*[a.format(f"127.0.0.1:{port}") for a in args], f"--storage.tsdb.path={data}/{port}")
    equal((url, at), (f"http://127.0.0.1:{port}", port), str(args))
    stop(p)
step("the address is named as given")

port = free_port()
p, url, _ = started("--web.listen-address", f":{port}", "--storage.tsdb.path", "mine", cwd=data)
equal(url, f"http://localhost:{port}", "no host")
check(os.path.exists(data + "/mine/prometheus.yml"), "paths are relative to where it is started")
stop(p)
p, url, port = started("--web.listen-address=127.0.0.1:0", "--storage.tsdb.path", data + "/any")
check(port > 0, url)
stop(p)
step("no host, any port, another folder")

p, url, port = started("--web.listen-address", f"127.0.0.1:{free_port()}")
check(os.path.exists(root + "/data/prometheus.yml"), "the data folder is the project's")
groups = ask(port, "rules")["data"]["groups"]
check(any(g["name"] == "varve" and len(g["rules"]) > 5 for g in groups), f"rules: {[g['name'] for g in groups]}")
urls = {t["scrapePool"]: t["scrapeUrl"] for t in ask(port, "targets", state="active")["data"]["activeTargets"]}
equal(urls["varve"], url + "/metrics", "it scrapes itself")
status, text = get(port, "/api/v2/receivers")
check(status == 200 and "sev1-page" in text, f"alerts are grouped: {status} {text}")
stop(p)
with open(data + "/own.yml", "w") as f:
    f.write("global: {scrape_interval: 17s}\n")
p, url, port = started("--config.file", "own.yml", "--web.listen-address", f"127.0.0.1:{free_port()}", cwd=data)
check("scrape_interval: 17s" in ask(port, "status/config")["data"]["yaml"], "a configuration of one's own")
equal(get(port, "/api/v2/receivers")[0], 404, "which says nothing of people")
stop(p)
with open(data + "/am.yml", "w") as f:
    f.write("route: {receiver: mine}\nreceivers: [{name: mine}]\n")
p, url, port = started("--alertmanager.config-file", "am.yml", "--web.listen-address", f"127.0.0.1:{free_port()}", cwd=data)
equal(get(port, "/api/v2/receivers")[1].strip(), '[{"name":"mine"}]', "people of one's own")
stop(p)
p = subprocess.run([root + "/script/server", "--web.listen-address"], env=env, capture_output=True, text=True)
check(p.returncode == 2 and "wants a value" in p.stderr, p.stderr)
step("rules and targets at the first start; a configuration of one's own")
