"""What the tests of alerts share: stand-ins for Alertmanagers, and Debian's own."""
import http.server
import threading

from lib import *


class Receiver:
    """Alertmanagers on one port: what is posted to /NAME/api/v2/alerts is kept as posts[NAME] = [(time, headers, body)].
    `ways[NAME]` is what it does first: a function of the handler; a true value: it has answered."""

    def __init__(self):
        self.posts, self.ways, self.lock = {}, {}, threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                name = self.path.split("/")[1]
                body = self.body = self.rfile.read(int(self.headers["Content-Length"]))
                with outer.lock:
                    outer.posts.setdefault(name, []).append((time.time(), dict(self.headers), body))
                way = outer.ways.get(name)
                if way is not None and way(self):
                    return
                status = 200 if self.path.endswith(f"/{name}/api/v2/alerts") else 404
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *args: None  # clients that give up
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def of(self, name):
        with self.lock:
            return list(self.posts.get(name, []))

    def alerts(self, name):
        """All alerts posted so far, in order."""
        return [a for _, _, body in self.of(name) for a in json.loads(body)]

    def refuse(self, handler):
        handler.send_response(500)
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return True


def status_ok(handler):
    """A way of a Receiver that takes everything."""
    handler.send_response(200)
    handler.send_header("Content-Length", "0")
    handler.end_headers()
    return True


def put(path, text):
    """A file that is never seen half written."""
    with open(path + ".tmp", "w") as f:
        f.write(text)
    os.rename(path + ".tmp", path)


def section(receiver, name, more=""):
    """A section of alerting.alertmanagers, in flow style."""
    return f"  - {{path_prefix: /{name}, static_configs: [{{targets: ['127.0.0.1:{receiver.port}']}}]{more}}}\n"


class Alertmanager:
    """Debian's."""

    def __init__(self):
        self.port, d = free_port(), folder()
        with open(os.path.join(d, "am.yml"), "w") as f:
            f.write("route: {receiver: none, group_wait: 1s}\nreceivers: [{name: none}]\n")
        with open(os.path.join(d, "log"), "wb") as log:
            self.process = start(["prometheus-alertmanager", f"--config.file={d}/am.yml", f"--storage.path={d}/data",
                                  f"--web.listen-address=127.0.0.1:{self.port}", "--cluster.listen-address="],
                                 stdout=log, stderr=log)

    def wait_ready(self):
        until("the Alertmanager is ready", self.is_ready, seconds=120)

    def is_ready(self):
        try:
            c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            c.request("GET", "/-/ready")
            return c.getresponse().status == 200
        except OSError:
            return False

    def query(self, *matchers):
        """Active alerts, as amtool sees them."""
        r = subprocess.run(["amtool", "alert", "query", "-o", "json", f"--alertmanager.url=http://127.0.0.1:{self.port}",
                            *matchers], capture_output=True, text=True)
        check(r.returncode == 0, f"amtool: {r.stderr}")
        return json.loads(r.stdout)
