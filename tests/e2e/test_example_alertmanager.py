"""examples/alertmanager.yml: valid for us and for amtool, as it is and with all its providers; where alerts go by severity;
critical ones are told after 5 s."""
import re

from alert_lib import *

d = folder()
PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "alertmanager.yml")
with open(PATH, encoding="utf-8") as f:
    PLAIN = f.read()
FULL = re.sub(r"(?m)^#\+ ", "", PLAIN)


def run(*argv):
    p = subprocess.run(argv, cwd=d, capture_output=True, text=True, timeout=60, check=False)
    return p.returncode, p.stdout + p.stderr


def put(name, text):
    with open(os.path.join(d, name), "w", encoding="utf-8") as f:
        f.write(text)
    return os.path.join(d, name)


step("it is valid, as it is and with providers")
check(FULL.count("_configs:") >= 5, "providers are found")
for name, text in (("plain.yml", PLAIN), ("full.yml", FULL)):
    put(name, text)
    code, out = run(VARVE, "check", "alertmanager", name)
    check(code == 0 and "5 receivers" in out and "warning" not in out.lower(), out)
    if shutil.which("amtool"):
        code, out = run("amtool", "check-config", name)
        check(code == 0, out)

step("where alerts go")
for labels, receiver in ((["severity=critical"], "sev1-page"), (["severity=page"], "sev2-page"), (["severity=error"], "sev2-page"),
                         (["severity=warning"], "sev3-team"), (["severity=ticket"], "sev3-team"), (["severity=info"], "sev4-mail"),
                         (["job=x"], "sev4-mail"), (["alertname=Watchdog", "severity=critical"], "nobody")):
    for program in ([VARVE, "alert"], ["amtool", "config"]):
        if shutil.which(program[0]):
            code, out = run(*program, "routes", "test", "--config.file=full.yml", *labels)
            equal((code, out.split()[0]), (0, receiver), f"{program[0]} {labels}")

step("a critical alert is told after 5 s, a warning later")
receiver = Receiver()
hook = lambda name: f"  - name: {name}\n    webhook_configs: [{{url: 'http://127.0.0.1:{receiver.port}/{name}/api/v2/alerts'}}]\n"
put("hook.yml", re.sub(r"(?m)^  - name: (.*)\n", lambda m: hook(m[1]), PLAIN))
s = Server(flags=[f"--alertmanager.config-file={d}/hook.yml"])
begun = time.time()
status, _, body = s.request("POST", "/api/v2/alerts", json.dumps(
    [{"labels": {"alertname": "A", "severity": x}} for x in ("critical", "warning")]), {"Content-Type": "application/json"})
equal(status, 200, f"alerts are taken: {body}")
at = until("it is told", lambda: receiver.of("sev1-page"), 15)[0][0]
check(4.9 < at - begun < 9, f"after {at - begun:.1f} s")
equal(receiver.of("sev3-team"), [], "a warning waits half a minute")
s.stop()
print("ok")
