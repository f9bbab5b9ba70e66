"""What an operator sees of queries and can do about them: active queries, ending one, traces, top queries, the slow-query
log, usage of metrics, cardinality, /metrics.
"""
import json
import os
import socket
import threading
import time
import urllib.parse

from lib import Server, check, equal, folder, step, until

T = 1600000000  # start of the data, in seconds
s = Server(flags=["--query.timeout=60s", "--query.max-concurrency=3"])
for part in range(4):
    s.write([({"__name__": "big", "i": str(i)}, [((T + 15 * k) * 1000, i * 7919 + k * 31 & 1023)
                                                 for k in range(500 * part, 500 * part + 500)]) for i in range(200)])
s.write([({"__name__": f"m{n}", "job": "j"}, [(T * 1000, 1)]) for n in range(5)])
HEAVY = {"query": "sum(mad_over_time(big[1h]))", "start": T, "end": T + 11000, "step": 1}
GRAFANA = {"User-Agent": "Grafana/13.2", "X-Dashboard-Uid": "d<1>", "X-Panel-Id": "7", "X-Grafana-Org-Id": "1",
           "X-Panel-Title": "CPU"}


def cpu_seconds(server=s):
    with open(f"/proc/{server.pid()}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Ask(threading.Thread):
    """A request in the background."""

    def __init__(self, path, params, headers=None, server=s):
        super().__init__(daemon=True)
        self.server, self.headers, self.answer = server, headers, None
        self.url = f"/api/v1/{path}?" + urllib.parse.urlencode(params)
        self.start()

    def run(self):
        self.answer = self.server.request("GET", self.url, headers=self.headers)
        self.ended = time.time()


def active(kind=None, server=s):
    status, answer = server.api("status/active_queries")
    equal((status, answer["status"]), (200, "success"), "active queries")
    return [q for q in answer["data"] if kind in (None, q["kind"])]


def cancel(query_id, server=s):
    return server.api(f"status/active_queries/{query_id}/cancel", method="POST")


step("active queries: what runs, for whom, how far it is")
equal(active(), [], "active queries of an idle server")
asked = Ask("query_range", HEAVY, GRAFANA)
q = until("the query is listed with progress", lambda: next((q for q in active() if q["samples"] > 0), None))
equal((q["query"], q["kind"], q["state"]), (HEAVY["query"], "query_range", "running"), "query")
equal((q["start"], q["end"], q["step"]), (T * 1000, (T + 11000) * 1000, 1000), "times in milliseconds")
equal((q["remote_addr"], q["userAgent"], q["dashboardUid"], q["panelId"], q["grafanaOrgId"], q["panelTitle"]),
      ("127.0.0.1", "Grafana/13.2", "d<1>", "7", "1", "CPU"), "origin")
check(len(q["id"]) == 16 and q["duration"].endswith("s") and q["elapsedSeconds"] > 0, f"times of {q}")
equal(q["series"], 200, "series selected")
check(q["bytes"] > 0 and q["memoryBytes"] > 0, f"bytes of {q}")

step("cancel: 503 with upstream's text, the processor is free within 200 ms")
begun = time.time()
equal(cancel(q["id"]), (200, {"status": "success", "data": {"id": q["id"]}}), "cancel")
asked.join(10)
took = asked.ended - begun
equal(asked.answer[0], 503, "status for the canceled client")
equal(json.loads(asked.answer[2])["errorType"], "canceled", "type of error")
equal(json.loads(asked.answer[2])["error"], "query was canceled in query execution", "text")
check(took < 0.2, f"canceling took {took:.3f} s")
before = cpu_seconds()
time.sleep(0.3)
check(cpu_seconds() - before < 0.1, "the processor is still busy")
equal(active(), [], "active queries after it")

step("cancel: refusals")
status, answer = cancel(q["id"])
equal((status, answer["errorType"]), (404, "not_found"), "a query that has ended")
for bad in ("x", "123", "G" * 16, "0" * 17):
    equal(cancel(bad)[0], 400, f"id {bad}")
equal(s.api(f"status/active_queries/{q['id']}/cancel")[0], 405, "GET does not cancel")
plain = Server(admin=False)
status, answer = cancel("0" * 16, plain)
equal(answer["error"], "admin APIs disabled", "without --web.enable-admin-api")
equal(plain.stop(), 0, "exit status")

step("what waits for a worker is queued, and can be canceled there")
running = [Ask("query_range", HEAVY) for _ in range(3)]
until("three run", lambda: sum(q["state"] == "running" for q in active()) == 3)
waiting = Ask("query", {"query": "vector(42)"})
q = until("one waits", lambda: next((q for q in active("query") if q["state"] == "queued"), None))
equal(cancel(q["id"])[0], 200, "cancel of what waits")
for q in active("query_range"):
    cancel(q["id"])
for a in (*running, waiting):
    a.join(10)
    equal(a.answer[0], 503, "status of a canceled query")
    check(json.loads(a.answer[2])["error"].startswith("query was canceled in "), f"text: {a.answer[2]}")
equal(active(), [], "all have ended")

step("a client that leaves frees the processor, and its query is gone")
c = socket.create_connection(("127.0.0.1", s.port))
c.sendall(f"GET /api/v1/query_range?{urllib.parse.urlencode(HEAVY)} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
until("it runs", lambda: active("query_range"))
c.close()
begun = time.time()
until("its entry is gone", lambda: not active(), period=0.01)
took = time.time() - begun
check(took < 0.5, f"a disconnected client's query ended after {took:.3f} s")
print(f"  ended {1000 * took:.0f} ms after the client left")

equal(s.stop(), 0, "exit status")
