"""Templates of rules that would grow, loop or nest without end: in a running server each comes to an end with a text
that says which limit it was, and the other rules go on; in `varve test rules` and `varve check rules` one costs at most
100 ms of the processor's time beyond what the process costs (tenfold where sanitizers slow the binary down)."""
import json
import os
import resource
import subprocess

from lib import VARVE, Server, check, equal, folder, step, until

SANITIZED = b"__asan_init" in open(VARVE, "rb").read()
LIMIT_S = 1.0 if SANITIZED else 0.1
DEPTH, STEPS, SIZE = "exceeded maximum template depth", "more than 200000 steps", "prints more than"
ANY = ""  # whichever comes first
TIME = "took longer than"
BOMBS = {
    "calls_itself": ('{{ define "a" }}{{ template "a" }}{{ end }}{{ template "a" }}', DEPTH),
    "calls_itself_twice": ('{{ define "a" }}{{ template "a" }}{{ template "a" }}{{ end }}{{ template "a" }}', DEPTH),
    "in_turns": ('{{ define "a" }}{{ template "b" }}{{ end }}{{ define "b" }}{{ if true }}{{ template "a" }}{{ end }}{{ end }}{{ template "a" }}',
                 "exceeded maximum"),
    "many_turns": ("{{ range 1000000000 }}{{ end }}", STEPS),
    "turns_in_turns": ("{{ range 100000 }}{{ range 100000 }}x{{ end }}{{ end }}", STEPS),
    "doubles": ('{{ $x := "0123456789" }}{{ range 100 }}{{ $x = print $x $x }}{{ end }}{{ len $x }}', "exceed"),
    "wide": ('{{ printf "%1000000d%1000000d%1000000d" 1 2 3 }}', SIZE),
    "prints": ("{{ range 100000 }}0123456789012345678901234567890123456789{{ end }}", SIZE),
    "args": ("{{ $x := args 1 1 }}{{ range 60 }}{{ $x = args $x $x }}{{ end }}{{ $x }}", SIZE),
    "regex": ('{{ $s := printf "%100000d" 1 }}{{ range 100000 }}{{ $y := reReplaceAll "(0*)*x|9" "$1" $s }}{{ end }}', ANY),
    "large_regexes": ('{{ range 100000 }}{{ match (printf "a{%d}b{900}" .) "x" }}{{ end }}', ANY),
    "queries": ('{{ range 100000 }}{{ query "vector(1)" }}{{ end }}', "more than 1000 queries in one template"),
}
d = folder()


def names_limit(text, words):
    return "error expanding template: " in text and (words in text or SANITIZED and TIME in text)


def put(name, text):
    with open(os.path.join(d, name), "w") as f:
        f.write(text)
    return os.path.join(d, name)


# ---- In a server ----
groups = [{"name": name, "interval": "500ms",
           "rules": [{"alert": name, "expr": "vector(1)", "annotations": {"text": text}, "labels": {"text": text}}]}
          for name, (text, _) in BOMBS.items()]
groups.append({"name": "well", "interval": "500ms", "rules": [{"record": "ticks", "expr": "time()"}]})
put("rules.yml", json.dumps({"groups": groups}))
server = Server(flags=["--config.file=" + put("c.yml", "rule_files: [rules.yml]\n")])
until("each rule was evaluated", lambda: all(g["rules"][0]["evaluationTime"] > 0 for g in server.api("rules")[1]["data"]["groups"]), 60)
found = {a["labels"]["alertname"]: a for a in server.api("alerts")[1]["data"]["alerts"]}
for name, (_, words) in BOMBS.items():
    for text in (found[name]["annotations"]["text"], found[name]["labels"]["text"]):
        check(names_limit(text, words), f"{name}: {text}")
until("rules beside them go on", lambda: float(server.api("query", query="count_over_time(ticks[1h])")[1]["data"]["result"][0]["value"][1]) > 5)
equal(server.stop(), 0, "exit status")
step(f"{len(BOMBS)} templates end in a server, which goes on")


# ---- In tools, one process each ----
def cpu_seconds(*args):
    """(exit status, output, seconds of the processor) of `varve ARGS`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    p = subprocess.run([VARVE, *args], cwd=d, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return p.returncode, p.stdout, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def cheapest(limit_s, *args):
    """cpu_seconds() of the first run within the limit, or of the last of five: others disturb the caches."""
    for _ in range(5):
        code, out, s = cpu_seconds(*args)
        if s < limit_s:
            break
    return code, out, s


put("empty.yml", "groups: []\n")
start_s = min(cpu_seconds("check", "rules", "empty.yml")[2] for _ in range(3))
worst = 0
for name, (text, words) in BOMBS.items():
    put("one.yml", json.dumps({"groups": [{"name": "g", "rules": [
        {"alert": "a", "expr": "vector(1)", "annotations": {"text": text}}]}]}))
    put("one.test.yml", json.dumps({"rule_files": ["one.yml"], "evaluation_interval": "1m", "tests": [
        {"interval": "1m", "alert_rule_test": [{"eval_time": "0m", "alertname": "a", "exp_alerts": [
            {"exp_annotations": {"text": "-"}}]}]}]}))
    code, out, s = cheapest(start_s + LIMIT_S, "test", "rules", "one.test.yml")
    check(code == 1 and names_limit(out, words), f"{name}: {code} {out[:500]}")
    check(s - start_s < LIMIT_S, f"{name}: varve test rules took {s:.3f} s, {start_s:.3f} s of it to begin")
    worst = max(worst, s - start_s)
step(f"varve test rules: at most {worst * 1000:.0f} ms beyond the start of the process ({start_s * 1000:.0f} ms)")

for piece in ("{{ if true }}", "{{ block \"a\" . }}", "(", "{{ with 1 }}{{ range 2 }}"):
    text = "{{ " * (piece == "(") + piece * 100000
    put("deep.yml", json.dumps({"groups": [{"name": "g", "rules": [
        {"alert": "a", "expr": "vector(1)", "annotations": {"text": text}}]}]}))
    code, out, s = cheapest(start_s + LIMIT_S, "check", "rules", "deep.yml")
    check(code == 1 and ("nested too deep" in out or "max expression depth exceeded" in out), f"{piece}: {code} {out[-300:]}")
    check(s - start_s < LIMIT_S, f"{piece}: varve check rules took {s:.3f} s, {start_s:.3f} s of it to begin")
step("texts that nest 100,000 deep are refused")
