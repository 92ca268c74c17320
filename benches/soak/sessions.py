"""Sessions one after another: each is watched until pictures have come, then left. What memory stays?"""

import argparse
import asyncio
import json

from clients import Watcher
from server import Server


async def visit(server, frames):
    watcher = Watcher(server)
    await watcher.start()
    await watcher.frames(frames)
    await watcher.stop()


async def visits(server, count, frames, every):
    rows = []
    for n in range(1, count + 1):
        await visit(server, frames)
        if n % every == 0:
            rss, threads, files = server.held()
            rows.append({"sessions": n, "rss_mb": rss, "threads": threads, "files": files})
            print(f"  {n:5} sessions: {rss:6.1f} MB, {threads} threads, {files} files", flush=True)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--every", type=int, default=50)
    parser.add_argument("--frames", type=int, default=25, help="frames that each session is watched for")
    parser.add_argument("--size", default="256")
    parser.add_argument("--generator", default="warp")
    parser.add_argument("--json", help="file for the figures")
    arguments = parser.parse_args()
    options = ["--size", arguments.size, "--generator", arguments.generator, "--backend", "cpu"]
    with Server(*options) as server:
        rows = asyncio.run(visits(server, arguments.count, arguments.frames, arguments.every))
    first, last = rows[0], rows[-1]
    growth = 100 * (last["rss_mb"] / first["rss_mb"] - 1)
    print(f"{first['sessions']} → {last['sessions']} sessions: {first['rss_mb']:.1f} → {last['rss_mb']:.1f} MB ({growth:+.1f} %)")
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump({"options": options, "rows": rows}, file, indent=1)


main()
