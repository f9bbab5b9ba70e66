"""Random relabelling leaves the same targets and series in Varve as in Debian's Prometheus.

Each job has targets with random labels, a random chain of relabel_configs (every action) and one of metric_relabel_configs.
Compared: the targets that /api/v1/targets knows, with their labels, URLs and intervals, how many were dropped, and what is stored of
their pages. Prometheus 3.x knows more names: metric_name_validation_scheme legacy makes it like 2.42, which does
not know that key. VARVE_TEST_SEED repeats a run, 0 is another each time; VARVE_TEST_ROUNDS=20 is for the night.
"""
import random

from read_lib import read_samples
from scrape_lib import *

JOBS = int(os.environ.get("VARVE_TEST_JOBS", 110))
if PROMETHEUS is None:
    skip("this needs prometheus")
seed = int(os.environ.get("VARVE_TEST_SEED", 20261125)) or random.SystemRandom().randrange(1 << 32)

LABELS = ["a", "b", "c", "env", "zone", "__meta_x", "__meta_y_z", "__tmp", "__tmp_q", "job", "instance", "le"]
VALUES = ["", "1", "abc", "ABC", "a-b", "a.b.c:9100", "prod", "eu-west-1a", "\u00e9t\u00e9 \u6f22", "a;b", ";", " ", "$1", "x=y,z", "\u0130\u01c5\u00df", "0", "q" * 80]
REGEXES = ["(.*)", "", "a|b", "(?i)ABC", "([^:]+)(?::\\\\d+)?", ".+", "\\\\d+", "(a)(-)?(b)?", "(?P<name>[a-z]+).*", "[[:alpha:]]+", "\\\\pL+", "^abc$", "(.*)-(.*)", "(.*);(.*)",
           "__meta_(.+)", "(a|b|c)", "__tmp.*", "prod|1", ".*z.*", "[^a]*", "(.)(.*)", "j[0-9]+|127.*", "__name__|of|a|__address__|job"]
REPLACEMENTS = ["$1", "${1}", "$2", "$1$2", "${1}x", "$1x", "$$1", "$", "$$", "${name}", "$name-$1", "lit", "", "${1", "$9", "$0", "${1}_${2}", "\u00e9$1", "${1}:${1}"]
TARGETS = ["a", "b", "new", "env", "__tmp", "zone", "instance", "job", "x_$1", "${1}", "n${2}", "le"]
# One label at most becomes one: which of several wins hangs on the order of a Go map.
MAPPED = [("__meta_(.+)", "m_$1"), ("__meta_(.+)", "$1"), ("(a|b|c)", "${1}_x"), ("(a|b|c)", "__tmp_$1"), ("env", "a"), ("(e.*)", "x$1"),
          ("__tmp_(.*)", "$1"), ("(.)(.*)", "$1${2}_$1")]


SWITCHES = ("__scrape_native_histograms__", "__always_scrape_classic_histograms__", "__convert_classic_histograms_to_nhcb__")


def quoted(text):
    return '"' + text.replace('"', '\\"') + '"'


class Chain:
    """Rules as YAML flow mappings. `metric`: of series, where the name is a label, too."""

    def __init__(self, rnd, metric):
        self.rnd, self.metric = rnd, metric
        self.names = LABELS[:5] + LABELS[7:] + ["__name__", "of"] if metric else LABELS + ["__address__", "__param_p", "__metrics_path__"]
        self.text = "".join(f"  - {{{self.rule()}}}\n" for _ in range(rnd.randrange(1, 6)))

    def some(self, items, p=1.0):
        return self.rnd.choice(items) if self.rnd.random() < p else None

    def sources(self):
        return "[" + ", ".join(self.rnd.choices(self.names, k=self.rnd.randrange(1, 4))) + "]"

    def target(self):
        if self.metric and self.rnd.random() < 0.15:
            return "__name__"
        if not self.metric and self.rnd.random() < 0.1:
            return self.rnd.choice(["__param_p", "__metrics_path__", "__scrape_interval__"])
        return self.rnd.choice(TARGETS)

    def matching(self, action):
        parts = [f"action: {action}"] if action != "replace" or self.rnd.random() < 0.5 else []
        if self.rnd.random() < 0.9:
            parts.append("source_labels: " + self.sources())
        if self.rnd.random() < 0.3:
            parts.append("separator: " + quoted(self.rnd.choice(["", "-", "::", "a", " ", ";"])))
        if self.rnd.random() < 0.8:
            parts.append("regex: " + quoted(self.rnd.choice(REGEXES)))
        return parts

    def rule(self):
        action = self.rnd.choices(["replace", "keep", "drop", "keepequal", "dropequal", "hashmod", "labelmap", "labeldrop", "labelkeep",
                                   "lowercase", "uppercase"], [8, 1, 1, 0.3, 1, 2, 2, 1, 0.3, 1.5, 1.5])[0]
        plain = [t for t in TARGETS if "$" not in t]
        if action in ("keepequal", "dropequal"):
            parts = [f"action: {action}", "source_labels: " + self.sources(), f"target_label: {self.rnd.choice(plain)}"]
        elif action in ("labeldrop", "labelkeep"):
            parts = [f"action: {action}", "regex: " + quoted(self.rnd.choice(REGEXES) if action == "labeldrop" else
                                                           "__.*|of|job|" + self.rnd.choice(["a", "env|b", "instance", "[a-z]+"]))]
        elif action == "labelmap":
            regex, name = self.rnd.choice(MAPPED)
            parts = ["action: labelmap", "regex: " + quoted(regex), "replacement: " + quoted(name)]
        elif action == "hashmod":
            parts = [x for x in self.matching(action) if not x.startswith("regex")]
            parts += [f"modulus: {self.rnd.choice([1, 2, 7, 1000, 4294967296, 18446744073709551615])}", f"target_label: {self.rnd.choice(plain)}"]
        elif action in ("keep", "drop"):
            parts = self.matching(action)
        elif action == "replace":
            parts = self.matching(action) + ["target_label: " + quoted(self.target())]
            if self.rnd.random() < 0.7:
                parts.append("replacement: " + quoted(self.rnd.choice(REPLACEMENTS)))
        else:
            parts = [x for x in self.matching(action) if not x.startswith("regex")] + [f"target_label: {self.rnd.choice(plain)}"]
        self.rnd.shuffle(parts)
        return ", ".join(parts)


def page(rnd):
    lines = []
    for i in range(rnd.randrange(1, 6)):
        labels = rnd.sample([n for n in LABELS if not n.startswith("__meta")], rnd.randrange(0, 5))
        values = [rnd.choice(VALUES).replace("\\", "\\\\") for _ in labels]
        lines.append(f"m{i}_" + rnd.choice(["total", "x", "ABC"]) + "{" + ",".join(f'{n}="{v}"' for n, v in zip(labels, values)) + f"}} {i}\n")
    return "".join(lines).encode()


def make_job(rnd, i, port, expected):
    """Its configuration; the labels that its targets begin with are added to `expected`."""
    text = f"- job_name: j{i}\n  metrics_path: /j{i}\n"
    if rnd.random() < 0.3:
        text += "  honor_labels: true\n"
    if rnd.random() < 0.3:
        text += "  params: {p: [one, two]}\n"
    text += "  relabel_configs:\n" + Chain(rnd, False).text
    if rnd.random() < 0.6:
        text += "  metric_relabel_configs:\n" + Chain(rnd, True).text
    text += "  static_configs:\n"
    for k in range(rnd.randrange(1, 4)):
        labels = {n: rnd.choice(VALUES) for n in rnd.sample(LABELS[:9], rnd.randrange(0, 6))}
        expected.append({"job": f"j{i}", "__address__": f"127.0.0.1:{port}", "__scheme__": "http", "__metrics_path__": f"/j{i}",
                         "__scrape_interval__": "2s", "__scrape_timeout__": "2s", **({"__param_p": "one"} if "params:" in text else {}),
                         **{s: "false" for s in SWITCHES}, "of": f"j{i}", "t": f"t{k}", **{n: v for n, v in labels.items() if v}})
        shown = ", ".join([f"of: j{i}", f"t: t{k}"] + [f"{n}: {quoted(v)}" for n, v in labels.items()])
        text += f"  - {{targets: ['127.0.0.1:{port}'], labels: {{{shown}}}}}\n"
    return text


def known(port):
    """{job: [what is known of its targets]}, the labels they began with, and how many were dropped."""
    data, out = get(port, "/api/v1/targets")["data"], {}
    for t in data["activeTargets"]:
        row = {key: t[key] for key in ("labels", "scrapeUrl", "scrapeInterval", "scrapeTimeout")}
        out.setdefault(t["scrapePool"], []).append(json.dumps(row, sort_keys=True, ensure_ascii=False))
    return ({k: sorted(v) for k, v in out.items()}, [t["discoveredLabels"] for t in data["activeTargets"] + data["droppedTargets"]],
            len(data["droppedTargets"]))


def stored(port, begin_ms):
    """{labels: values} of every series that has samples"""
    out = {}
    for labels, samples, _ in read_samples(port, [(2, "__name__", ".+")], begin_ms - 600_000, begin_ms + 7200_000):
        if "of" in dict(labels) and dict(labels)["__name__"] not in ("scrape_duration_seconds", "scrape_series_added"):
            out.setdefault(tuple(sorted(labels)), set()).update(bits for _, bits in samples)
    return out


def one_round(seed):
    step(f"seed {seed} (VARVE_TEST_SEED)")
    rnd, begin_ms, pages = random.Random(seed), int(time.time() * 1000), Pages()
    bodies = {f"/j{i}": page(rnd) for i in range(JOBS)}
    expected = []
    jobs = [make_job(rnd, i, pages.port, expected) for i in range(JOBS)]
    for path, body in bodies.items():
        pages.text(path, body)
    head = "global: {scrape_interval: 2s, scrape_timeout: 2s%s}\nscrape_configs:\n"
    prom = Prom(config(head % "" + "".join(jobs)))
    varve = Server(flags=["--config.file=" + config(head % ", metric_name_validation_scheme: legacy" + "".join(jobs))])
    for server in (prom, varve):
        until("all were asked", lambda: get(server.port, "/api/v1/targets")["data"]["activeTargets"] and all(
            t["health"] != "unknown" for t in get(server.port, "/api/v1/targets")["data"]["activeTargets"]), 60, 0.2)
    (mine, began, dropped), (theirs, _, their_dropped) = known(varve.port), known(prom.port)
    equal(dropped, their_dropped, "targets dropped")
    strange = [d for d in began if d not in expected]
    equal(strange, [], "labels before relabelling")  # 2.42 shows them half changed
    bad = 0
    for i in range(JOBS):
        a, b = mine.get(f"j{i}"), theirs.get(f"j{i}")
        if a != b:
            bad += 1
            print(jobs[i], "\n  varve     ", "\n             ".join(a or []), "\n  prometheus", "\n             ".join(b or []))
    time.sleep(2.2)  # one more scrape of each
    mine, theirs = stored(varve.port, begin_ms), stored(prom.port, begin_ms)
    for key in sorted(set(mine) | set(theirs)):
        if mine.get(key) != theirs.get(key):
            bad += 1
            print(dict(key), mine.get(key), theirs.get(key))
    varve.stop()
    prom.proc.kill()
    return bad


bad = sum(one_round(seed + i) for i in range(int(os.environ.get("VARVE_TEST_ROUNDS", 1))))
equal(bad, 0, "targets and series that differ")
step("done")
