"""/federate: selectors, staleness, order, formats and escapings, and Prometheus scraping it."""
import gzip
import json
import os
import shutil
import struct
import time
import urllib.parse
import urllib.request

from lib import STALE, Server, check, equal, folder, free_port, start, step, until

varve = Server()
now = int(time.time() * 1000)
T = now - 20000
data = [({"__name__": "fed_b", "job": "x", "instance": "i:1"}, [(T - 15000, 1.0), (T, 2.5)]),
        ({"__name__": "fed_a", "job": "x"}, [(T, 1e6)]),
        ({"__name__": "fed_a", "job": "y", "q": 'a"b\\c\nd'}, [(T, float("nan"))]),
        ({"__name__": "fed_gone", "job": "x"}, [(T - 15000, 1.0), (T, STALE)]),
        ({"__name__": "fed_old", "job": "x"}, [(now - 400000, 1.0)]),
        ({"__name__": "fed.dots_x", "my.label": "v"}, [(T, -3.0)])]
varve.write(data)


def federate(match, accept=None, **headers):
    query = urllib.parse.urlencode([("match[]", m) for m in match])
    if accept:
        headers["Accept"] = accept
    status, h, body = varve.request("GET", "/federate?" + query, headers=headers)
    return status, h["content-type"], body


step("text: sorted by name, untyped, newest sample, stale and old ones left out")
ALL = ['{__name__=~"fed.+"}']
status, kind, body = federate(ALL)
equal((status, kind), (200, "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"), "type")
equal(body.decode(), f'''# TYPE fed_dots_x untyped
fed_dots_x{{my_label="v",instance=""}} -3 {T}
# TYPE fed_a untyped
fed_a{{job="x",instance=""}} 1e+06 {T}
fed_a{{job="y",q="a\\"b\\\\c\\nd",instance=""}} NaN {T}
# TYPE fed_b untyped
fed_b{{instance="i:1",job="x"}} 2.5 {T}
''', "text")

step("selectors")
equal(federate([])[::2], (200, b""), "none")
equal(federate(["fed_b", 'fed_b{job="x"}', "fed_b"])[2].count(b"fed_b{"), 1, "found by several, sent once")
status, _, body = federate(["fed_b{"])
check(status == 400 and b"parse error" in body, body)
equal(varve.request("POST", "/federate")[0], 405, "POST")

step("escapings and formats")
names = lambda escaping: federate(ALL, f"text/plain;version=0.0.4;escaping={escaping}")[2].decode().split("\n")[1].split(" ")[0]
equal(names("allow-utf-8"), '{"fed.dots_x","my.label"="v",instance=""}', "UTF-8")
equal(names("dots"), 'fed_dot_dots__x{my_dot_label="v",instance=""}', "dots")
equal(names("values"), 'U__fed_2e_dots__x{U__my_2e_label="v",instance=""}', "values")
status, kind, body = federate(["fed_a"], "application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
equal(kind, "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores", "type")
check(f" {T / 1000:.3f}".rstrip("0").rstrip(".").encode() + b"\n" in body, f"seconds without exponent: {body}")
check(body.startswith(b"# TYPE fed_a unknown\n") and body.endswith(b"# EOF\n") and b" 1e+06 " in body, body)
equal(federate(["fed_a"], "application/openmetrics-text;version=1.0.0;q=0.2,text/plain;q=0.5")[1][:10], "text/plain", "best q")
equal(federate(["fed_a"], "*/*")[1][:10], "text/plain", "anything")
status, kind, body = federate(["fed_b"], "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited")
check(kind.startswith("application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"), kind)
equal(body[0], len(body) - 1, "delimited")
check(body[1:10] == b"\x0a\x05fed_b\x18\x03" and struct.pack("<d", 2.5) in body, body)
status, headers, body = varve.request("GET", "/federate?match[]=" + urllib.parse.quote(ALL[0]), headers={"Accept-Encoding": "gzip"})
if headers.get("content-encoding") == "gzip":
    body = gzip.decompress(body)
check(b"fed_b{" in body, "gzip")

if shutil.which("prometheus"):
    step("Prometheus scrapes it with honor_labels")
    d, port = folder(), free_port()
    with open(os.path.join(d, "p.yml"), "w") as f:
        f.write(f"""
scrape_configs:
- job_name: federate
  honor_labels: true
  scrape_interval: 1s
  metrics_path: /federate
  params: {{'match[]': ['{{__name__=~"fed_.+"}}']}}
  static_configs: [{{targets: ['127.0.0.1:{varve.port}']}}]
""")
    start(["prometheus", f"--config.file={d}/p.yml", f"--storage.tsdb.path={d}/data", f"--web.listen-address=127.0.0.1:{port}"],
          stdout=open(os.path.join(d, "log"), "wb"), stderr=-2)

    def series():
        try:
            url = f"http://127.0.0.1:{port}/api/v1/query?" + urllib.parse.urlencode({"query": '{__name__=~"fed_.+"}'})
            r = json.load(urllib.request.urlopen(url))["data"]["result"]
        except OSError:
            return None
        return sorted((sorted(x["metric"].items()), x["value"][1]) for x in r) or None

    got = until("a scrape", series)
    want = sorted((sorted(l.items()), v) for l, v in [(data[0][0], "2.5"), (data[1][0], "1000000"), (data[2][0], "NaN")])
    equal(got, want, "series with their own labels")
varve.stop()
step("done")
