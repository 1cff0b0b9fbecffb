#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Over many wraps: sequence numbers go round four times, RTP time at least as often (a frame's time
step is large). Nothing is lost, every consumer's numbers and times stay gapless, memory does not
grow. Memory is held against the release build where the test finds a current one."""
import json
import time

from sluice import BIN, LONG, VP8, Load, Room, check, equal, fresh_release, main, test

SSRC = 7777
WRAP = 1 << 16
WRAPS = 40 if LONG else 4
FIRST = WRAP + 100
REST = (WRAPS - 1) * WRAP
SINKS = 2
STANDING = 64
BOOKS = 1 << 20
NACKS = dict(VP8, rtcpFeedback=[{"type": "nack", "parameter": ""}])
TS_STEP = (1 << 32) // 7001  # a burst of 7 packets: 1.3 wraps of RTP time for each of the numbers'


def settled(relay):
    """Pss when what was retained has expired and the pages of slots have been given back: those in
    use soon, those that stood for receiving after some seconds, a part of them each second."""
    for _ in range(60):
        if relay.control.totals()["slots_resident"] <= STANDING:
            break
        time.sleep(0.5)
    time.sleep(2.5)  # the tick that sees that nothing was sent, and the one after it
    equal(relay.control.totals()["slots_resident"] <= STANDING, True, "slots were given back")
    return relay.pss()


@test("uring", "mmsg")
def wraps(work, io):
    release = fresh_release()
    with open(work.path("sluiced.json"), "w", encoding="ascii") as file:
        json.dump({"retention": {"k": 1, "marginMs": 0, "floorMs": 50, "ceilingMs": 100,
                                 "rttUnknownMs": 50}}, file)
    relay = work.relay("--config", work.path("sluiced.json"), "--io", io, folder=release or BIN)
    load = Load(work, SINKS)
    room = Room(relay.control, [NACKS])
    made = room.publish("video", NACKS, SSRC)
    consumers = [room.consume(made["producer"], port)["id"] for port in load.ports]
    port = made["tuple"]["localPort"]
    stream = {"port": port, "ssrc": SSRC, "pt": 101, "ts_step": TS_STEP, "window": 300,
              "pps": 22000}
    load.run("publish", packets=FIRST, seq=65000, **stream)
    first = settled(relay)
    load.run("publish", packets=REST, **stream)
    last = settled(relay)
    print(f"        {'release' if release else 'sanitized'} build: Pss {first / 1048576:.2f} MiB "
          f"after the first wrap, {last / 1048576:.2f} MiB after the last")
    for sink in load.run("settle")["sinks"]:
        equal((sink["received"], sink["lost"], sink["gaps"], sink["duplicates"], sink["ts_wrong"],
               sink["damaged"]), (FIRST + REST, 0, 0, 0, 0, 0),
              "received, lost, gaps, duplicates, wrong times, damaged")
        check(sink["wraps"] >= WRAPS, f"the consumer's numbers wrapped {sink['wraps']} times")
    row = relay.call("producer.getStats", producerId=made["producer"])[0]
    equal((row["packetCount"], row["packetsLost"], row["restarts"], row["duplicates"]),
          (FIRST + REST, 0, 0, 0), "packets, lost, restarts and duplicates of the producer")
    for consumer in consumers:
        row = relay.call("consumer.getStats", consumerId=consumer)[0]
        equal((row["packetCount"], row["packetsDiscarded"]), (FIRST + REST, 0), "of a consumer")
    drops = {reason: n for reason, n in relay.control.drops().items() if n}
    equal(drops, {"none": FIRST + REST}, "packets by what became of them")
    # What may come on top later are the books of slots that a busy machine touches for the first
    # time (13 bytes each) and a page here and there. A leak has no bound.
    check(last - first <= BOOKS, f"memory went from {first} to {last} bytes")
    load.stop()
    room.close()
    relay.check_empty()
    relay.stop()


main()
