"""Strangers flood the UDP port while somebody watches: what does it cost, what does the system drop, and does the watcher notice?"""

import argparse
import asyncio
import hashlib
import hmac
import json
import multiprocessing
import os
import re
import socket
import struct
import time
from pathlib import Path

from clients import Watcher
from server import Server

TICK = os.sysconf("SC_CLK_TCK")
KINDS = ("nothing", "noise", "handshakes", "checks of nobody", "guesses of a password", "media", "forged by the watcher's address")


def check(user):
    """A binding request that is signed with a wrong password (RFC 8489)."""
    name = user.encode()
    body = struct.pack(">HH", 6, len(name)) + name + bytes(-len(name) % 4)
    message = struct.pack(">HHI", 1, len(body) + 24, 0x2112A442) + os.urandom(12) + body
    return message + struct.pack(">HH", 8, 20) + hmac.digest(b"wrong", message, hashlib.sha1)


def handshake():
    """A ClientHello's outer form (RFC 6347)."""
    hello = b"\1\0\0\xc8\0\0\0\0\0\0\0\xc8" + bytes(200)
    return b"\x16\xfe\xfd" + bytes(7) + b"\1" + struct.pack(">H", len(hello)) + hello


def datagrams(kind, ufrag):
    make = {
        "noise": lambda: os.urandom(80),
        "handshakes": handshake,
        "checks of nobody": lambda: check(os.urandom(8).hex() + ":x"),
        "guesses of a password": lambda: check(ufrag + ":x"),
        "media": lambda: b"\x80\x6f" + os.urandom(160),
    }
    return [make[kind]() for _ in range(64)]


def forged(source, target):
    """Media, and records that nobody signed, with the watcher's address as their source. Needs the right to write raw packets."""
    for body in (b"\x80\x6f" + os.urandom(160), b"\x14\xfe\xfd\0\1" + os.urandom(6) + b"\0\1\2"):
        udp = struct.pack(">HHHH", source[1], target, 8 + len(body), 0) + body
        addresses = socket.inet_aton(source[0]), b"\x7f\0\0\1"
        yield struct.pack(">BBHHHBBH4s4s", 0x45, 0, 0, 0, 0, 64, 17, 0, *addresses) + udp


def flood(kind, ufrag, source, port, rate, seconds, sent):
    if source:
        sockets = [socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)]
        messages = list(forged(source, port))
    else:
        sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(16)]
        messages = datagrams(kind, ufrag)
    start, count = time.monotonic(), 0
    while (passed := time.monotonic() - start) < seconds:
        while count < passed * rate:
            sockets[count % len(sockets)].sendto(messages[count % len(messages)], ("127.0.0.1", port))
            count += 1
        time.sleep(0.001)
    sent.value = count


def cpu(pid):
    """Seconds of processor time so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def dropped(port):
    """What the system has dropped of what came for a port."""
    lines = (line.split() for line in Path("/proc/net/udp").read_text().splitlines()[1:])
    return sum(int(line[-1]) for line in lines if int(line[1].split(":")[1], 16) == port)


async def measure(server, rate, seconds):
    watcher, rows = Watcher(server), []
    await watcher.start()
    await watcher.frames(25)
    answer = watcher.pc.remoteDescription.sdp
    ufrag = re.search(r"a=ice-ufrag:(\S+)", answer)[1]
    port = int(re.search(r"127\.0\.0\.1 (\d+) typ host", answer)[1])
    pair = watcher.pc.getTransceivers()[0].receiver.transport.transport._connection._nominated[1]
    pid = server.process.pid
    for kind in KINDS:
        source = pair.local_addr if kind == KINDS[-1] else None
        sent = multiprocessing.Value("l", 0)
        arguments = (kind, ufrag, source, port, rate, seconds, sent)
        process = None if kind == "nothing" else multiprocessing.Process(target=flood, args=arguments)
        watcher.take()
        drops, busy, start = dropped(port), cpu(pid), time.monotonic()
        if process:
            process.start()
        await asyncio.sleep(seconds)
        if process:
            await asyncio.to_thread(process.join)
        passed, now = time.monotonic() - start, watcher.take()
        row = {
            "kind": kind,
            "sent_per_second": sent.value / passed,
            "server_cpu_percent": 100 * (cpu(pid) - busy) / passed,
            "dropped_by_the_system": dropped(port) - drops,
            "video": now["video"],
            "audio": now["audio"],
            "connected": watcher.pc.connectionState == "connected",
            "rss_mb": server.held()[0],
        }
        rows.append(row)
        print(
            f"  {kind:32} {row['sent_per_second']:6.0f}/s: server {row['server_cpu_percent']:4.0f} % of a core, "
            f"{row['dropped_by_the_system']:6} dropped by the system, {row['rss_mb']:4.0f} MB; "
            f"{row['video']['frames'] / passed:4.1f} pictures/s, {row['audio']['lost_packets']} packets of voice lost, "
            f"longest gap {row['video']['longest_gap_ms']:.0f} ms{'' if row['connected'] else ', THE CALL IS OVER'}",
            flush=True,
        )
    lasted = await watcher.stop()
    print("the call lasted" if lasted else "the server had given the call up")
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=20_000, help="datagrams a second")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each kind")
    parser.add_argument("--size", default="256")
    parser.add_argument("--generator", default="warp")
    parser.add_argument("--json", help="file for the figures")
    arguments = parser.parse_args()
    options = ["--size", arguments.size, "--generator", arguments.generator, "--backend", "cpu"]
    with Server(*options) as server:
        rows = asyncio.run(measure(server, arguments.rate, arguments.seconds))
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump({"options": options, "rate": arguments.rate, "rows": rows}, file, indent=1)


main()
