"""The checks of clients.py against Debian's Prometheus: what they ask is nothing odd. Where
the answers of 2.42, of 3.14 and of Varve differ on purpose, the difference is named here.
"""
import shutil

from clients import CHECKS, Client, configuration, have_run, run, send
from lib import equal, folder, free_port, skip, start, step, until

# Checks that 2.42 does not pass, with the reason. 3.14 passes those marked so.
DIFFERENCES = {
    "check_07_metadata": "2.42 and 3.14 drop the metadata of remote write 1.0; Varve keeps it",
    "check_19_limits_and_escaped_names": "limit and names escaped as U__ came after 2.42; 3.14 passes",
    "check_20_values_by_post": "2.42 and 3.14 answer 405: Grafana's suggestions stay empty; Varve takes POST",
    "check_24_filters_of_rules": "file[], rule_group[] and group_limit came after 2.42; 3.14 passes",
}

if not shutil.which("prometheus"):
    skip("this needs Debian's prometheus")
d, port = folder(), free_port()
start(["prometheus", f"--config.file={configuration()}", f"--storage.tsdb.path={d}/data", f"--web.listen-address=127.0.0.1:{port}",
       "--web.enable-remote-write-receiver", "--enable-feature=exemplar-storage", "--log.level=error"])


def answers():
    try:
        return Client(port).raw("GET", "/-/ready")[0] == 200
    except OSError:
        return False


step("against Debian's prometheus")
until("prometheus is ready", answers)
send(port)
until("its rules have run", lambda: have_run(port))
failed = run(port, "prometheus", CHECKS)
equal(sorted(set(failed) - set(DIFFERENCES)), [], "checks that ask too much")
version = Client(port).data("GET", "status/buildinfo")["version"]
if version.startswith("2.42"):
    equal(sorted(set(DIFFERENCES) - set(failed)), [], "differences that are none")
for title, why in DIFFERENCES.items():
    print(f"  {title}: {why}", flush=True)
print("ok")
