"""A WHIP publisher and a WHEP viewer of one session, by aiortc, at the same time: for so many seconds a microphone speaks and a face is watched.

usage: aiortc_call.py URL SPEECH.wav SECONDS

The microphone sends a file over and over. Half-way it goes on as another stream, with another number (SSRC) and the time of an hour before.
At the end one JSON object is printed: what was sent, decoded, heard, and how long nothing came.
"""

import asyncio
import fractions
import json
import math
import sys
import time
import urllib.error
import urllib.request

import aioice.ice
import av
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription

# The server is on loopback, which is not gathered otherwise.
aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]

RATE = 48_000
FRAME = 960


def request(url, method="POST", body=None, headers=None):
    call = urllib.request.Request(url, data=body, headers=headers or {}, method=method)
    try:
        response = urllib.request.urlopen(call, timeout=60)
    except urllib.error.HTTPError as error:
        response = error
    with response:
        return response.status, {name.lower(): value for name, value in response.headers.items()}, response.read().decode()


def samples(path):
    """The whole file, mono at 48 kHz, as 16-bit samples."""
    resampler, out = av.AudioResampler(format="s16", layout="mono", rate=RATE), bytearray()
    with av.open(path) as container:
        for frame in container.decode(audio=0):
            for piece in resampler.resample(frame):
                out += bytes(piece.planes[0])[: piece.samples * 2]
    return bytes(out)


class Microphone(MediaStreamTrack):
    """The file in real time."""

    kind = "audio"

    def __init__(self, pcm):
        super().__init__()
        self.pcm, self.sent, self.start, self.origin = pcm, 0, None, 0

    async def recv(self):
        self.start = self.start or time.monotonic()
        wait = self.start + self.sent * FRAME / RATE - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        at = self.sent * FRAME * 2 % (len(self.pcm) - FRAME * 2)
        frame = av.AudioFrame(format="s16", layout="mono", samples=FRAME)
        frame.planes[0].update(self.pcm[at - at % 2 :][: FRAME * 2])
        frame.sample_rate, frame.time_base = RATE, fractions.Fraction(1, RATE)
        frame.pts = self.origin + self.sent * FRAME
        self.sent += 1
        return frame


async def connect(url, pc):
    """Makes the offer, posts it and takes the answer; gives where to hang up, and the session."""
    await pc.setLocalDescription(await pc.createOffer())
    offer = pc.localDescription.sdp.encode()
    status, headers, answer = await asyncio.to_thread(request, url, "POST", offer, {"Content-Type": "application/sdp"})
    assert status == 201, f"{status}: {answer}"
    await pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    return headers["location"], headers["vultus-session"]


class Watched:
    """Counts what is decoded of a track, and the longest time without."""

    def __init__(self):
        self.frames, self.last, self.longest, self.loudest, self.size = 0, None, 0.0, 0.0, None

    async def watch(self, track):
        while True:
            frame = await track.recv()
            now = time.monotonic()
            if self.last is not None:
                self.longest = max(self.longest, now - self.last)
            self.frames, self.last = self.frames + 1, now
            if track.kind == "video":
                self.size = [frame.width, frame.height]
            else:
                pcm = memoryview(bytes(frame.planes[0])).cast("h")
                self.loudest = max(self.loudest, math.sqrt(sum(x * x for x in pcm[::4]) / len(pcm[::4])) / 32768)


async def main(base, path, seconds):
    speaker, viewer = RTCPeerConnection(), RTCPeerConnection()
    picture, voice, tasks = Watched(), Watched(), []

    sound = Microphone(samples(path))
    microphone = speaker.addTransceiver(sound, direction="sendonly")
    speaker_at, session = await connect(f"{base}/v1/whip", speaker)

    viewer.addTransceiver("video", direction="recvonly")
    viewer.addTransceiver("audio", direction="recvonly")

    @viewer.on("track")
    def on_track(track):
        tasks.append(asyncio.ensure_future((picture if track.kind == "video" else voice).watch(track)))

    viewer_at, _ = await connect(f"{base}/v1/whep?session={session}", viewer)

    heard, lost, end, renewed = [0, 0], [], time.monotonic() + seconds, False
    while time.monotonic() < end:
        await asyncio.sleep(1)
        for name, pc in (("speaker", speaker), ("viewer", viewer)):
            if pc.connectionState in ("failed", "closed", "disconnected"):
                lost.append(f"{name} {pc.connectionState} {seconds - end + time.monotonic():.1f} s after the start")
        if lost:
            break
        _, _, stats = await asyncio.to_thread(request, f"{base}/v1/stats", "GET")
        heard[renewed] += any(one["hearing"] for one in json.loads(stats)["sessions"])
        if not renewed and end - time.monotonic() < seconds / 2:
            # aiortc takes the number from here with every packet, and the time from the frames: an hour earlier.
            microphone.sender._ssrc = (microphone.sender._ssrc + 12_345) % 2**32
            sound.origin = -3600 * RATE
            renewed = True

    sent = [one.packetsSent for one in (await microphone.sender.getStats()).values() if one.type == "outbound-rtp"]
    report = {
        "lost": lost,
        "states": [speaker.connectionState, viewer.connectionState],
        "sent": sum(sent),
        "heard": heard,
        "pictures": picture.frames,
        "size": picture.size,
        "longest_gap": round(picture.longest, 2),
        "voice": voice.frames,
        "loudest": round(voice.loudest, 4),
        "ended": [request(base + at, "DELETE")[0] for at in (speaker_at, viewer_at)],
    }
    for task in tasks:
        task.cancel()
    await asyncio.gather(speaker.close(), viewer.close())
    print(json.dumps(report))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1].rstrip("/"), sys.argv[2], float(sys.argv[3])))
