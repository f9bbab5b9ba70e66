"""Scraping, side by side with Prometheus: the same pages, served to both, must leave the same series and samples;
broken pages, limits, staleness, reloads and the targets API."""
import gzip
import urllib.parse

from scrape_lib import *


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
        until("three scrapes of each", lambda: good_scrapes(server.port, len(jobs), 3), 60)
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
    switches = {f"__{k}__": mine["discoveredLabels"].pop(f"__{k}__", None)
                for k in ("scrape_native_histograms", "always_scrape_classic_histograms", "convert_classic_histograms_to_nhcb")}
    equal(set(switches.values()), {"false"}, f"labels that are new in 3.13: {switches}")
    for key in ("discoveredLabels", "labels", "scrapePool", "scrapeUrl", "globalUrl", "health", "scrapeInterval",
                "scrapeTimeout", "lastError"):
        equal(mine[key], theirs[key], key)
    prom.proc.kill()
    varve.stop()



def main_failures():
    step("what goes wrong fails alone, with Prometheus' reason")
    pages = Pages()
    good = "a 1\n"
    pages.text("/good", good)
    pages.text("/html", "<html>\n", "text/html")
    pages.text("/blank", good, "")
    pages.text("/fallback", good, "text/html")
    pages.text("/broken", "a 1\nb{ 2\n")
    pages.pages["/500"] = (500, "text/plain", b"oops\n")
    pages.text("/large", "a 1\n" * 1000)
    pages.text("/many", "".join(f"m{i} 1\n" for i in range(11)))
    pages.text("/noeof", "a 1\n", "application/openmetrics-text; version=1.0.0")
    pages.text("/nonutf8", b'a{b="\xff"} 1\n')
    pages.text("/labels", 'a{b="1",c="2"} 1\n')
    pages.pages["/slow"] = lambda handler: time.sleep(3)

    def cut(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\na 1\n")
        handler.close_connection = True

    def redirect(handler):
        handler.wfile.write(b"HTTP/1.1 302 Found\r\nLocation: /good\r\nContent-Length: 0\r\n\r\n")

    def loop(handler):
        handler.wfile.write(b"HTTP/1.1 302 Found\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n")

    body = gzip.compress(b"a" * 20_000_000)

    def bomb(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\n"
                            b"Content-Length: %d\r\n\r\n" % len(body) + body)

    pages.pages.update({"/cut": cut, "/redirect": redirect, "/loop": loop, "/bomb": bomb})
    dead = free_port()
    p = pages.port
    reasons = {
        "html": 'received unsupported Content-Type "text/html" and no fallback_scrape_protocol specified for target',
        "blank": "non-compliant scrape target sending blank Content-Type and no fallback_scrape_protocol specified for "
                 "target",
        "broken": 'expected label name, got "2" ("INVALID") while parsing: "b{ 2"',
        "500": "server returned HTTP status 500 Internal Server Error",
        "none": "server returned HTTP status 404 Not Found",
        "large": "body size limit exceeded",
        "bomb": "body size limit exceeded",
        "many": "sample limit exceeded",
        "noeof": "data does not end with # EOF",
        "nonutf8": 'invalid UTF-8 label value: "\\"\\xff\\""',
        "labels": "label_limit exceeded (metric: a, number of labels: 5, limit: 4)",
        "slow": f'Get "http://127.0.0.1:{p}/slow": context deadline exceeded',
        "cut": "unexpected EOF",
        "loop": f'Get "http://127.0.0.1:{p}/loop": stopped after 10 redirects',
        "dead": f'Get "http://127.0.0.1:{dead}/dead": dial tcp 127.0.0.1:{dead}: connect: connection refused',
        "ftp": f'Get "ftp://127.0.0.1:{p}/ftp": unsupported protocol scheme "ftp"',
        "noscheme": f'Get "//127.0.0.1:{p}/noscheme": unsupported protocol scheme ""',
        "badport": 'Get "http://127.0.0.1:99999/badport": invalid port: it must be a number of at most 65535',
        "toomany": "target_limit exceeded (number of targets: 2, limit: 1)",
    }
    failures = os.path.join(folder(), "failures.json")
    text = (f"global: {{scrape_interval: 1s, scrape_timeout: 1s, scrape_failure_log_file: {failures}}}\n"
            "scrape_configs:\n")
    rule = "  relabel_configs: [{target_label: __%s__, replacement: '%s'}]\n"
    more = {"ftp": rule % ("scheme", "ftp"), "noscheme": rule % ("scheme", ""), "badport": rule % ("address", "127.0.0.1:99999"), "large": "  body_size_limit: 1KB\n", "bomb": "  body_size_limit: 1MB\n", "many": "  sample_limit: 10\n",
            "labels": "  label_limit: 4\n"}
    for name in [*reasons, "good", "redirect", "fallback"]:
        if name == "toomany":
            text += ("- job_name: toomany\n  target_limit: 1\n"
                     f"  static_configs: [{{targets: ['127.0.0.1:{p}', 'localhost:{p}']}}]\n")
        else:
            text += job(name, dead if name == "dead" else p, f"/{name}",
                        more.get(name, "") + ("  fallback_scrape_protocol: PrometheusText0.0.4\n"
                                              if name == "fallback" else ""))
    varve = Server(flags=[f"--config.file={config(text)}"])
    until("two scrapes of each", lambda: len(raw(varve.port, "up")) == len(reasons) + 4 and all(
        len(v) >= 2 for v in raw(varve.port, "up").values()), 30)
    for name, t in targets(varve.port).items():
        equal(t["lastError"], reasons.get(name, ""), f"reason of {name}")
        equal(t["health"], "down" if name in reasons else "up", f"health of {name}")
    for k, v in series(varve.port, "up").items():
        equal(v, ["0" if dict(k)["job"] in reasons else "1"], f"up of {k}")
    with open(failures) as f:
        logged = [json.loads(line) for line in f]
    equal({(x["job_name"], x["msg"]) for x in logged}, set(reasons.items()), "failure log")
    equal(sorted(logged[0]), ["job_name", "level", "msg", "target", "time"], "its fields")
    ok = {dict(k)["job"] for k in raw(varve.port, "a")}
    equal(ok, {"good", "redirect", "fallback"}, "samples of whole pages only")
    equal(series(varve.port, 'scrape_samples_scraped{job="many"}'), {
        k: ["11"] for k in series(varve.port, 'scrape_samples_scraped{job="many"}')}, "samples over the limit counted")
    varve.stop()


def main_staleness():
    step("series end when they leave the page, a scrape fails, a target goes away; reloads keep the rest")
    pages = Pages()
    pages.text("/x", "a 1\nb 1\n")
    pages.text("/y", "c 1\n")
    head = "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n"
    path = config(head + job("x", pages.port, "/x") + job("y", pages.port, "/y"))
    varve = Server(flags=[f"--config.file={path}"])

    def value(query):
        r = get(varve.port, "/api/v1/query?query=" + urllib.parse.quote(query))["data"]["result"]
        return r[0]["value"][1] if r else None

    until("all there", lambda: value("a") and value("b") and value("c"))
    pages.text("/x", "a 1\n")
    until("b ended", lambda: value("b") is None, 5)
    check(value("a") == "1", "a goes on")
    pages.pages["/x"] = (500, "text/plain", b"")
    until("a ended", lambda: value("a") is None, 5)
    pages.text("/x", "a 2\n")
    until("a is back", lambda: value("a") == "2", 5)
    step("a target that goes away ends after two intervals and a tenth")
    with open(path, "w") as f:
        f.write(head + f"- job_name: x\n  metrics_path: /x\n  static_configs: [{{targets: ['localhost:{pages.port}']}}]\n"
                + job("y", pages.port, "/y"))
    varve.request("POST", "/-/reload")
    begun = time.time()
    until("old up ended", lambda: value(f'up{{instance="127.0.0.1:{pages.port}",job="x"}}') is None, 10)
    check(1.5 < time.time() - begun < 5, f"after {time.time() - begun} s")
    check(value(f'up{{instance="localhost:{pages.port}"}}') == "1", "the new one is scraped")
    check(value(f'a{{instance="127.0.0.1:{pages.port}"}}') is None, "its series ended, too")
    times = [float(t) for t, _ in raw(varve.port, "c")[next(iter(raw(varve.port, "c")))]]
    gaps = [b - a for a, b in zip(times, times[1:])]
    check(0.5 < min(gaps) and max(gaps) < 1.5, f"the other job's schedule was not disturbed: {gaps}")
    step("a broken configuration leaves everything as it is")
    with open(path, "a") as f:
        f.write("  nonsense: 1\n")
    check(varve.request("POST", "/-/reload")[0] == 500, "refused")
    equal(get(varve.port, "/api/v1/scrape_pools")["data"]["scrapePools"], ["x", "y"], "pools")
    steps = get(varve.port, "/api/v1/targets/relabel_steps?scrapePool=x&labels=" + urllib.parse.quote('{"a":"b"}'))
    equal(steps["data"], {"steps": []}, "no rules, no steps")
    check("job_name: x" in get(varve.port, "/api/v1/scrape_pools/config?scrapePool=x")["data"]["yaml"], "yaml")
    equal(get(varve.port, "/api/v1/scrape_pools/config?scrapePool=z")["error"],
          'error retrieving scrape config: scrape pool "z" not found', "unknown pool")
    varve.stop()


def main_protobuf():
    step("native histograms: Prometheus' own page as protobuf is as good as its text")
    path = config("scrape_configs: []\n")
    source = Prom(path)
    accept = ("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited")

    def page(accept):
        c = http.client.HTTPConnection("127.0.0.1", source.port, timeout=30)
        c.request("GET", "/metrics", headers={"Accept": accept})
        r = c.getresponse()
        out = (200, r.getheader("Content-Type"), r.read())
        c.close()
        return out

    pages = Pages()
    page(accept)  # makes the series about requests
    pages.pages["/proto"] = page(accept)
    check("protobuf" in pages.pages["/proto"][1], "protobuf page")
    pages.pages["/text"] = page("text/plain;version=0.0.4")
    more = "  scrape_native_histograms: true\n"
    varve = Server(flags=["--config.file=" + config(
        "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n" + job("proto", pages.port, "/proto", more)
        + job("text", pages.port, "/text")
        + job("label", pages.port, "/text", "  relabel_configs: [{target_label: __convert_classic_histograms_to_nhcb__, "
                                            "replacement: 'true'}]\n"))])
    until("scraped", lambda: len(raw(varve.port, "up")) == 3)

    def keys(j):
        return {tuple(x for x in k if x[0] != "job") for k in raw(varve.port, f'{{job="{j}"}}')
                if not dict(k)["__name__"].startswith("scrape_")}

    until("both", lambda: keys("proto") and keys("text"))
    a, b = keys("proto"), keys("text")
    equal(sorted(a ^ b), [], "series of both formats")
    step("a label of the target says what becomes of its histograms")
    histogram = "prometheus_http_request_duration_seconds"
    native = until("native", lambda: varve.query(histogram, time.time()))
    equal({r["metric"]["job"] for r in native}, {"label"}, "jobs with histograms that were converted")
    classic = varve.query(histogram + "_bucket", time.time())
    equal({r["metric"]["job"] for r in classic}, {"proto", "text"}, "jobs with classic ones")
    varve.stop()
    source.proc.kill()


main_compare()
main_failures()
main_staleness()
main_protobuf()
