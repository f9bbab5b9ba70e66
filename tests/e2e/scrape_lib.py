"""What the tests of scraping share: a server of pages, Debian's Prometheus, what both have stored."""
import gzip
import http.server
import threading
import urllib.parse

from lib import *

PROMETHEUS = shutil.which("prometheus")


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
                    body = gzip.compress(body)
                    self.send_header("Content-Encoding", "gzip")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *args: None  # clients that give up
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
    """The same without times: the set of values of each series. What a scrape that failed (the machine was
    busy for a second) says about itself does not count beside those that did not."""
    out = {}
    for k, values in raw(port, selector, range_text).items():
        found = {v for _, v in values}
        about = dict(k).get("__name__", "")
        if about == "up" or about.startswith("scrape_"):
            found = found - {"0"} or {"0"}
        out[k] = sorted(found)
    return out


OWN_TIME = '__name__!~"scrape_duration_seconds|scrape_series_added"'  # leaves out what differs from scrape to scrape


def as_float(name, v):
    """2.42 keeps le and quantile as written; 3.x writes them as floats."""
    return repr(float(v)).replace("inf", "+Inf") if name in ("le", "quantile") else v


def floats(found):
    """The result of raw() or series() with le and quantile as 3.x has them."""
    return {tuple((n, as_float(n, x)) for n, x in k): v for k, v in found.items()}


def good_scrapes(port, jobs, count):
    """Has each of so many jobs been scraped well so many times?"""
    ups = raw(port, 'up{instance=~"127.*"}')
    return len(ups) >= jobs and all([v for _, v in values].count("1") >= count for values in ups.values())


def targets(port):
    return {t["labels"]["job"]: t for t in get(port, "/api/v1/targets?state=active")["data"]["activeTargets"]}


def job(name, port, path, more=""):
    return (f"- job_name: {name}\n  metrics_path: {path}\n{more}"
            f"  static_configs: [{{targets: ['127.0.0.1:{port}']}}]\n")
