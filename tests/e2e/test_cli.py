"""Command line: help, wrong flags, folders and ports that cannot be used."""
import os
import socket
import subprocess

from lib import VARVE, Server, check, equal, folder, free_port, step


def run(*argv, **kwargs):
    p = subprocess.run([VARVE, *argv], capture_output=True, text=True, timeout=60, **kwargs)
    return p.returncode, p.stdout, p.stderr


step("help and version")
for argv in (["help"], ["--help"], ["help", "serve"], ["serve", "--help"], ["tsdb", "--help"]):
    code, out, err = run(*argv)
    check(code == 0 and "usage: varve" in out and err == "", f"{argv}: {code} {out!r} {err!r}")
check("--storage.tsdb.retention.time" in run("serve", "--help")[1], "flags are listed")
check(run("version")[1].startswith("varve, version "), "version")

step("wrong arguments: one line and exit status 2")
for argv, text in (
        ([], "usage: varve"),
        (["frobnicate"], "unknown command 'frobnicate'"),
        (["serve", "--no-such-flag"], "unknown long flag '--no-such-flag'"),
        (["serve", "-x"], "unknown short flag '-x'"),
        (["serve", "stray"], "unexpected stray"),
        (["serve", "--query.timeout"], "expected argument for flag '--query.timeout'"),
        (["serve", "--query.timeout=soon"], "flag --query.timeout"),
        (["serve", "--storage.tsdb.retention.size=many"], "flag --storage.tsdb.retention.size"),
        (["serve", "--query.timeout=1s", "--query.timeout=2s"], "given twice"),
        (["serve", "--log.level=loud"], "--log.level"),
        (["serve", "--log.format=xml"], "--log.format")):
    code, out, err = run(*argv)
    check(code == 2 and text in err, f"{argv}: {code} {err!r}")
    check(not argv or err.count("\n") == 1, f"{argv}: more than one line: {err!r}")


def refused(text, *flags, data=None):
    code, out, err = run("serve", f"--storage.tsdb.path={data or folder()}",
                         f"--web.listen-address=127.0.0.1:{free_port()}", *flags)
    lines = [l for l in err.splitlines() if l.startswith("varve serve: error:")]
    check(code == 1 and len(lines) == 1 and text in lines[0], f"{flags} {data}: {code} {err!r}")


step("a configuration file that is missing or wrong")
refused("no such file", "--config.file=/nonexistent/varve.yml")
bad = os.path.join(folder(), "bad.yml")
for content, text in (("global: [", "bad.yml:"), ("glob: 1", "glob"),
                      ("a: &x 1\nb: *x", "bad.yml:1:"), ("a: 1\na: 2", "already set"),
                      ("global: {evaluation_interval: soon}", "evaluation_interval")):
    with open(bad, "w") as f:
        f.write(content)
    refused(text, f"--config.file={bad}")

step("a data folder that is a file")
path = os.path.join(folder(), "file")
open(path, "w").close()
refused(path, data=path)

step("a data folder on a read-only place")
refused("/proc", data="/proc/varve-data")

step("a port in use, an address that is none")
with socket.socket() as s:
    s.bind(("127.0.0.1", 0))
    s.listen()
    code, _, err = run("serve", f"--storage.tsdb.path={folder()}",
                       f"--web.listen-address=127.0.0.1:{s.getsockname()[1]}")
    check(code == 1 and "in use" in err, f"port in use: {code} {err!r}")
code, _, err = run("serve", f"--storage.tsdb.path={folder()}", "--web.listen-address=nowhere")
check(code == 1 and "nowhere" in err, f"bad address: {code} {err!r}")

step("a second process on the same folder is refused, the first goes on")
first = Server()
refused(first.data, data=first.data)
equal(first.request("GET", "/-/healthy")[0], 200, "first server")
equal(first.stop(), 0, "exit status after SIGTERM")

step("config file, flags and lifecycle over HTTP")
good = os.path.join(folder(), "good.yml")
with open(good, "w") as f:
    f.write("global:\n  evaluation_interval: 30s\n")
s = Server(flags=[f"--config.file={good}"])
equal(s.api("status/flags")[1]["data"]["config.file"], good, "status/flags")
equal(s.request("POST", "/-/reload")[0], 200, "reload")
with open(good, "w") as f:
    f.write("global: nonsense\n")
status, _, body = s.request("POST", "/-/reload")
check(status == 500 and b"failed to reload config" in body, f"bad reload: {status} {body!r}")
check(b"prometheus_config_last_reload_successful 0" in s.request("GET", "/metrics")[2], "metric")
equal(s.request("GET", "/-/quit")[0], 405, "GET quit")
equal(s.request("POST", "/-/quit")[2], b"Requesting termination... Goodbye!", "quit")
equal(s.process.wait(timeout=30), 0, "exit status after quit")

step("unwritable folder as another user")
if os.getuid() == 0:
    d = folder()
    os.chmod(d, 0o555)
    copy = os.path.join(folder(), "varve")
    os.chmod(os.path.dirname(copy), 0o755)
    subprocess.run(["cp", VARVE, copy], check=True)
    p = subprocess.run([copy, "serve", f"--storage.tsdb.path={d}",
                        f"--web.listen-address=127.0.0.1:{free_port()}"],
                       capture_output=True, text=True, user=65534, timeout=60)
    check(p.returncode == 1 and p.stderr.count("varve serve: error:") == 1, f"{p.stderr!r}")
print("ok")
