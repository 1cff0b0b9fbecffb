#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""GStreamer's webrtcbin as a WHIP publisher or a WHEP player; it has no elements for these in 1.22,
so the HTTP is done here.

usage: gst_peer.py publish|play URL [--codec VP8|H264] [--restart] [--offer]

Prints a line of JSON once a second: {"state", "frames", "samples", "sent"}: pictures and audio
buffers decoded (play), packets that have gone out as webrtcbin counts them (publish). `--restart`
asks for an ICE restart after three seconds, `--offer` only prints the offer. Ends with SIGTERM and
a DELETE."""
import json
import signal
import sys
import urllib.error
import urllib.parse
import urllib.request

import gi
gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

VIDEO = {
    "VP8": "vp8enc deadline=1 cpu-used=8 keyframe-max-dist=60 target-bitrate=300000 "
           "! rtpvp8pay pt=96 picture-id-mode=15-bit",
    "H264": "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=30 bitrate=300 "
            "! video/x-h264,profile=constrained-baseline ! rtph264pay pt=96 config-interval=-1",
}
FMTP = {"VP8": "", "H264": ",packetization-mode=(string)1,profile-level-id=(string)42e01f"}
NAME = {"VP8": "VP8", "H264": "H264"}
DEPAY = {"VP8": "rtpvp8depay ! vp8dec", "H264": "rtph264depay ! avdec_h264",
         "OPUS": "rtpopusdepay ! opusdec"}


def caps_of(kind, codec):
    if kind == "audio":
        return "application/x-rtp,media=audio,encoding-name=OPUS,payload=97,clock-rate=48000," \
               "encoding-params=(string)2"
    return f"application/x-rtp,media=video,encoding-name={codec},payload=96," \
           f"clock-rate=90000,rtcp-fb-nack-pli=(boolean)true{FMTP[codec]}"


class Http:
    """The session's resource: made by POST, changed by PATCH, ended by DELETE."""

    def __init__(self, endpoint):
        self.endpoint = endpoint
        self.location = None
        self.etag = None

    def call(self, method, url, body=None, **headers):
        request = urllib.request.Request(url, method=method, data=body and body.encode(),
                                         headers=headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            self.etag = answer.headers.get("ETag", self.etag)
            return answer.headers, answer.read().decode()

    def offer(self, sdp):
        headers, answer = self.call("POST", self.endpoint, sdp,
                                    **{"Content-Type": "application/sdp"})
        self.location = urllib.parse.urljoin(self.endpoint, headers["Location"])
        return answer

    def delete(self):
        if self.location:
            self.call("DELETE", self.location)


class Peer:
    def __init__(self, mode, url, codec):
        self.mode = mode
        self.codec = codec
        self.http = Http(url)
        self.loop = GLib.MainLoop()
        self.counts = {"frames": 0, "samples": 0, "sent": 0}
        self.failure = None
        self.offered = False
        if mode == "publish":
            self.pipe = Gst.parse_launch(
                "webrtcbin name=w bundle-policy=max-bundle "
                "videotestsrc is-live=true pattern=ball "
                "! video/x-raw,format=I420,width=320,height=180,framerate=15/1 "
                f"! {VIDEO[codec]} ! application/x-rtp,media=video,payload=96 ! w. "
                "audiotestsrc is-live=true wave=ticks ! audio/x-raw,channels=2 ! opusenc "
                f"! rtpopuspay pt=97 ! {caps_of('audio', codec)} ! w.")
        else:
            self.pipe = Gst.Pipeline.new("play")
            self.pipe.add(Gst.ElementFactory.make("webrtcbin", "w"))
        self.web = self.pipe.get_by_name("w")
        self.web.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
        self.web.connect("notify::ice-gathering-state", self.on_gathering)
        self.web.connect("pad-added", self.on_pad)
        bus = self.pipe.get_bus()
        bus.add_signal_watch()
        bus.connect("message::error", self.on_error)

    def start(self):
        self.pipe.set_state(Gst.State.PLAYING)
        if self.mode == "publish":
            # Once the caps are through to webrtcbin.
            GLib.timeout_add(100, self.when_ready)
        else:
            for kind in ("video", "audio"):
                self.web.emit("add-transceiver",
                              GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY,
                              Gst.Caps.from_string(caps_of(kind, self.codec)))
            self.make_offer()

    def when_ready(self):
        pads = [pad for pad in self.web.pads if pad.get_direction() == Gst.PadDirection.SINK]
        if not all(pad.get_current_caps() for pad in pads):
            return True
        for i in range(2):
            transceiver = self.web.emit("get-transceiver", i)
            transceiver.set_property("direction",
                                     GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY)
            transceiver.set_property("do-nack", True)
        self.make_offer()
        return False

    def make_offer(self):
        promise = Gst.Promise.new_with_change_func(self.on_offer, None)
        self.web.emit("create-offer", None, promise)

    def on_offer(self, promise, _):
        reply = promise.get_reply()  # which owns the offer
        self.web.emit("set-local-description", reply.get_value("offer"), Gst.Promise.new())

    def on_gathering(self, *_):
        """All candidates are in the offer: what a client that does not trickle does."""
        state = self.web.get_property("ice-gathering-state")
        if state == GstWebRTC.WebRTCICEGatheringState.COMPLETE and not self.offered:
            self.offered = True
            GLib.idle_add(self.send_offer)

    def send_offer(self):
        sdp = self.web.get_property("local-description").sdp.as_text()
        if OFFER:
            print(sdp, end="")
            self.loop.quit()
            return False
        try:
            answer = self.http.offer(sdp)
        except urllib.error.HTTPError as error:
            self.fail(f"HTTP {error.code}: {error.read().decode()}")
            return False
        _, message = GstSdp.SDPMessage.new_from_text(answer)
        described = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, message)
        self.web.emit("set-remote-description", described, Gst.Promise.new())
        return False

    def restart(self):
        """The relay's half of an ICE restart: new credentials, the session goes on."""
        before = self.http.etag
        headers, body = self.http.call(
            "PATCH", self.http.location, "a=ice-ufrag:gstR\r\na=ice-pwd:" + "x" * 24 + "\r\n",
            **{"Content-Type": "application/trickle-ice-sdpfrag", "If-Match": "*"})
        if "a=ice-ufrag:" not in body or headers["ETag"] == before:
            self.fail(f"no ICE restart: {headers} {body}")
        return False

    def on_pad(self, _, pad):
        if pad.get_direction() != Gst.PadDirection.SRC:
            return
        name = pad.get_current_caps().get_structure(0).get_string("encoding-name")
        sink = Gst.parse_bin_from_description(
            f"queue ! {DEPAY[name]} ! fakesink name=sink signal-handoffs=true sync=false", True)
        what = "samples" if name == "OPUS" else "frames"
        sink.get_by_name("sink").connect("handoff", self.on_buffer, what)
        self.pipe.add(sink)
        sink.sync_state_with_parent()
        pad.link(sink.get_static_pad("sink"))

    def on_buffer(self, _sink, _buffer, _pad, what):
        self.counts[what] += 1

    def on_error(self, _, message):
        error, debug = message.parse_error()
        self.fail(f"{error.message} ({debug})")

    def fail(self, why):
        self.failure = why
        self.loop.quit()

    def count_sent(self):
        def on_stats(promise, _):
            sent = 0
            stats = promise.get_reply()
            for i in range(stats.n_fields()):
                entry = stats.get_value(stats.nth_field_name(i))
                if isinstance(entry, Gst.Structure) and "outbound-rtp" in entry.get_name():
                    known, n = entry.get_uint64("packets-sent")
                    sent += n if known else 0
            self.counts["sent"] = sent
        self.web.emit("get-stats", None, Gst.Promise.new_with_change_func(on_stats, None))

    def report(self):
        if self.mode == "publish":
            self.count_sent()
        state = self.web.get_property("connection-state").value_nick
        print(json.dumps({"state": state, **self.counts}), flush=True)
        return True


def main():
    args = [arg for arg in sys.argv[1:] if not arg.startswith("--")]
    codec = "VP8"
    if "--codec" in sys.argv:
        codec = sys.argv[sys.argv.index("--codec") + 1]
        args.remove(codec)
    Gst.init(None)
    peer = Peer(args[0], args[1], codec)
    for number in (signal.SIGTERM, signal.SIGINT):
        GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, number, peer.loop.quit)
    GLib.idle_add(peer.start)
    if not OFFER:
        GLib.timeout_add(1000, peer.report)
    if "--restart" in sys.argv:
        GLib.timeout_add(3000, peer.restart)
    peer.loop.run()
    if peer.failure is None:
        peer.http.delete()
    peer.pipe.set_state(Gst.State.NULL)
    if peer.failure is not None:
        sys.exit(f"gst_peer: {peer.failure}")


OFFER = "--offer" in sys.argv
if __name__ == "__main__":
    main()
