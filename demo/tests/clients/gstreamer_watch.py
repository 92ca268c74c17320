"""A WHEP viewer by GStreamer's webrtcbin, for so many seconds.

usage: gstreamer_watch.py URL SECONDS [FMTP]

FMTP are the H.264 format parameters that are offered, as GStreamer caps write them (`packetization-mode=(string)1`); without any, GStreamer
offers H.264 by name alone. At the end one JSON object is printed: what was decoded, and how long nothing came.
"""

import json
import sys
import time
import urllib.error
import urllib.request

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402


class Viewer:
    def __init__(self, url, fmtp):
        self.url, self.location, self.failed = url, None, None
        self.frames, self.last, self.longest = {"video": 0, "audio": 0}, None, 0.0
        self.pipeline = Gst.Pipeline()
        self.webrtc = Gst.ElementFactory.make("webrtcbin")
        assert self.webrtc, "GStreamer has no webrtcbin: install gstreamer1.0-plugins-bad and gstreamer1.0-nice"
        self.webrtc.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
        # The server is on loopback, which is not gathered otherwise.
        # (Kept, because letting go of it here takes it from webrtcbin too.)
        self.ice = self.webrtc.get_property("ice-agent")
        self.ice.emit("add-local-ip-address", "127.0.0.1")
        self.pipeline.add(self.webrtc)
        self.webrtc.connect("pad-added", self.on_pad)
        self.webrtc.connect("notify::ice-gathering-state", self.on_gathering)
        self.webrtc.connect("notify::connection-state", self.on_state)
        self.pipeline.set_state(Gst.State.READY)
        for caps in (
            f"application/x-rtp,media=video,encoding-name=H264,payload=96,clock-rate=90000{fmtp}",
            "application/x-rtp,media=audio,encoding-name=OPUS,payload=97,clock-rate=48000,encoding-params=(string)2",
        ):
            direction = GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY
            self.webrtc.emit("add-transceiver", direction, Gst.Caps.from_string(caps))
        self.pipeline.set_state(Gst.State.PLAYING)
        self.webrtc.emit("create-offer", None, Gst.Promise.new_with_change_func(self.on_offer, None))

    def on_offer(self, promise, _):
        promise.wait()
        reply = promise.get_reply()
        offer = reply.get_value("offer")
        self.webrtc.emit("set-local-description", offer, Gst.Promise.new())

    def on_gathering(self, *_):
        if self.webrtc.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE:
            GLib.idle_add(self.post)

    def post(self):
        offer = self.webrtc.get_property("local-description").sdp.as_text().encode()
        print(offer.decode(), file=sys.stderr)
        call = urllib.request.Request(self.url, data=offer, headers={"Content-Type": "application/sdp"}, method="POST")
        try:
            with urllib.request.urlopen(call, timeout=60) as response:
                self.location, text = response.headers["Location"], response.read()
        except urllib.error.HTTPError as error:
            self.failed = f"{error.code}: {error.read().decode()}"
            return False
        print(text.decode(), file=sys.stderr)
        _, sdp = GstSdp.SDPMessage.new_from_text(text.decode())
        answer = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, sdp)
        self.webrtc.emit("set-remote-description", answer, Gst.Promise.new())
        return False

    def on_state(self, *_):
        state = self.webrtc.get_property("connection-state")
        if state in (GstWebRTC.WebRTCPeerConnectionState.FAILED, GstWebRTC.WebRTCPeerConnectionState.DISCONNECTED):
            self.failed = self.failed or f"the connection is {state.value_nick}"

    def on_pad(self, _, pad):
        if pad.get_direction() != Gst.PadDirection.SRC:
            return
        kind = pad.get_current_caps().get_structure(0).get_string("media")
        decode = "rtph264depay ! avdec_h264" if kind == "video" else "rtpopusdepay ! opusdec"
        chain = Gst.parse_bin_from_description(f"queue ! {decode} ! fakesink name=sink signal-handoffs=true sync=false", True)
        self.pipeline.add(chain)
        chain.get_by_name("sink").connect("handoff", self.on_frame, kind)
        chain.sync_state_with_parent()
        pad.link(chain.get_static_pad("sink"))

    def on_frame(self, _sink, _buffer, _pad, kind):
        self.frames[kind] += 1
        if kind == "video":
            now = time.monotonic()
            if self.last is not None:
                self.longest = max(self.longest, now - self.last)
            self.last = now


def main(base, seconds, fmtp):
    Gst.init(None)
    viewer, loop = Viewer(f"{base}/v1/whep", fmtp), GLib.MainLoop()
    end = time.monotonic() + seconds

    def look():
        if viewer.failed or time.monotonic() >= end:
            loop.quit()
            return False
        return True

    GLib.timeout_add(200, look)
    loop.run()
    ended = None
    if viewer.location:
        with urllib.request.urlopen(urllib.request.Request(base + viewer.location, method="DELETE"), timeout=60) as response:
            ended = response.status
    report = {
        "failed": viewer.failed,
        "pictures": viewer.frames["video"],
        "voice": viewer.frames["audio"],
        "longest_gap": round(viewer.longest, 2),
        "ended": ended,
    }
    print(json.dumps(report))
    viewer.pipeline.set_state(Gst.State.NULL)


if __name__ == "__main__":
    main(sys.argv[1].rstrip("/"), float(sys.argv[2]), "".join(f",{one}" for one in sys.argv[3:]))
