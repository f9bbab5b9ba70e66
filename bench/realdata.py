#!/usr/bin/env python3
"""Disk on real data: a day of node_exporter at 15 s, pushed, compacted and measured.

    bench/realdata.py [--only varve,victoria,prometheus] [--hours 24] [--file bench/data/node_exporter_5s.bin.xz]

Every third sample of the 5 s recording is taken, and the recording is repeated end to end with
counters carried on, so that values look as they do over a day. Prints bytes per sample, everything
in the data directory included, after a clean stop.
"""
import argparse
import http.client
import lzma
import os
import re
import shutil
import struct
import sys
import tempfile
import time

import compare

HERE = os.path.dirname(os.path.abspath(__file__))


def read_recording(path, stride):
    """[(name, [t...], [v...])]"""
    with lzma.open(path) as f:
        data = f.read()
    count, pos, out = struct.unpack_from("<I", data)[0], 4, []
    for _ in range(count):
        size, n = struct.unpack_from("<II", data, pos)
        pos += 8
        name = data[pos:pos + size].decode()
        pos += size
        ts = struct.unpack_from(f"<{n}q", data, pos)[::stride]
        values = struct.unpack_from(f"<{n}d", data, pos + 8 * n)[::stride]
        pos += 16 * n
        out.append((name, ts, values))
    return out


def labels_of(name):
    m = re.match(r'([^{]+)(?:\{(.*)\})?$', name)
    labels = {"__name__": m.group(1), "job": "node", "instance": "127.0.0.1:9100"}
    for k, v in re.findall(r'([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"', m.group(2) or ""):
        labels[k] = v.replace('\\"', '"').replace("\\n", "\n").replace("\\\\", "\\")
    return labels


def decimals(v):
    text = repr(v)
    return len(text.split(".")[1]) if "." in text and "e" not in text else 0


def stretched(name, values, rounds):
    """The values repeated `rounds` times; counters go on from where they ended."""
    rising = all(b >= a for a, b in zip(values, values[1:])) and values[-1] != values[0]
    if not rising:
        return list(values) * rounds
    digits = max(decimals(v) for v in values)
    gain = values[-1] - values[0] + (values[1] - values[0])
    return [round(v + k * gain, digits) for k in range(rounds) for v in values]


def varint(n):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def field(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def push(port, message):
    out = bytearray(varint(len(message)))
    for i in range(0, len(message), 65536):
        piece = message[i:i + 65536]
        out += bytes([61 << 2]) + struct.pack("<H", len(piece) - 1) + piece
    for _ in range(50):
        c = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        c.request("POST", "/api/v1/write", bytes(out), {"Content-Type": "application/x-protobuf",
                  "Content-Encoding": "snappy", "X-Prometheus-Remote-Write-Version": "0.1.0"})
        status = c.getresponse().status
        c.close()
        if status // 100 == 2:
            return
        time.sleep(0.2)
    sys.exit(f"push answered {status}")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--only", default="varve,victoria,prometheus")
    p.add_argument("--hours", type=float, default=24)
    p.add_argument("--file", default=os.path.join(HERE, "data/node_exporter_5s.bin.xz"))
    p.add_argument("--settle", type=float, default=10, help="seconds for compaction after the restart")
    p.add_argument("--days-ago", type=float, default=0, help="end of the data: all of it compacts when days back")
    p.add_argument("--keep", help="keep the data directory of Varve here")
    args = p.parse_args()
    recording = read_recording(args.file, 3)
    times = max((ts for _, ts, _ in recording), key=len)
    steps = [b - a for a, b in zip(times, times[1:])] + [15000]
    rounds = max(1, round(args.hours * 3600 * 1000 / sum(steps)))
    end = int((time.time() - args.days_ago * 86400) * 1000) - 60000
    stamps = [end - sum(steps) * rounds]
    for d in steps * rounds:
        stamps.append(stamps[-1] + d)
    series = [(b"".join(field(1, field(1, k.encode()) + field(2, v.encode()))
                        for k, v in sorted(labels_of(name).items())), stretched(name, values, rounds))
              for name, ts, values in recording if len(ts) == len(times)]
    samples = sum(len(v) for _, v in series)
    print(f"{len(series)} series, {samples} samples, {rounds} repetitions", file=sys.stderr)
    for kind in args.only.split(","):
        folder = tempfile.mkdtemp(prefix=f"real-{kind}-")
        server = compare.Server(kind, folder)
        try:
            server.start()
            for i in range(0, len(stamps) - 1, 4):  # four scrapes a request
                message = bytearray()
                for labels, values in series:
                    body = bytearray(labels)
                    for k in range(i, min(i + 4, len(values))):
                        body += field(2, b"\x09" + struct.pack("<d", values[k]) + b"\x10" + varint(stamps[k]))
                    message += field(1, bytes(body))
                push(server.port, bytes(message))
            server.stop()
            server.start()
            time.sleep(args.settle)
            server.stop()
            print(f"{kind:12} {server.disk() / samples:.4f} bytes per sample ({server.disk()} bytes)")
            if args.keep and kind == "varve":
                shutil.copytree(os.path.join(folder, "data"), args.keep)
        finally:
            if server.process.poll() is None:
                server.process.kill()
            shutil.rmtree(folder, ignore_errors=True)


main()
