"""The scripted hour on time that a program tells: replay_hour.py DRIVER [RECORD] runs tests/notify/hour.c through the
hour of the record (data/hour/golden.jsonl: Debian's Alertmanager, in real time) and compares what was sent."""
from hour_lib import *
from lib import *

RECORD = sys.argv[2] if len(sys.argv) > 2 else os.path.join(FOLDER, "golden.jsonl")


class Driver:
    """The program, the time it has, and the providers it speaks to."""

    def __init__(self, header, of):
        self.t0_ms, self.now_ms = header["started_ms"], 0
        self.providers = Providers(of["outages"], lambda: self.now_ms - self.t0_ms)
        d = folder()
        path = os.path.join(d, "am.yml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(configuration(self.t0_ms, self.providers.port, self.providers.mail.port))
        self.process = start([VARVE, path, os.path.join(d, "state"), URL + "/alertmanager", str(self.t0_ms + header["loaded_ms"])],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")

    def write(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def say(self, at_ms, line):
        """What it answers."""
        self.write(f"{self.t0_ms + at_ms} {line}")
        while True:
            word, _, rest = self.process.stdout.readline().rstrip("\n").partition(" ")
            if word != "send":
                equal(word, "done", f"answer to {line[:200]}")
                return rest
            self.now_ms = int(rest)
            self.write("go")

    def end(self):
        self.process.stdin.close()
        equal(self.process.wait(timeout=60), 0, "exit status of the driver")


def replay(header, of):
    driver, silences = Driver(header, of), Silences()
    for at_ms, kind, what in events(of, header["started_ms"]):
        if at_ms >= header["seconds"] * 1000:
            break
        if kind == "alerts":
            driver.say(at_ms, "alerts " + json.dumps(what))
            continue
        method, path, body = silences.request(what, header["started_ms"])
        if method == "DELETE":
            driver.say(at_ms, "end " + path.rsplit("/", 1)[1])
        else:
            silences.ids[what["name"]] = driver.say(at_ms, "silence " + json.dumps(body))
    driver.say(header["seconds"] * 1000, "pass")
    driver.end()
    return driver.providers.taken()


step("the record is of this script")
header, golden = read_record(RECORD)
equal(header["of"], digest(), "digest of the script and the configuration: run record_hour.py again")
of = script()
step(f"{header['seconds']} s of {rfc3339(header['started_ms'])}")
got = replay(header, of)
c = Comparison(golden, got, of["outages"])
late = c.lateness()
step(f"{len(golden)} requests of Alertmanager, {len(got)} of ours; {len(c.pairs)} compared, {late[0]} to {late[-1]} ms later")
check(not c.problems, "\n".join([f"{len(c.problems)} differ", *c.problems[:40]]))
check(len(c.pairs) >= header["seconds"] / 30, "the record is too short to prove anything")
print("ok")
