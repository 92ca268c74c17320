"""A long call: two watchers, a microphone that comes and goes; memory, gaps and the offset of voice and picture over time."""

import argparse
import asyncio
import json
import time
from pathlib import Path

import numpy as np
from clients import Speaker, Watcher
from server import ROOT, Server

PERIOD = 10.0


async def lag(worst):
    """How late this program itself is: what it says of gaps is no better than that."""
    while True:
        began = time.monotonic()
        await asyncio.sleep(0.05)
        worst[0] = max(worst[0], time.monotonic() - began - 0.05)


async def call(server):
    """Two watchers of one session, and who speaks in it."""
    first = Watcher(server)
    await first.start()
    second, speaker = Watcher(server, first.session), Speaker(server, first.session, ROOT / "weights/sample.wav")
    await second.start()
    await speaker.start()
    for watcher in (first, second):
        await watcher.frames(10)
        watcher.take()
    return [first, second], speaker


async def soak(server, minutes):
    worst, rows, cut = [0.0], [], 0
    lateness = asyncio.create_task(lag(worst))
    watchers, speaker = await call(server)
    start = time.monotonic()
    while (now := time.monotonic() - start) < minutes * 60:
        await asyncio.sleep(PERIOD - now % PERIOD)
        if gone := sum(not client.is_there() for client in [speaker, *watchers]):
            # Cut off by the server: counted, and everything done again, so that there is something to measure.
            cut += gone
            for client in [speaker, *watchers]:
                await client.stop()
            watchers, speaker = await call(server)
        rss, threads, files = server.held()
        stats = await asyncio.to_thread(server.stats)
        session = next((s for s in stats["sessions"]), {})
        rows.append({
            "seconds": round(time.monotonic() - start, 1),
            "rss_mb": rss,
            "threads": threads,
            "files": files,
            "client_lag_ms": 1000 * worst[0],
            "watchers": [watcher.take() for watcher in watchers],
            "session": {key: session.get(key) for key in ("fps", "frames", "dropped", "hearing")},
            "server_p95_ms": stats["stages_ms"].get("server", {}).get("p95"),
        })
        worst[0] = 0.0
    lateness.cancel()
    for client in [speaker, *watchers]:
        cut += not await client.stop()
    return rows, cut


def summary(rows):
    """The figures that are asked for."""
    minutes = rows[-1]["seconds"] / 60
    # After ten minutes; in a trial that is shorter, after a sixth of it.
    settled = next(row for row in rows if row["seconds"] >= min(600, rows[-1]["seconds"] / 6))
    tail = [row["rss_mb"] for row in rows[-6:]]
    offsets = [row["watchers"][0]["av_offset_ms"] for row in rows]
    known = [offset for offset in offsets if offset is not None]
    begin = float(np.median(known[: max(6, len(known) // 20)]))
    every = [w[kind] for row in rows for w in row["watchers"] for kind in ("video", "audio")]
    video = [row["watchers"][0]["video"] for row in rows]
    smooth = np.convolve(known, np.ones(6) / 6, "valid") if len(known) >= 6 else np.array(known)
    return {
        "minutes": minutes,
        "rss_mb": {"after_ten_minutes": settled["rss_mb"], "end": float(np.median(tail)), "most": max(r["rss_mb"] for r in rows)},
        "rss_growth_percent": 100 * (float(np.median(tail)) / settled["rss_mb"] - 1),
        "threads": [settled["threads"], rows[-1]["threads"]],
        "files": [settled["files"], rows[-1]["files"]],
        "av_offset_ms": {"start": begin, "farthest_from_it": float(max(abs(smooth - begin), default=0.0)),
                         "end": float(np.median(known[-6:]))},
        "fps": sum(v["frames"] for v in video) / (minutes * 60),
        "lost_packets": sum(v["lost_packets"] for v in every),
        "frames_dropped": rows[-1]["session"]["dropped"],
        "gaps_over_200_ms": sum(v["gaps_over_200_ms"] for row in rows for v in [w["video"] for w in row["watchers"]]),
        "longest_gap_ms": max(v["longest_gap_ms"] for v in video),
        "worst_client_lag_ms": max(row["client_lag_ms"] for row in rows),
    }


def plot(rows, file):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    minutes = [row["seconds"] / 60 for row in rows]
    figure, (memory, offset, gaps) = plt.subplots(3, 1, sharex=True, figsize=(8, 7), layout="constrained")
    memory.plot(minutes, [row["rss_mb"] for row in rows])
    memory.set(ylabel="resident memory, MB", ylim=(0, None))
    for n in range(2):
        offset.plot(minutes, [row["watchers"][n]["av_offset_ms"] for row in rows], label=f"watcher {n + 1}")
        gaps.plot(minutes, [row["watchers"][n]["video"]["longest_gap_ms"] for row in rows], label=f"watcher {n + 1}")
    offset.set(ylabel="voice after picture, ms")
    gaps.set(ylabel="longest gap in 10 s, ms", xlabel="minutes", ylim=(0, None))
    offset.legend()
    figure.savefig(file, dpi=90)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--size", default="256")
    parser.add_argument("--generator", default="warp")
    parser.add_argument("--backend", default="cpu")
    parser.add_argument("--out", type=Path, default=ROOT / "out/soak", help="folder for soak.json and soak.png")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    options = ["--size", arguments.size, "--generator", arguments.generator, "--backend", arguments.backend]
    with Server(*options) as server:
        rows, cut = asyncio.run(soak(server, arguments.minutes))
        log = server.log[:200]
    figures = summary(rows)
    (arguments.out / "soak.json").write_text(json.dumps({"options": options, "summary": figures, "connections_cut": cut, "log": log, "rows": rows}, indent=1))
    plot(rows, arguments.out / "soak.png")
    memory, offset = figures["rss_mb"], figures["av_offset_ms"]
    print(f"{figures['minutes']:.0f} minutes at {arguments.size}², {arguments.generator}, two watchers (aiortc), a microphone (aiortc)")
    print(f"  memory, MB             {memory['after_ten_minutes']:.1f} → {memory['end']:.1f} ({figures['rss_growth_percent']:+.1f} %), at most {memory['most']:.1f}")
    print(f"  threads, files         {figures['threads'][0]} → {figures['threads'][1]}, {figures['files'][0]} → {figures['files'][1]}")
    print(f"  voice after picture    {offset['start']:+.1f} ms at the start, {offset['end']:+.1f} at the end, a minute's mean at most {offset['farthest_from_it']:.1f} from the start")
    print(f"  frames a second        {figures['fps']:.2f}; dropped by the session {figures['frames_dropped']}, packets lost {figures['lost_packets']}")
    print(f"  connections cut off    {cut}")
    print(f"  gaps over 200 ms       {figures['gaps_over_200_ms']}; longest {figures['longest_gap_ms']:.0f} ms (this program itself was late by up to {figures['worst_client_lag_ms']:.0f} ms)")
    print(f"  {arguments.out}/soak.json, soak.png; {len(log)} lines in the server's log")


main()
