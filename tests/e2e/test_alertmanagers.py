"""Alertmanagers of the configuration: discovered, listed, counted, reloaded."""
import re
import signal

from alert_lib import *


def lists(s):
    status, answer = s.api("alertmanagers")
    equal(status, 200, "status")
    data = answer["data"]
    return [[x["url"] for x in data[k]] for k in ("activeAlertmanagers", "droppedAlertmanagers")]


def metric(s, name):
    m = re.search(rf"^{re.escape(name)} (\S+)$", s.request("GET", "/metrics")[2].decode(), re.M)
    return float(m[1]) if m else None


d = folder()
path, found = os.path.join(d, "prometheus.yml"), os.path.join(d, "found.json")


def put(text):
    with open(path, "w") as f:
        f.write(text)


def put_found(*targets, **labels):
    with open(found + ".tmp", "w") as f:
        json.dump([{"targets": targets, "labels": labels}], f)
    os.rename(found + ".tmp", found)


step("static ones, relabelled, named twice, and with a password")
put("""alerting:
  alertmanagers:
  - scheme: https
    path_prefix: /am//x/
    static_configs: [{targets: ['a:1', 'b:2', 'a:1']}]
    relabel_configs: [{source_labels: [__address__], regex: 'b.*', action: drop}]
  - static_configs: [{targets: ['c:3'], labels: {__scheme__: https}}]
    relabel_configs: [{target_label: __alerts_path__, replacement: '/own path'}]
  - file_sd_configs: [{files: ['found.json'], refresh_interval: 1s}]
""")
put_found("d:4")
s = Server(flags=[f"--config.file={path}"])
A, C = "https://a:1/am/x/api/v2/alerts", "https://c:3/own%20path"
until("all are there", lambda: lists(s) == [[A, C, "http://d:4/api/v2/alerts"], ["https://b:2/am/x/api/v2/alerts"]])
equal(metric(s, "prometheus_notifications_alertmanagers_discovered"), 3, "discovered")
equal(metric(s, "prometheus_notifications_queue_capacity"), 10000, "capacity")
equal(metric(s, f'prometheus_notifications_sent_total{{alertmanager="{A}"}}'), 0, "sent")
equal(metric(s, f'prometheus_notifications_queue_length{{alertmanager="{C}"}}'), 0, "queue")
equal(metric(s, 'prometheus_sd_discovered_targets{config="config-0",name="notify"}'), 3, "targets of discovery")
equal(metric(s, 'prometheus_sd_failed_configs{name="notify"}'), 0, "failures of discovery")

step("discovery finds others")
put_found("e:5", "f:6", __scheme__="https")
until("others", lambda: lists(s)[0] == [A, C, "https://e:5/api/v2/alerts", "https://f:6/api/v2/alerts"])
equal(metric(s, 'prometheus_notifications_sent_total{alertmanager="http://d:4/api/v2/alerts"}'), None, "who is gone")
put_found()
until("none", lambda: lists(s)[0] == [A, C])

step("reloads")
put("alerting: {alertmanagers: [{static_configs: [{targets: ['g:7']}]}]}\n")
s.send_signal(signal.SIGHUP)
until("another configuration", lambda: lists(s) == [["http://g:7/api/v2/alerts"], []])
for bad, text in (("sigv4: {region: x}", "sigv4"), ("api_version: v1", "api version"), ("scheme: [x]", "prometheus.yml:1:")):
    put(f"alerting: {{alertmanagers: [{{static_configs: [{{targets: ['h:8']}}], {bad}}}]}}\n")
    status, _, body = s.request("POST", "/-/reload")
    check(status == 500 and text.encode() in body, f"{bad}: {status} {body!r}")
    equal(lists(s), [["http://g:7/api/v2/alerts"], []], "what was in force stays")
put("{}\n")
equal(s.request("POST", "/-/reload")[0], 200, "reload")
equal(lists(s), [[], []], "nobody")
equal(s.stop(), 0, "exit status")

step("flags")
for flag in ("--alertmanager.notification-queue-capacity=0", "--alertmanager.notification-batch-size=100000"):
    s = Server(flags=[flag], wait=False)
    equal(s.process.wait(timeout=20), 1, f"{flag}: exit status")
    check(flag.split("=")[0] in s.log(), f"{flag}: {s.log()}")
