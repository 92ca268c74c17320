"""Clients by aiortc, a WebRTC stack that is not ours: a watcher (WHEP) that keeps the times of its packets, and a speaker (WHIP)."""

import asyncio
import fractions
import time
import wave

import numpy as np
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCRtpReceiver, RTCSessionDescription
from aiortc.contrib.media import MediaBlackhole
from aiortc.mediastreams import MediaStreamError
from aiortc.rtp import RtcpSrPacket
from av import AudioFrame

RATE = {"audio": 48_000, "video": 90_000}
PACKET = 960


async def exchange(server, pc, path):
    """Answers of the server are complete, and so is our offer."""
    await pc.setLocalDescription(await pc.createOffer())
    answer, location, session = await asyncio.to_thread(server.offer, path, pc.localDescription.sdp)
    await pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    return location, session


def connection():
    # Loopback needs no STUN server, and nobody outside is asked.
    return RTCPeerConnection(RTCConfiguration(iceServers=[]))


def listen(receiver, hear, reports):
    """Hands every RTP packet, and every sender report, on before aiortc does."""
    handle, handle_rtcp = receiver._handle_rtp_packet, receiver._handle_rtcp_packet

    async def rtp(packet, arrival_time_ms):
        hear(packet, time.monotonic())
        await handle(packet, arrival_time_ms)

    async def rtcp(packet):
        if isinstance(packet, RtcpSrPacket):
            reports(packet)
        await handle_rtcp(packet)

    receiver._handle_rtp_packet, receiver._handle_rtcp_packet = rtp, rtcp


class Stream:
    """One direction of one medium: times of its packets, unwrapped."""

    def __init__(self, kind):
        self.kind = kind
        self.ssrc = self.first = self.last_seq = self.last_time = None
        self.seqs = set()
        self.lost = self.late = self.packets = 0
        self.frames, self.longest_gap, self.long_gaps = 0, 0.0, 0
        self.arrived = None
        self.behind = []
        self.mapping = None

    def unwrap(self, value, last, bits):
        if last is None:
            return value
        step = (value - last) & ((1 << bits) - 1)
        return last + (step - (1 << bits) if step >> (bits - 1) else step)

    def packet(self, packet, now):
        if self.ssrc not in (None, packet.ssrc):
            return  # Retransmissions have their own; what they repair is seen by the decoder.
        self.ssrc = packet.ssrc
        self.packets += 1
        seq = self.unwrap(packet.sequence_number, self.last_seq, 16)
        if self.last_seq is not None and seq > self.last_seq + 1:
            self.lost += seq - self.last_seq - 1
        elif self.last_seq is not None and seq < self.last_seq:
            self.late += 1
        self.last_seq = max(seq, self.last_seq or seq)
        stamp = self.unwrap(packet.timestamp, self.last_time, 32)
        if self.kind == "audio" or packet.marker:
            # The medium's own time against ours: how far behind it arrives.
            self.behind.append(now - stamp / RATE[self.kind])
        if stamp != self.last_time:
            self.frames += 1
            if self.arrived is not None:
                gap = now - self.arrived
                self.longest_gap = max(self.longest_gap, gap)
                self.long_gaps += gap > 0.2
            self.arrived = now
        self.first = stamp if self.first is None else self.first
        self.last_time = stamp

    def report(self, packet):
        info = packet.sender_info
        if packet.ssrc == self.ssrc and self.last_time is not None:
            stamp = self.unwrap(info.rtp_timestamp, self.last_time, 32)
            self.mapping = info.ntp_timestamp / 2**32 - stamp / RATE[self.kind]

    def take(self):
        """What came since the last call."""
        window = {
            "frames": self.frames,
            "packets": self.packets,
            "lost_packets": self.lost,
            "late_packets": self.late,
            "longest_gap_ms": 1000 * self.longest_gap,
            "gaps_over_200_ms": self.long_gaps,
        }
        behind = float(np.median(self.behind)) if self.behind else None
        self.frames = self.packets = self.lost = self.late = self.long_gaps = 0
        self.longest_gap, self.behind = 0.0, []
        return window, behind


class Watcher:
    """Watches a session and counts."""

    def __init__(self, server, session=None):
        self.server, self.session, self.pc = server, session, connection()
        self.streams = {kind: Stream(kind) for kind in RATE}
        self.sink = MediaBlackhole()

    async def start(self):
        for kind, stream in self.streams.items():
            receiver = self.pc.addTransceiver(kind, direction="recvonly").receiver
            listen(receiver, stream.packet, stream.report)
        self.pc.on("track", self.sink.addTrack)
        path = "/v1/whep" + (f"?session={self.session}" if self.session else "")
        self.location, self.session = await exchange(self.server, self.pc, path)
        await self.sink.start()

    def is_there(self):
        return self.pc.connectionState in ("new", "connecting", "connected")

    async def frames(self, count, patience=30):
        """Waits for so many frames of video."""
        end = time.monotonic() + patience
        while self.streams["video"].frames < count:
            if time.monotonic() > end:
                raise RuntimeError(f"{self.streams['video'].frames} of {count} frames came in {patience} s")
            await asyncio.sleep(0.02)

    def take(self):
        """What came since the last call, and the voice's lead: how much later it arrives than its picture, ms."""
        (video, picture), (audio, voice) = self.streams["video"].take(), self.streams["audio"].take()
        mapped = [self.streams[kind].mapping for kind in ("audio", "video")]
        return {
            "video": video,
            "audio": audio,
            "av_offset_ms": None if None in (picture, voice) else 1000 * (voice - picture),
            "reported_offset_ms": None if None in mapped else 1000 * (mapped[0] - mapped[1]),
        }

    async def stop(self):
        """Whether the connection had lasted until now."""
        lasted = await asyncio.to_thread(self.server.delete, self.location)
        await self.sink.stop()
        await self.pc.close()
        return lasted


class Speech(MediaStreamTrack):
    """Speaks for 12 s, is silent for 8 s; in every fifth round the silence is one without packets, as of a microphone that is off."""

    kind = "audio"

    def __init__(self, file):
        super().__init__()
        with wave.open(str(file)) as sound:
            assert (sound.getnchannels(), sound.getsampwidth()) == (1, 2), f"{file} is not mono with 16 bits"
            rate = sound.getframerate()
            pcm = np.frombuffer(sound.readframes(sound.getnframes()), np.int16).astype(np.float64)
        at = np.arange(int(len(pcm) * RATE["audio"] / rate)) * rate / RATE["audio"]
        self.pcm = np.interp(at, np.arange(len(pcm)), pcm).astype(np.int16)
        self.start, self.sent = None, 0

    async def recv(self):
        if self.readyState != "live":
            raise MediaStreamError
        self.start = self.start or time.monotonic()
        seconds = self.sent / RATE["audio"]
        turn, second = divmod(seconds, 20)
        if turn % 5 == 4 and 12 <= second < 19:
            self.sent += 7 * RATE["audio"]
        await asyncio.sleep(max(0.0, self.start + self.sent / RATE["audio"] - time.monotonic()))
        block = np.zeros(PACKET, np.int16)
        if second < 12:
            block = np.take(self.pcm, np.arange(self.sent, self.sent + PACKET), mode="wrap")
        frame = AudioFrame(format="s16", layout="mono", samples=PACKET)
        frame.planes[0].update(block.tobytes())
        frame.sample_rate, frame.pts, frame.time_base = RATE["audio"], self.sent, fractions.Fraction(1, RATE["audio"])
        self.sent += PACKET
        return frame


class Speaker:
    """Brings a microphone to a session."""

    def __init__(self, server, session, file):
        self.server, self.session, self.pc = server, session, connection()
        self.pc.addTrack(Speech(file))

    def is_there(self):
        return self.pc.connectionState in ("new", "connecting", "connected")

    async def start(self):
        self.location, _ = await exchange(self.server, self.pc, f"/v1/whip?session={self.session}")

    async def stop(self):
        """Whether the connection had lasted until now."""
        lasted = await asyncio.to_thread(self.server.delete, self.location)
        await self.pc.close()
        return lasted
