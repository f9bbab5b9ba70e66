"""Scraping, side by side with Prometheus: the same pages, served to both, must leave the same series and samples;
broken pages, limits, staleness, reloads and the targets API."""
import http.server
import json
import math
import os
import threading
import urllib.parse

from lib import *

PROMETHEUS = shutil.which("prometheus")
AUTO = {"up", "scrape_duration_seconds", "scrape_samples_scraped", "scrape_samples_post_metric_relabeling",
        "scrape_series_added"}


class Pages:
    """A server of pages: `pages[path]` is (status, content type, body) or a function of the request."""

    def __init__(self):
        self.pages, self.requests = {}, []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                path = self.path.split("?")[0]
                outer.requests.append((path, self.path, dict(self.headers)))
                page = outer.pages.get(path, (404, "text/plain", b"no such page\n"))
                if callable(page):
                    page = page(self)
                if page is None:
                    return
                status, kind, body = page
                self.send_response(status)
                if kind:
                    self.send_header("Content-Type", kind)
                if "gzip" in self.headers.get("Accept-Encoding", "") and len(body) > 200:
                    import gzip
                    body = gzip.compress(body)
                    self.send_header("Content-Encoding", "gzip")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def text(self, path, body, kind="text/plain; version=0.0.4; charset=utf-8"):
        self.pages[path] = (200, kind, body if isinstance(body, bytes) else body.encode())


def config(text):
    path = os.path.join(folder(), "prometheus.yml")
    with open(path, "w") as f:
        f.write(text)
    return path


class Prom:
    """Debian's Prometheus with the same configuration."""

    def __init__(self, path):
        self.port = free_port()
        self.data = folder()
        self.proc = start([PROMETHEUS, f"--config.file={path}", f"--storage.tsdb.path={self.data}",
                           f"--web.listen-address=127.0.0.1:{self.port}", "--web.enable-lifecycle",
                           "--log.level=error", "--enable-feature=exemplar-storage"])
        until("prometheus ready", self.ready, 30)

    def ready(self):
        try:
            return self.get("/-/ready")[0] == 200
        except OSError:
            return False

    def get(self, path):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        c.request("GET", path)
        r = c.getresponse()
        out = (r.status, r.read())
        c.close()
        return out


def get(port, path):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    c.request("GET", path)
    r = c.getresponse()
    out = json.loads(r.read())
    c.close()
    return out


def raw(port, selector, range_text="5m"):
    """{labels: [(time, value text)]} of all stored samples, stale markers as Prometheus leaves them out."""
    q = urllib.parse.quote(f"{selector}[{range_text}]")
    out = {}
    for s in get(port, f"/api/v1/query?query={q}")["data"]["result"]:
        out[tuple(sorted(s["metric"].items()))] = s["values"]
    return out


def series(port, selector, range_text="5m"):
    """The same without times: the set of values of each series."""
    return {k: sorted({v for _, v in values}) for k, values in raw(port, selector, range_text).items()}


def targets(port):
    return {t["labels"]["job"]: t for t in get(port, "/api/v1/targets?state=active")["data"]["activeTargets"]}


def job(name, port, path, more=""):
    return (f"- job_name: {name}\n  metrics_path: {path}\n{more}"
            f"  static_configs: [{{targets: ['127.0.0.1:{port}']}}]\n")


def main_compare():
    step("pages of every kind: the same series and values as Debian's Prometheus")
    pages = Pages()
    pages.text("/plain", "# HELP a A.\n# TYPE a counter\na 1\na_b{x=\"y\"} 2.5e-3\nn NaN\ni +Inf\nz 0\nneg -1.25\n"
                         "big 12345678901234567890\ne{q=\"\\\"\\\\\\n\"} 3\n")
    pages.text("/hist", "# TYPE h histogram\n" + "".join(f'h_bucket{{le="{b}"}} {i}\n' for i, b in
               enumerate(["0.1", "1", "10", "1e3", "+Inf"])) + "h_sum 3\nh_count 4\n"
               "# TYPE s summary\ns{quantile=\"0.5\"} 1\ns{quantile=\"1\"} 2\ns_sum 3\ns_count 4\n")
    pages.text("/om", "# TYPE c counter\n# UNIT c_s s\n# HELP c help \\\"x\\\"\nc_total{a=\"b\"} 5 # {trace_id=\"t\"} 1.5\n"
                      "c_created{a=\"b\"} 1.5e9\n# TYPE i info\ni_info{v=\"1\"} 1\n# TYPE st stateset\nst{st=\"a\"} 1\n# EOF\n",
               "application/openmetrics-text; version=1.0.0; charset=utf-8")
    pages.text("/conflict", "a{job=\"other\",instance=\"there\",exported_job=\"x\"} 1\nb{instance=\"\"} 2\n")
    pages.text("/dup", "a 1\na 2\nb{x=\"1\",y=\"2\"} 1\nb{y=\"2\",x=\"1\"} 2\n")
    pages.text("/relabel", "keep_me{a=\"1\"} 1\ndrop_me 2\nkeep_this{b=\"2\"} 3\n")
    relabel = ("  metric_relabel_configs:\n  - {source_labels: [__name__], regex: 'drop_.*', action: drop}\n"
               "  - {regex: 'a', action: labeldrop}\n"
               "  - {source_labels: [b], target_label: c, replacement: 'x-$1'}\n"
               "  relabel_configs:\n  - {source_labels: [__address__], target_label: addr}\n")
    text = ("global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n"
            + job("plain", pages.port, "/plain") + job("hist", pages.port, "/hist") + job("om", pages.port, "/om")
            + job("conflict", pages.port, "/conflict")
            + job("honor", pages.port, "/conflict", "  honor_labels: true\n")
            + job("dup", pages.port, "/dup") + job("relabel", pages.port, "/relabel", relabel)
            + job("params", pages.port, "/plain", "  params: {p: [a, 'b c'], q: ['&']}\n"))
    path = config(text)
    prom, varve = Prom(path), Server(flags=[f"--config.file={path}"])
    jobs = ["plain", "hist", "om", "conflict", "honor", "dup", "relabel", "params"]
    for server in (prom, varve):
        until("three scrapes of each", lambda: all(
            len(v) >= 3 for v in raw(server.port, "up").values()) and len(raw(server.port, "up")) == len(jobs), 30)
    ignore = 'job=~".+",__name__!~"scrape_duration_seconds|scrape_series_added"'
    want, have = series(prom.port, "{" + ignore + "}"), series(varve.port, "{" + ignore + "}")
    # 2.42 keeps le and quantile as they are written; 3.x writes them as floats.
    want = {tuple((n, {"1": "1.0", "10": "10.0", "1e3": "1000.0"}.get(v, v) if n in ("le", "quantile") else v)
                  for n, v in k): v for k, v in want.items()}
    equal(sorted(have), sorted(want), "series")
    for k in want:
        equal(have[k], want[k], f"values of {k}")
    added = series(varve.port, "scrape_series_added")
    wanted = series(prom.port, "scrape_series_added")
    equal(added, wanted, "scrape_series_added")
    step("requests look as Prometheus' do")
    path, line, headers = [r for r in pages.requests if r[0] == "/plain" and "Varve" in r[2]["User-Agent"]
                           and "?" in r[1]][0]
    equal(line, "/plain?p=a&p=b+c&q=%26", "parameters")
    equal(headers["X-Prometheus-Scrape-Timeout-Seconds"], "1", "timeout header")
    equal(headers["Accept-Encoding"], "gzip", "encoding")
    equal(headers["Accept"], "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
          "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
          "text/plain;version=0.0.4;q=0.3,*/*;q=0.2", "accept")
    step("metadata and exemplars are stored")
    meta = get(varve.port, "/api/v1/metadata?metric=c")["data"]["c"][0]
    equal((meta["type"], meta["help"]), ("counter", 'help "x"'), "metadata")
    ex = get(varve.port, "/api/v1/query_exemplars?query=c_total&start=0&end=9999999999")["data"]
    equal(ex[0]["exemplars"][0]["labels"], {"trace_id": "t"}, "exemplar")
    equal(get(varve.port, "/api/v1/targets/metadata?metric=c&match_target={job=\"om\"}")["data"][0]["type"],
          "counter", "target metadata")
    mine = targets(varve.port)["plain"]
    theirs = targets(prom.port)["plain"]
    equal(sorted(mine), sorted(theirs), "keys of a target")
    for key in ("discoveredLabels", "labels", "scrapePool", "scrapeUrl", "globalUrl", "health", "scrapeInterval",
                "scrapeTimeout", "lastError"):
        equal(mine[key], theirs[key], key)
    prom.proc.kill()
    varve.stop()


main_compare()
