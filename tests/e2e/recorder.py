"""A webhook in a process of its own that answers at once and knows what it was told: run by load tests. GET / tells all of it as JSON:
{"alerts": {id: [seconds when it was first told that it fires, how often, the same of its end]}, "messages": n, "bytes": n}.
"""
import asyncio
import json
import subprocess
import sys
import time
import urllib.request


class Told:
    def __init__(self):
        self.alerts, self.messages, self.bytes = {}, 0, 0

    def take(self, body):
        now = time.time()
        self.messages += 1
        self.bytes += len(body)
        for a in json.loads(body)["alerts"]:
            mine = self.alerts.setdefault(a["labels"]["id"], [None, 0, None, 0])
            at = 0 if a["status"] == "firing" else 2
            mine[at] = mine[at] or now
            mine[at + 1] += 1


async def serve(told, reader, writer):
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            size = [line.split(":")[1] for line in head.split("\r\n") if line.lower().startswith("content-length:")]
            body = await reader.readexactly(int(size[0])) if size else b""
            out = b""
            if head.startswith("GET"):
                out = json.dumps(vars(told)).encode()
            else:
                told.take(body)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(out) + out)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    writer.close()


async def main():
    told = Told()
    server = await asyncio.start_server(lambda r, w: serve(told, r, w), "127.0.0.1", 0, limit=1 << 16, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


class Recorder:
    """The process; `stop` ends it."""

    def __init__(self, start=subprocess.Popen):
        self.process = start([sys.executable, __file__], stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline())
        self.url = f"http://127.0.0.1:{self.port}/"

    def told(self):
        with urllib.request.urlopen(self.url, timeout=60) as r:
            return json.load(r)

    def stop(self):
        self.process.kill()
        self.process.wait()


if __name__ == "__main__":
    asyncio.run(main())
