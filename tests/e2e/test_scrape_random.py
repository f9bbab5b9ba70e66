"""Random pages leave the same in Varve as in Debian's Prometheus, sample by sample.

Each job has a target of its own, whose pages follow one another (page_maker.py), and settings drawn at random. Both servers
scrape the same pages at the same time; then everything they have stored is read by remote read: each sample, stale markers
included, with the bits of its value and its time (the number of the scrape where that made it), and what they say of each scrape.

Pages are text, OpenMetrics or protobuf. Debian's Prometheus is 2.42; page_maker.py says what 3.14 does otherwise. VARVE_TEST_SEED
repeats a run, 0 is another each time; VARVE_TEST_ROUNDS=20 VARVE_TEST_JOBS=400 is for the night.
"""
import random
import re

from page_maker import LEADS, QUOTED, Maker
from proto_maker import ProtoMaker
from read_lib import read_samples
from scrape_lib import *

SCRAPES, LATE_S = 4, 1.2
if PROMETHEUS is None:
    skip("this needs prometheus")
JOBS = int(os.environ.get("VARVE_TEST_JOBS", 160))
seed = int(os.environ.get("VARVE_TEST_SEED", 20261124)) or random.SystemRandom().randrange(1 << 32)
OM = "application/openmetrics-text; version=1.0.0; charset=utf-8"
TEXT = "text/plain; version=0.0.4"
PROTO = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
STALE_BITS, MINUS_ZERO = struct.pack("<d", STALE), struct.pack("<d", -0.0)


class Target:
    def __init__(self, name, rnd):
        self.name, self.asked = name, {"varve": 0, "prometheus": 0}
        proto = rnd.random() < 0.2
        maker = (ProtoMaker if proto else Maker)(rnd, int(time.time() * 1000))
        self.kind, self.pages = PROTO if proto else OM if maker.om else TEXT, [maker.page() for _ in range(SCRAPES)]
        self.counted = maker.counted
        chance = lambda p: rnd.random() < p
        self.settings = "".join(f"  {k}: {v}\n" for k, v, p in (
            ("honor_labels", "true", 0.3), ("honor_timestamps", "false", 0.2), ("sample_limit", rnd.randrange(1, 9), 0 if maker.repeats else 0.15),
            ("label_limit", rnd.randrange(3, 7), 0.1), ("label_name_length_limit", rnd.randrange(3, 20), 0.06),
            ("label_value_length_limit", rnd.randrange(3, 30), 0 if maker.led else 0.1)) if chance(p))

    def answer(self, handler):
        who = "varve" if "Varve" in handler.headers["User-Agent"] else "prometheus"
        at = min(self.asked[who], SCRAPES - 1)
        self.asked[who] += 1
        return 200, self.kind, self.pages[at][who == "prometheus"]


def key_of(labels, who):
    """Labels as both have them; the name of a series in quotes as 2.42 has it."""
    out = []
    for n, v in sorted(labels):
        if n == "__name__" and who == "varve":
            v = re.sub("^[ \t]+", lambda m: LEADS[m.group()], BACK.get(v, v))
        out.append((n, v))
    return tuple(sorted(out))


# The names in quotes as they are stored: \" \\ and \n are escapes there.
BACK = {v.replace('\\"', '"').replace("\\n", "\n").replace("\\\\", "\\"): k for k, v in QUOTED.items()}


def stored(port, who, begin_ms):
    """{target: {labels: [(ms, bits)]}} of everything."""
    out = {}
    for labels, samples, _ in read_samples(port, [(2, "__name__", ".+")], begin_ms - 600_000, begin_ms + 7200_000):
        out.setdefault(dict(labels)["of"], {}).setdefault(key_of(labels, who), []).extend(samples)
    return out


def rows(series, target):
    """{labels: {(scrape or ms, bits)}} of what the scrapes that count have left, and the markers {labels: {scrape}}."""
    number = {ms: i for i, ms in enumerate(sorted(ms for ms, _ in series[target.up]))}
    values, markers = {}, {}
    for key, samples in series.items():
        name = dict(key)["__name__"]
        if name == "scrape_duration_seconds" or (name == "scrape_series_added" and not target.counted):
            continue
        for ms, bits in samples:
            at = number.get(ms, ms)
            if ms in number and at >= SCRAPES:
                continue
            if bits == STALE_BITS:
                markers.setdefault(key, set()).add(at)
            else:
                values.setdefault(key, set()).add((at, bits if bits != MINUS_ZERO else bytes(8)))  # 2.42 forgets the sign
    return values, markers


def was_late(series):
    """The machine was busy: a scrape may have failed for that."""
    return any(dict(k)["__name__"] == "scrape_duration_seconds" and any(struct.unpack("<d", bits)[0] > LATE_S for _, bits in samples)
               for k, samples in series.items())


def differences(mine, theirs, text):
    return [f"{text} {dict(k)}:\n      varve      {show(mine.get(k))}\n      prometheus {show(theirs.get(k))}"
            for k in sorted(set(mine) | set(theirs)) if mine.get(k, set()) != theirs.get(k, set())]


def compare(target, mine, theirs):
    """Texts of what differs."""
    values, markers = rows(mine, target)
    their_values, their_markers = rows(theirs, target)
    failed = any(bits == bytes(8) for _, bits in their_values[target.up])
    if failed:  # 2.42 and 3.14 know the series above the break in a page, and end them late: samples from before are refused then
        other = ["scrape_series_added"]
        if target.kind == PROTO:  # 2.42 reads a whole family before it counts its metrics, 3.x one metric after the other
            other += ["scrape_samples_scraped", "scrape_samples_post_metric_relabeling"]
        values, their_values = [{k: {x for x in s if x[0] < SCRAPES} for k, s in side.items() if dict(k)["__name__"] not in other}
                                for side in (values, their_values)]
        # Of new series beyond the sample limit, which are not stored, Prometheus stores ends.
        at = {k: {x[0] for x in s} for k, s in values.items()}
        their_markers = {k: {t for t in m if t in markers.get(k, ()) or t - 1 in at.get(k, ())} for k, m in their_markers.items()}
        if target.kind == PROTO:
            markers = their_markers = {}
    return differences(values, their_values, "samples of") + differences(markers, their_markers, "markers of")


def show(samples):
    if samples is None:
        return "none"
    return " ".join(str(x) if isinstance(x, int) else f"{x[0]}:{struct.unpack('<d', x[1])[0]!r}" for x in sorted(samples))


def one_round(seed):
    step(f"seed {seed} (VARVE_TEST_SEED)")
    rnd = random.Random(seed)
    begin_ms = int(time.time() * 1000)
    pages, all_targets, text = Pages(), [], "global: {scrape_interval: 1500ms, scrape_timeout: 1500ms}\nscrape_configs:\n"
    for i in range(JOBS):
        t = Target(f"j{i}", rnd)
        all_targets.append(t)
        pages.pages[f"/j{i}"] = t.answer
        text += (f"- job_name: j{i}\n  metrics_path: /j{i}\n{t.settings}"
                 f"  static_configs: [{{targets: ['127.0.0.1:{pages.port}'], labels: {{of: j{i}}}}}]\n")
        t.up = tuple(sorted({"__name__": "up", "job": t.name, "instance": f"127.0.0.1:{pages.port}", "of": t.name}.items()))
    path = config(text)
    prom, varve = Prom(path), Server(flags=[f"--config.file={path}"])
    until("enough scrapes", lambda: all(n > SCRAPES for t in all_targets for n in t.asked.values()), 60)
    until("they are stored", lambda: all(stored_enough(s.port, all_targets) for s in (prom, varve)), 60, 0.2)
    mine, theirs = stored(varve.port, "varve", begin_ms), stored(prom.port, "prometheus", begin_ms)
    errors = [targets(s.port) for s in (varve, prom)]
    bad = late = 0
    for t in all_targets:
        if was_late(mine[t.name]) or was_late(theirs[t.name]):
            late += 1
            continue
        found = compare(t, mine[t.name], theirs[t.name])
        whys = [e[t.name]["lastError"] for e in errors]
        if found or (whys[0] == "") != (whys[1] == ""):
            bad += 1
            print(f"{t.name} {t.kind} {t.settings.split()}\n    varve {whys[0]!r}\n    prom  {whys[1]!r}")
            for d in found:
                print("   ", d)
            for p in t.pages:
                print("    page", p[0])
    varve.stop()
    prom.proc.kill()
    check(late < JOBS / 4, f"{late} targets were scraped late: this proves little")
    return bad


def stored_enough(port, all_targets):
    ups = raw(port, 'up{of!=""}', "30m")
    return all(len(ups.get(t.up, ())) >= SCRAPES for t in all_targets)


bad = sum(one_round(seed + i) for i in range(int(os.environ.get("VARVE_TEST_ROUNDS", 1))))
equal(bad, 0, "targets that differ")
step("done")
