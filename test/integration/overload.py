#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Too much of everything: a publisher far above the planned rate, too few slots, rubbish at the
media ports. The relay goes on, says what it dropped and why, and relays in order afterwards."""
import time

from sluice import VP8, Load, Room, check, equal, main, parse_metrics, test, wait_for

SSRC = 7777
NACKS = dict(VP8, rtcpFeedback=[{"type": "nack", "parameter": ""}])


def metrics(relay):
    return parse_metrics(relay.call("server.metrics")["text"])


def room_of(relay, load, codec=VP8, rtx=False, **options):
    room = Room(relay.control, [codec])
    made = room.publish("video", codec, SSRC, **options)
    for port in load.ports:
        room.consume(made["producer"], port, enableRtx=rtx)
    return room, made["tuple"]["localPort"]


def check_relays(load, port, packets=2000, window=50, burst=7):
    """Once the flood is over everything arrives again, in order. The first packets may serve to
    find that the source's numbers have jumped."""
    load.run("publish", port=port, ssrc=SSRC, pt=101, packets=20, window=1, burst=1)
    load.run("settle")
    load.run("reset")
    load.run("publish", port=port, ssrc=SSRC, pt=101, packets=packets, window=window,
             burst=burst)
    for sink in load.run("settle")["sinks"]:
        equal((sink["received"], sink["lost"], sink["gaps"], sink["damaged"]), (packets, 0, 0, 0),
              "received, lost, gaps and damaged after the flood")


def check_answers(relay):
    """The control side answers, in bounded time."""
    began = time.monotonic()
    for _ in range(20):
        relay.call("server.info")
    check(time.monotonic() - began < 10, "the control socket is slow")


@test("uring", "mmsg")
def ten_times_planned(work, io):
    relay = work.relay("--io", io, "--planned-pps", "1000")
    load = Load(work, 20)
    room, port = room_of(relay, load)
    load.begin("publish", port=port, ssrc=SSRC, pt=101, packets=40000, pps=10000, burst=50)
    check_answers(relay)
    sent = load.read()["sent"]
    load.run("settle")
    check_relays(load, port)
    sums, drops = metrics(relay)
    kernel = sums["sluice_worker_kernel_drops"]
    print(f"        of {sent} packets {kernel} dropped by the kernel, "
          f"{ {k: v for k, v in drops.items() if v} }")
    equal(sum(drops[reason] for reason in drops if reason not in
              ("keyframe_wait", "send_again", "send_error", "evicted",
               "fanout_late")) - drops["kernel"] + kernel,
          sent + 2020, "every packet is accounted for")
    load.stop()
    room.close()
    relay.check_empty()
    relay.stop()


@test("uring", "mmsg")
def socket_overflows(work, io):
    """As fast as the machine sends, into the smallest buffer: the kernel's drops are exported, so
    that they do not look like the network's."""
    relay = work.relay("--io", io)
    load = Load(work, 10)
    room, port = room_of(relay, load, listen={"recvBufferSize": 4096})
    sent = load.run("publish", port=port, ssrc=SSRC, pt=101, packets=20000, burst=1000)["sent"]
    load.run("settle")
    check_relays(load, port, 2000, 1, 1)
    sums, drops = metrics(relay)
    check(sums["sluice_worker_kernel_drops"] > 0, "the kernel has dropped nothing")
    equal(sums["sluice_worker_rtp_in"] + sums["sluice_worker_kernel_drops"] +
          sum(drops[reason] for reason in ("seq_invalid", "duplicate", "starved", "batch_full")),
          sent + 2020, "every packet is accounted for")
    load.stop()
    room.close()
    relay.check_empty()
    relay.stop()


@test("uring", "mmsg")
def sheds_and_brings_back(work, io):
    """The same with shedding: consumers of low priority go, all are there again afterwards, and
    their numbers have no gap."""
    relay = work.relay("--io", io)
    load = Load(work, 16)
    room = Room(relay.control, [VP8])
    made = room.publish("video", VP8, SSRC, listen={"recvBufferSize": 4096})
    consumers = [room.consume(made["producer"], port, enableRtx=False)["id"]
                 for port in load.ports]
    for consumer in consumers[:8]:
        relay.call("consumer.setPriority", consumerId=consumer, priority=200)
    relay.call("server.setLoad", shed={"enabled": True, "at": 0.9, "until": 0.7, "afterMs": 0,
                                       "calmMs": 200})
    port = made["tuple"]["localPort"]

    def flooded():
        load.run("publish", port=port, ssrc=SSRC, pt=101, packets=20000, burst=1000)
        return relay.control.totals()["shed"] > 0
    wait_for(flooded, "a consumer that is shed", 120)

    def is_shed(consumer):
        return relay.call("consumer.dump", consumerId=consumer)["shed"]
    gone = [is_shed(consumer) for consumer in consumers]
    check(all(gone[8:]) or not any(gone[:8]), f"a high priority went before a low one: {gone}")
    wait_for(lambda: relay.control.totals()["consumers_shed"] == 0, "all consumers again", 120)
    totals = relay.control.totals()
    equal(totals["unshed"], totals["shed"], "brought back")
    relay.call("server.setLoad", shed={"enabled": False})
    load.run("settle")
    check_relays(load, port, 2000, 1, 1)
    load.stop()
    room.close()
    relay.check_empty()
    relay.stop()


@test("uring", "mmsg")
def tiny_slab(work, io):
    """256 slots for a stream that would retain thousands: the oldest give way, counted, and
    receiving never stops."""
    relay = work.relay("--io", io, "--slots", "256")
    load = Load(work, 3)
    room, port = room_of(relay, load, NACKS, True)
    load.run("publish", port=port, ssrc=SSRC, pt=101, packets=10000, window=50)
    for sink in load.run("settle")["sinks"]:
        equal((sink["received"], sink["gaps"]), (10000, 0), "received")
    sums, _ = metrics(relay)
    check(sums["sluice_worker_evicted"] > 5000, f"evicted: {sums['sluice_worker_evicted']}")
    load.run("publish", port=port, ssrc=SSRC, pt=101, packets=20000, burst=500)  # and without care
    load.run("settle")
    check_answers(relay)
    check_relays(load, port)
    load.stop()
    room.close()
    relay.check_empty()
    equal(relay.control.totals()["slots"], 256, "slots")
    relay.stop()


REASONS = ("unknown_class", "runt", "no_peer", "rtcp_invalid", "ext", "csrc", "payload_type",
           "empty")


@test("uring", "mmsg")
def rubbish(work, io):
    """At the media port, from a stranger and from the publisher's own address."""
    relay = work.relay("--io", io)
    load, stranger = Load(work, 5), Load(work, 0, "stranger")
    room, port = room_of(relay, load)
    load.run("publish", port=port, ssrc=SSRC, pt=101, packets=500, window=50)
    load.run("settle")
    stranger.begin("flood", port=port, packets=60000, seed=11)
    load.run("publish", port=port, ssrc=SSRC, pt=101, packets=500, window=50)
    check_answers(relay)
    stranger.read()
    load.run("flood", port=port, packets=30000, seed=12, ssrc=SSRC)
    load.run("flood", port=port, packets=10000, seed=13)
    load.run("settle")
    check_answers(relay)
    check_relays(load, port)
    _, drops = metrics(relay)
    print(f"        { {k: v for k, v in drops.items() if v} }")
    for reason in REASONS:
        check(drops[reason] > 0, f"no drop was counted as {reason}: {drops}")
    load.stop()
    stranger.stop()
    room.close()
    relay.check_empty()
    relay.stop()


@test("uring", "mmsg")
def rubbish_srtp(work, io):
    """With keys nothing passes for media: not a packet is taken, the stream is not disturbed."""
    import base64
    relay = work.relay("--io", io)
    load = Load(work, 0)
    room = Room(relay.control, [VP8])
    suite = "AEAD_AES_128_GCM"
    made = room.publish("video", VP8, SSRC, enableSrtp=True, srtpCryptoSuite=suite,
                        keys={"cryptoSuite": suite,
                              "keyBase64": base64.b64encode(bytes(range(28))).decode()})
    load.run("flood", port=made["tuple"]["localPort"], packets=30000, seed=14, ssrc=SSRC)
    check_answers(relay)
    sums, drops = metrics(relay)
    equal((sums["sluice_worker_rtp_in"], sums["sluice_worker_rtcp_in"]), (0, 0), "accepted")
    check(drops["srtp_auth"] > 0 or drops["not_connected"] > 0, f"{drops}")
    load.stop()
    room.close()
    relay.check_empty()
    relay.stop()


main()
