"""Run by test_peers_clients.py with Debian's python3, which has these modules: `python_client.py PORT END`."""
import json
import math
import sys

import requests
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

port, end = int(sys.argv[1]), int(sys.argv[2])
url = f"http://127.0.0.1:{port}"
out = {}
with requests.Session() as session:
    get = lambda path, **kw: session.get(url + path, timeout=30, **kw)
    post = lambda path, **kw: session.post(url + path, timeout=30, **kw)
    out["instant"] = get("/api/v1/query", params={"query": "peer_requests_total", "time": end}).json()["data"]["result"]
    form = {"query": 'peer_requests_total{code="200"}', "start": end - 60, "end": end, "step": 15}
    r = post("/api/v1/query_range", data=form)
    assert r.headers["Content-Type"] == "application/json" and r.headers["Content-Encoding"] == "gzip", r.headers
    out["range"] = r.json()["data"]["result"]
    out["series"] = post("/api/v1/series", data={"match[]": ["peer_gauge", "peer_gone"], "start": end - 3000, "end": end}).json()["data"]
    out["labels"] = get("/api/v1/labels", params={"match[]": "peer_seconds_bucket"}).json()["data"]
    out["values"] = get("/api/v1/label/le/values").json()["data"]
    r = post("/api/v1/query", data={"query": "sum("})
    out["error"] = [r.status_code, r.json()["errorType"], r.json()["error"]]
    out["streamed"] = json.loads(b"".join(post("/api/v1/query", data={"query": "peer_gauge[50m]", "time": end},
                                               stream=True).iter_content(1000)))["data"]["result"]
    out["healthy"] = get("/-/healthy").status_code
    match = {"match[]": '{__name__=~"peer_requests_total|peer_gauge"}'}

    def families(parse, text):
        return [[s.name, s.labels, s.value if math.isfinite(s.value) else repr(s.value), float(s.timestamp or 0)]
                for f in parse(text) for s in f.samples]

    out["federate_text"] = families(parse_text, get("/federate", params=match).text)
    r = get("/federate", params=match, headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    out["federate_openmetrics"] = families(parse_openmetrics, r.content.decode())
    own = [(f.name, f.type, f.documentation, len(f.samples)) for f in parse_text(get("/metrics").text)]
    out["metrics"] = own
print(json.dumps(out))
