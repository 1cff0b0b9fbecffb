#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The main job with ffmpeg: one publisher of VP8 and Opus, two subscribers that decode."""
import os
import signal

import media
from sluice import OPUS, VP8, Room, check, equal, main, payload_type, test, wait_for

SUITE = "AES_CM_128_HMAC_SHA1_80"
VIDEO_SSRC, AUDIO_SSRC = 11111111, 22222222
FRAMES, SAMPLES = 40, 60000


def key(number):
    """30 bytes of master key and salt, in base64."""
    import base64
    return base64.b64encode(bytes((number * 37 + i * 11) & 0xff for i in range(30))).decode()


def host(ip):
    return f"[{ip}]" if ":" in ip else ip


def output(transport, ip, keys):
    """Options and address of one RTP stream of the publisher."""
    port, rtcp = transport["tuple"]["localPort"], transport["rtcpTuple"]["localPort"]
    if keys is None:
        return ["-f", "rtp", f"rtp://{host(ip)}:{port}?rtcpport={rtcp}&pkt_size=1200"]
    return ["-f", "rtp", "-srtp_out_suite", SUITE, "-srtp_out_params", keys["keyBase64"],
            f"srtp://{host(ip)}:{port}?rtcpport={rtcp}&pkt_size=1200"]


def start_publisher(work, video, audio, ip, video_keys=None, audio_keys=None):
    return work.start("publisher", [
        "ffmpeg", "-hide_banner", "-nostdin", "-loglevel", "error",
        "-re", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25",
        "-re", "-f", "lavfi", "-i", f"sine=frequency={media.TONE_HZ}:sample_rate={media.RATE}",
        "-map", "0:v", "-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8",
        "-b:v", "600k", "-g", "12", "-auto-alt-ref", "0", "-lag-in-frames", "0",
        "-payload_type", "101", "-ssrc", str(VIDEO_SSRC), *output(video, ip, video_keys),
        "-map", "1:a", "-c:a", "libopus", "-ac", "2", "-b:a", "64k",
        "-payload_type", "100", "-ssrc", str(AUDIO_SSRC), *output(audio, ip, audio_keys)])


class Subscriber:
    """An ffmpeg that decodes what two consumers are sent: grey pictures, sound, one PNG."""

    def __init__(self, work, room, name, video, audio, ip, keyed):
        self.name = name
        self.grey, self.sound, self.still = (work.path(f"{name}.{kind}")
                                             for kind in ("grey", "pcm", "png"))
        self.consumers = []
        port = self.find_ports(ip)
        lines = ["v=0", f"o=- 0 0 IN IP{6 if ':' in ip else 4} {ip}", "s=sluice",
                 f"c=IN IP{6 if ':' in ip else 4} {ip}", "t=0 0"]
        for i, (kind, producer, codec) in enumerate((("video", video, "VP8/90000"),
                                                     ("audio", audio, "opus/48000/2"))):
            options = {"ip": ip, "to": ip, "paused": True, "enableRtx": False}
            if keyed:  # the subscriber's own key is for the RTCP that it sends
                options.update(enableSrtp=True, srtpCryptoSuite=SUITE,
                               keys={"cryptoSuite": SUITE, "keyBase64": key(9)})
            made = room.consume(producer, port + 2 * i, port + 2 * i + 1, **options)
            self.consumers.append(made["id"])
            payload = payload_type(made)
            lines += [f"m={kind} {port + 2 * i} RTP/{'S' if keyed else ''}AVP {payload}",
                      f"a=rtcp:{port + 2 * i + 1}", f"a=rtpmap:{payload} {codec}"]
            if keyed:
                lines.append(f"a=crypto:1 {SUITE} "
                             f"inline:{made['transport']['srtpParameters']['keyBase64']}")
        with open(work.path(f"{name}.sdp"), "w", encoding="ascii") as file:
            file.write("\n".join(lines) + "\n")
        self.child = work.start(name, [
            "ffmpeg", "-hide_banner", "-nostdin", "-loglevel", "error",
            "-protocol_whitelist", "file,udp,rtp,srtp", "-i", work.path(f"{name}.sdp"),
            "-map", "0:v", "-vsync", "passthrough", "-f", "rawvideo", "-pix_fmt", "gray",
            "-s", f"{media.WIDTH}x{media.HEIGHT}", "-flush_packets", "1", self.grey,
            "-map", "0:a", "-ac", "1", "-ar", str(media.RATE), "-f", "s16le",
            "-flush_packets", "1", self.sound,
            "-map", "0:v", "-vf", "fps=2", "-update", "1", self.still])

    @staticmethod
    def find_ports(ip):
        from sluice import free_ports
        return free_ports(4, ip)

    def has(self, frames, samples):
        self.child.check_alive()
        return (media.frames_n(self.grey) >= frames and
                media.samples_n(self.sound) >= samples)

    def end(self):
        self.child.stop(signal.SIGINT)
        media.check_picture(self.grey, FRAMES)
        media.check_sound(self.sound, SAMPLES)
        with open(self.still, "rb") as file:
            equal(file.read(8), b"\x89PNG\r\n\x1a\n", "the still's first bytes")
        check(os.path.getsize(self.still) > 3000, "a blank picture would be as small")


def check_stats(control, room_ids, subscribers):
    """Between two streams of one source: what came in went out, nothing was lost."""
    video, audio = room_ids
    for producer, least in ((video, FRAMES), (audio, 50)):
        row = control.call("producer.getStats", producerId=producer)[0]
        check(row["packetCount"] >= least, f"packets in: {row}")
        check(row["byteCount"] > 40 * row["packetCount"], f"bytes in: {row}")
        equal((row["packetsLost"], row["duplicates"], row["restarts"]), (0, 0, 0), "of the source")
        check(row["score"] == 10 and row["bitrate"] > 10000, f"score and bit rate: {row}")
        if producer == video:
            check(row["keyFrames"] >= 2, f"key frames: {row}")
    incoming = {}
    for subscriber in subscribers:
        for consumer in subscriber.consumers:
            row = control.call("consumer.getStats", consumerId=consumer)[0]
            source = control.call("consumer.dump", consumerId=consumer)["producerId"]
            incoming[source] = control.call("producer.getStats",
                                            producerId=source)[0]["packetCount"]
            check(0 < row["packetCount"] <= incoming[source], f"packets out: {row}")
            check(row["packetCount"] > incoming[source] * 0.8, f"{row} of {incoming[source]}")
            equal(row["packetsLost"], 0, "packets lost as the subscriber reports")
    sums = control.totals()
    equal(sums["kernel_drops"], 0, "datagrams that the kernel dropped")
    check(sums["rtcp_in"] >= 2 and sums["rtcp_out"] >= 2, "reports go both ways")


def check_pause(control, subscriber):
    """Nothing goes out while paused, neither by the consumer nor by the producer; then it does."""
    consumer = subscriber.consumers[0]
    producer = control.call("consumer.dump", consumerId=consumer)["producerId"]

    def sent():
        return control.call("consumer.getStats", consumerId=consumer)[0]["packetCount"]

    def came():
        return control.call("producer.getStats", producerId=producer)[0]["packetCount"]

    for noun, whom in (("consumer", consumer), ("producer", producer)):
        control.call(f"{noun}.pause", **{f"{noun}Id": whom})
        before, incoming = sent(), came()
        # A paused producer may count what it does not take, or not; audio shows that time goes on.
        if noun == "consumer":
            wait_for(lambda: came() >= incoming + 20, "packets to come in meanwhile")
        else:
            audio = control.totals()["rtp_in"]
            wait_for(lambda: control.totals()["rtp_in"] >= audio + 50, "other packets")
        equal(sent(), before, f"packets sent while the {noun} is paused")
        frames = media.frames_n(subscriber.grey)
        control.call(f"{noun}.resume", **{f"{noun}Id": whom})
        wait_for(lambda: sent() > before + 10, f"packets after the {noun} has resumed")
        wait_for(lambda: media.frames_n(subscriber.grey) > frames + 5,
                 f"decoded frames after the {noun} has resumed")


def relay_media(work, io, ip, keyed):
    relay = work.relay("--io", io)
    control = relay.control
    equal(control.call("server.info")["workers"][0]["engine"], io, "engine")
    room = Room(control, [VP8, OPUS])
    options = {"ip": ip, "rtcpMux": False}
    if keyed:
        options.update(enableSrtp=True, srtpCryptoSuite=SUITE)
    keys = [{"cryptoSuite": SUITE, "keyBase64": key(i)} if keyed else None for i in (1, 2)]
    video = room.publish("video", VP8, VIDEO_SSRC, keys=keys[0], **options)
    audio = room.publish("audio", OPUS, AUDIO_SSRC, keys=keys[1], **options)
    subscribers = [Subscriber(work, room, name, video["producer"], audio["producer"], ip, keyed)
                   for name in ("A", "B")]
    for subscriber in subscribers:
        for consumer in subscriber.consumers:
            control.call("consumer.resume", consumerId=consumer)
    publisher = start_publisher(work, video, audio, ip, *keys)
    equal(control.note("transport.tuple")["tuple"]["remoteIp"], ip, "the publisher's address")
    for subscriber in subscribers:
        wait_for(lambda subscriber=subscriber: subscriber.has(FRAMES, SAMPLES),
                 f"decoded media at {subscriber.name}", 40.0)
    check_stats(control, (video["producer"], audio["producer"]), subscribers)
    check_pause(control, subscribers[0])
    publisher.check_alive()
    for subscriber in subscribers:
        subscriber.end()
    publisher.stop(signal.SIGINT)
    drops = {reason: n for reason, n in control.drops().items() if n and reason != "none"}
    allowed = {"paused", "keyframe_wait", "no_peer"}  # no_peer: reports to a port that is guessed
    check(set(drops) <= allowed, f"drops: {drops}")
    room.close()
    relay.check_empty()
    relay.stop()


@test("uring", "mmsg")
def plain(work, io):
    relay_media(work, io, "127.0.0.1", False)


@test("uring", "mmsg")
def srtp(work, io):
    relay_media(work, io, "127.0.0.1", True)


@test("uring", "mmsg")
def ipv6(work, io):
    relay_media(work, io, "::1", False)


@test()
def wrong_key(work):
    """With another key than the publisher's nothing is decrypted, counted, and nothing goes out."""
    relay = work.relay()
    room = Room(relay.control, [VP8, OPUS])
    options = {"rtcpMux": False, "enableSrtp": True, "srtpCryptoSuite": SUITE}
    streams = [room.publish(kind, codec, ssrc, **options,
                            keys={"cryptoSuite": SUITE, "keyBase64": key(5)})
               for kind, codec, ssrc in (("video", VP8, VIDEO_SSRC), ("audio", OPUS, AUDIO_SSRC))]
    other = {"cryptoSuite": SUITE, "keyBase64": key(6)}
    publisher = start_publisher(work, *streams, "127.0.0.1", other, other)
    wait_for(lambda: relay.control.drops()["srtp_auth"] >= 50, "refused packets")
    equal(relay.control.totals()["rtp_in"], 0, "packets accepted")
    publisher.stop(signal.SIGINT)
    room.close()
    relay.check_empty()
    relay.stop()


main()
