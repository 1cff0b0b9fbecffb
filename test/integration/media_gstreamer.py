#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Another RTP stack than ffmpeg's: GStreamer publishes and receives, loses packets and asks for
them with NACK, and does SRTP with the AEAD suites."""
import base64
import os
import shutil
import signal
import subprocess

import media
from lossy import Lossy
from sluice import H264, OPUS, VP8, Room, Skip, check, equal, free_ports, main, payload_type, \
    test, wait_for

VIDEO_SSRC, AUDIO_SSRC = 33333333, 44444444
FRAMES, SAMPLES = 60, 80000
NACKS = [{"type": "nack", "parameter": ""}, {"type": "nack", "parameter": "pli"}]

PICTURE = "videotestsrc is-live=true horizontal-speed=4 ! " \
               "video/x-raw,width=320,height=180,framerate=25/1 ! videoconvert"
TONE = f"audiotestsrc is-live=true freq={media.TONE_HZ} ! " \
       f"audio/x-raw,rate={media.RATE},channels=2 ! opusenc"
VP8_ENCODE = "vp8enc deadline=1 cpu-used=8 keyframe-max-dist=12 target-bitrate=600000 ! " \
             "rtpvp8pay mtu=1100 picture-id-mode=15-bit"
H264_ENCODE = "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=12 bitrate=600 ! " \
              "video/x-h264,profile=constrained-baseline ! rtph264pay mtu=1100 config-interval=-1"
GREY = f"videoconvert ! videoscale ! video/x-raw,format=GRAY8,width={media.WIDTH}," \
       f"height={media.HEIGHT} ! filesink buffer-mode=unbuffered sync=false location="
SOUND = "audioconvert ! audioresample ! " \
        f"audio/x-raw,format=S16LE,rate={media.RATE},channels=1 ! " \
        "filesink buffer-mode=unbuffered sync=false location="
DECODE = {"VP8": "rtpvp8depay ! vp8dec", "H264": "rtph264depay ! h264parse ! avdec_h264",
          "OPUS": "rtpopusdepay ! opusdec"}


def need(*elements):
    if not shutil.which("gst-launch-1.0"):
        raise Skip("GStreamer is not here")
    for element in elements:
        if subprocess.run(["gst-inspect-1.0", "--exists", element], check=False).returncode:
            raise Skip(f"GStreamer has no {element}")


def launch(work, name, pipeline):
    return work.start(name, ["gst-launch-1.0", "-q", *pipeline.split()])


def caps(kind, name, rate, payload, more=""):
    return f'"application/x-rtp,media={kind},clock-rate={rate},encoding-name={name},' \
           f'payload={payload}{more}"'.replace('"', "")


def udp(port):
    return f"udpsink host=127.0.0.1 port={port} sync=false async=false"


def publish(work, video, audio, source):
    """An rtpbin with two sessions, with sender reports."""
    pipeline = "rtpbin name=b "
    for i, (stream, made) in enumerate(((source, video), (
            f"{TONE} ! rtpopuspay pt=100 ssrc={AUDIO_SSRC}", audio))):
        pipeline += f"{stream} ! b.send_rtp_sink_{i} " \
                    f"b.send_rtp_src_{i} ! {udp(made['tuple']['localPort'])} " \
                    f"b.send_rtcp_src_{i} ! {udp(made['rtcpTuple']['localPort'])} "
    return launch(work, "publisher", pipeline)


class Receiver:
    """Two rtpsessions of a consumer each, with feedback, behind a network that may lose."""

    def __init__(self, work, room, name, video, audio, share=0.0, seed=1):
        self.work, self.room, self.share, self.seed = work, room, share, seed
        self.grey, self.sound = work.path("grey"), work.path("pcm")
        self.networks, self.consumers, self.pipeline = [], [], ""
        self.add("video", name, 90000, video, self.grey, GREY)
        self.add("audio", "OPUS", 48000, audio, self.sound, SOUND)
        self.child = launch(work, "receiver", self.pipeline)

    def add(self, kind, name, rate, producer, path, sink):
        port = free_ports(2)
        lose = self.share if kind == "video" else 0.0
        network = Lossy(lose, self.seed, port, port + 1)
        made = self.room.consume(producer, network.rtp_port, network.rtcp_port,
                                 enableRtx=kind == "video")
        payload = payload_type(made)
        rtx = payload_type(made, True) if kind == "video" else None
        network.start(made["transport"], rtx)
        self.networks.append(network)
        self.consumers.append(made["id"])
        own = f"s{kind}"
        resends = f"rtprtxreceive payload-type-map=application/x-rtp-pt-map,{payload}=(uint){rtx}" \
                  " ! rtpssrcdemux !" if rtx else "rtpssrcdemux !"
        self.pipeline += \
            f"rtpsession name={own} rtp-profile=avpf rtcp-min-interval=50000000 " \
            f"bandwidth=8000000 " \
            f"udpsrc port={port} address=127.0.0.1 buffer-size=1000000 " \
            f"caps={caps(kind, name, rate, payload, ',rtcp-fb-nack=true')} ! " \
            f"{own}.recv_rtp_sink {own}.recv_rtp_src ! {resends} " \
            f"rtpjitterbuffer latency=400 do-retransmission={str(bool(rtx)).lower()} ! " \
            f"{DECODE[name]} ! {sink}{path} " \
            f"udpsrc port={port + 1} address=127.0.0.1 ! {own}.recv_rtcp_sink " \
            f"{own}.send_rtcp_src ! {udp(network.feedback_port)} "

    def wait(self, frames=FRAMES, samples=SAMPLES):
        def there():
            self.child.check_alive()
            return media.frames_n(self.grey) >= frames and media.samples_n(self.sound) >= samples
        wait_for(there, "decoded media", 40.0)

    def end(self, frames=FRAMES, samples=SAMPLES):
        self.child.stop(signal.SIGINT)
        for network in self.networks:
            network.stop()
        media.check_picture(self.grey, frames)
        media.check_sound(self.sound, samples)


def relay_rtx(work, io, share, codec, name, encode):
    """What both tests of rtpbin share. The relay, the receiver and the video consumer's stats."""
    relay = work.relay("--io", io)
    room = Room(relay.control, [dict(codec, rtcpFeedback=NACKS), OPUS])
    payload = codec["preferredPayloadType"]
    video = room.publish("video", dict(codec, rtcpFeedback=NACKS), VIDEO_SSRC, rtcpMux=False)
    audio = room.publish("audio", OPUS, AUDIO_SSRC, rtcpMux=False)
    receiver = Receiver(work, room, name, video["producer"], audio["producer"], share, 20)
    publisher = publish(work, video, audio,
                        f"{PICTURE} ! {encode} pt={payload} ssrc={VIDEO_SSRC}")
    frames = FRAMES * (3 if share else 1)
    receiver.wait(frames)
    row = relay.call("consumer.getStats", consumerId=receiver.consumers[0])[0]
    publisher.check_alive()
    receiver.end(frames)
    publisher.stop(signal.SIGINT)
    equal(relay.control.totals()["kernel_drops"], 0, "datagrams that the kernel dropped")
    room.close()
    relay.check_empty()
    relay.stop()
    return receiver, row


@test("uring", "mmsg")
def vp8(work, io):
    need("vp8enc", "opusenc", "rtpbin")
    receiver, row = relay_rtx(work, io, 0.0, VP8, "VP8", VP8_ENCODE)
    equal(row["nackPacketsServed"], 0, "packets sent again without loss")
    check(all(network.feedback_n for network in receiver.networks), "receivers report")


@test("uring", "mmsg")
def h264(work, io):
    need("x264enc", "avdec_h264", "opusenc", "rtpbin")
    relay_rtx(work, io, 0.0, H264, "H264", H264_ENCODE)


@test("uring", "mmsg")
def loss_is_recovered(work, io):
    """Of the packets lost on the way to the receiver nearly all come again, as RTX, on NACK; a
    resend that is lost is asked for again. The last ones before the end may still be under way."""
    need("vp8enc", "opusenc", "rtpbin", "rtprtxreceive")
    receiver, row = relay_rtx(work, io, 0.05, VP8, "VP8", VP8_ENCODE)
    network = receiver.networks[0]
    lost, recovered = network.recovered()
    print(f"        {lost} packets lost, {recovered} recovered, {row['nackPacketsServed']} served, "
          f"{row['nackPacketsMissed']} no longer retained")
    check(lost >= 10, f"too few packets lost for a test: {lost}")
    check(row["nackCount"] > 0 and row["nackPacketsServed"] > 0, f"NACKs: {row}")
    check(network.resent >= row["nackPacketsServed"], f"{network.resent} resends: {row}")
    check(recovered >= lost * 0.9, f"{recovered} of {lost} recovered")
    equal(row["nackPacketsMissed"], 0, "packets asked for that were not retained")


SUITES = {"AEAD_AES_128_GCM": ("aes-128-gcm", "null", 28),
          "AEAD_AES_256_GCM": ("aes-256-gcm", "null", 44),
          "AES_CM_128_HMAC_SHA1_32": ("aes-128-icm", "hmac-sha1-32", 30)}


def encrypt(suite, key):
    cipher, auth, _ = SUITES[suite]
    # RTCP's tag is never the short one: RFC 3711 5.2 and RFC 4568 6.2.2.
    rtcp_auth = "null" if auth == "null" else "hmac-sha1-80"
    return f"srtpenc rtp-cipher={cipher} rtp-auth={auth} rtcp-cipher={cipher} " \
           f"rtcp-auth={rtcp_auth} key={key.hex()}"


def decrypt(name, suite, key, port, rtp_caps, reports):
    """RTP goes on; the relay's sender reports, on the same port, into a file."""
    cipher, auth, _ = SUITES[suite]
    rtcp_auth = "null" if auth == "null" else "hmac-sha1-80"
    sealed = rtp_caps.replace("application/x-rtp,", "application/x-srtp,")
    return f"srtpdec name={name} {name}.rtcp_src ! " \
           f"filesink buffer-mode=unbuffered sync=false async=false location={reports} " \
           f"udpsrc port={port} address=127.0.0.1 buffer-size=1000000 " \
           f"caps={sealed},srtp-key=(buffer){key.hex()},srtp-cipher=(string){cipher}," \
           f"srtp-auth=(string){auth},srtcp-cipher=(string){cipher}," \
           f"srtcp-auth=(string){rtcp_auth},roc=(uint)0 ! {name}.rtp_sink " \
           f"{name}.rtp_src ! rtpjitterbuffer latency=100"


@test(*((suite, io) for suite in SUITES for io in ("uring", "mmsg")))
def srtp(work, suite, io):
    need("vp8enc", "opusenc", "srtpenc", "srtpdec")
    relay = work.relay("--io", io)
    room = Room(relay.control, [VP8, OPUS])
    sealed = {"enableSrtp": True, "srtpCryptoSuite": suite}
    sources, sinks = "", ""
    grey, sound = work.path("grey"), work.path("pcm")
    rows = (("video", "VP8", VP8, VIDEO_SSRC, f"{PICTURE} ! {VP8_ENCODE} pt=101", GREY, grey),
            ("audio", "OPUS", OPUS, AUDIO_SSRC, f"{TONE} ! rtpopuspay pt=100", SOUND, sound))
    for i, (kind, name, codec, ssrc, source, sink, path) in enumerate(rows):
        key = bytes((i * 91 + n * 7 + 3) & 0xff for n in range(SUITES[suite][2]))
        keys = {"cryptoSuite": suite, "keyBase64": base64.b64encode(key).decode()}
        made = room.publish(kind, codec, ssrc, keys=keys, **sealed)
        sources += f"{source} ssrc={ssrc} ! {encrypt(suite, key)} ! " \
                   f"{udp(made['tuple']['localPort'])} "
        port = free_ports(2)
        consumer = room.consume(made["producer"], port, keys=keys, enableRtx=False, **sealed)
        own = base64.b64decode(consumer["transport"]["srtpParameters"]["keyBase64"])
        ssrc_out = consumer["rtpParameters"]["encodings"][0]["ssrc"]
        rtp_caps = caps(kind, name, codec["clockRate"], payload_type(consumer),
                        f",ssrc=(uint){ssrc_out}")
        source = decrypt(f"d{kind}", suite, own, port, rtp_caps,
                         work.path(f"{kind}.rtcp"))
        sinks += f"{source} ! {DECODE[name]} ! {sink}{path} "
    receiver = launch(work, "receiver", sinks)
    publisher = launch(work, "publisher", sources)

    def there():
        receiver.check_alive()
        return media.frames_n(grey) >= FRAMES and media.samples_n(sound) >= SAMPLES and \
            all(os.path.getsize(work.path(f"{kind}.rtcp")) for kind in ("video", "audio"))

    wait_for(there, "decoded media and reports", 40.0)
    publisher.check_alive()
    receiver.stop(signal.SIGINT)
    publisher.stop(signal.SIGINT)
    media.check_picture(grey, FRAMES)
    media.check_sound(sound, SAMPLES)
    for kind in ("video", "audio"):
        with open(work.path(f"{kind}.rtcp"), "rb") as file:
            equal(file.read(2), b"\x80\xc8", "the first report, decrypted, is a sender report")
    equal(relay.control.drops()["srtp_auth"], 0, "packets that did not authenticate")
    room.close()
    relay.check_empty()
    relay.stop()


main()
