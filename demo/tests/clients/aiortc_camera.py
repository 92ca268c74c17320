"""A WHIP publisher of a camera, by aiortc: a picture for four seconds, then another one.

usage: aiortc_camera.py URL FIRST.jpg SECOND.jpg SECONDS

At the end one JSON object is printed: pictures that were sent, and the status of the goodbye.
"""

import asyncio
import fractions
import json
import sys
import time

import av
from aiortc import MediaStreamTrack, RTCPeerConnection

from aiortc_call import connect, request

RATE = 25
FIRST = 4


def picture(path):
    with av.open(path) as container:
        return next(container.decode(video=0)).reformat(format="yuv420p")


class Camera(MediaStreamTrack):
    """The pictures in real time."""

    kind = "video"

    def __init__(self, paths):
        super().__init__()
        self.pictures, self.sent, self.start = [picture(path) for path in paths], 0, None

    async def recv(self):
        self.start = self.start or time.monotonic()
        wait = self.start + self.sent / RATE - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        frame = self.pictures[self.sent >= FIRST * RATE]
        frame.pts, frame.time_base = self.sent * 90_000 // RATE, fractions.Fraction(1, 90_000)
        self.sent += 1
        return frame


async def main(base, first, second, seconds):
    publisher, camera = RTCPeerConnection(), Camera([first, second])
    publisher.addTransceiver(camera, direction="sendonly")
    at, session = await connect(f"{base}/v1/whip", publisher)
    print(json.dumps({"session": session}), flush=True)
    await asyncio.sleep(seconds)
    print(json.dumps({"sent": camera.sent, "state": publisher.connectionState, "ended": request(base + at, "DELETE")[0]}))
    await publisher.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1].rstrip("/"), *sys.argv[2:4], float(sys.argv[4])))
