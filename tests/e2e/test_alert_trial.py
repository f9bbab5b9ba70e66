"""Test notifications: what came of each integration, in time, from the API and from a terminal; nothing else sends one."""
from alert_lib import *

d, receiver, released = folder(), Receiver(), threading.Event()
SECRET = "canary-77aa"


def answer(status, body=b""):
    def way(handler):
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)
        return True
    return way


receiver.ways = {"good": answer(200), "bad": answer(403, f"no {SECRET}".encode()), "hangs": lambda h: released.wait(60)}
path = os.path.join(d, "am.yml")
with open(path, "w") as f:
    f.write("route: {receiver: none}\nreceivers:\n- {name: none}\n")
    for name, hooks in (("é team", ["good"]), ("mixed", ["good", "bad"]), ("slow", ["hangs", "good"])):
        f.write(f"- {{name: {name}, webhook_configs: [" + ", ".join(
            f"{{url: 'http://127.0.0.1:{receiver.port}/{h}/{SECRET}'}}" for h in hooks) + "]}\n")
s = Server(flags=[f"--alertmanager.config-file={path}"])


def test(name, method="POST"):
    status, _, body = s.request(method, "/api/v1/alerting/test?receiver=" + urllib.parse.quote(name))
    check(SECRET not in body.decode(), body)
    return status, json.loads(body) if body.startswith(b"{") else body


step("a receiver with one integration, with two of which one refuses, with none")
status, said = test("é team")
equal((status, said["data"]["receiver"], [(i["integration"], i["index"], i["status"]) for i in said["data"]["integrations"]]),
      (200, "é team", [("webhook", 0, "sent")]), "one")
m = json.loads(receiver.of("good")[0][2])
equal((m["status"], m["commonLabels"]["alertname"], m["commonLabels"]["test"], m["commonLabels"]["receiver"]),
      ("firing", "VarveTest", "true", "é team"), "the message")
status, said = test("mixed")
equal([i["status"] for i in said["data"]["integrations"]], ["sent", "failed"], "two")
bad = said["data"]["integrations"][1]
check("403" in bad["error"] and bad["retryable"] is False and bad["latencyMs"] >= 0, bad)
equal(len(receiver.of("bad")), 1, "it is asked once")
equal(test("none")[1]["data"]["integrations"], [], "none")

step("what sends nothing")
before = sum(map(len, receiver.posts.values()))
for name, method, want in (("é team", "GET", 405), ("nobody", "POST", 404), ("", "POST", 400)):
    equal(test(name, method)[0], want, f"{method} {name}")
equal(s.request("GET", "/api/v2/alerts")[2], b"[]\n", "alerts")
equal(sum(map(len, receiver.posts.values())), before, "messages")

step("one that hangs holds up neither the others nor queries, and no longer than 10 s; five at once are too many")
began, results = time.time(), []
threads = [threading.Thread(target=lambda: results.append(test("slow"))) for _ in range(4)]
for t in threads:
    t.start()
until("all hang", lambda: len(receiver.of("hangs")) == 4)
equal(test("slow")[0], 503, "the fifth")
equal(s.api("query", query="1")[0], 200, "a query")
check(time.time() - began < 8, f"{time.time() - began:.1f} s")
for t in threads:
    t.join(30)
took = time.time() - began
check(9 < took < 20, f"{took:.1f} s")
equal([[i["status"] for i in said["data"]["integrations"]] for _, said in results], [["failed", "sent"]] * 4, "all four")

step("the end waits for none: it is called off")
results.clear()
thread = threading.Thread(target=lambda: results.append(test("slow")))
thread.start()
until("it hangs", lambda: len(receiver.of("hangs")) == 5)
began = time.time()
equal(s.stop(), 0, "exit status")
check(time.time() - began < 6, f"{time.time() - began:.1f} s to stop")
thread.join(30)
equal([i["status"] for i in results[0][1]["data"]["integrations"]], ["failed", "sent"], "called off, and told so")
s = Server(data=s.data, flags=[f"--alertmanager.config-file={path}"])
released.set()

step("from a terminal")
for name, code, words in (("é team", 0, "sent"), ("mixed", 1, "403"), ("nobody", 1, "no such receiver"), (None, 2, "name of one receiver")):
    p = subprocess.run([VARVE, "alert", "test", f"--url=http://127.0.0.1:{s.port}", *([name] if name else [])], capture_output=True, text=True,
                       timeout=60)
    equal(p.returncode, code, p.stdout + p.stderr)
    check(words in p.stdout + p.stderr and SECRET not in p.stdout + p.stderr, p.stdout + p.stderr)
equal(s.stop(), 0, "exit status")
with open(s.log_path) as f:
    check(SECRET not in f.read(), "a secret is in the log")
s = Server()
equal(test("x")[0], 404, "without Alertmanager's configuration")
print("ok")
