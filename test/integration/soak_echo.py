#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Four echo rooms, each 720p video and Opus sent and received back, accelerated: an hour of stream
time in two minutes (SLUICE_LONG=1: four hours in eight). Sequence numbers and RTP time go round
many times, nothing is lost, and the resident memory of the whole relay stays flat and under 8 MB;
it is that of the release build, where the test finds a current one."""
import json
import statistics

from sluice import BIN, LONG, OPUS, VP8, Load, Room, check, equal, fresh_release, main, test

ROOMS = 4
FASTER = 30            # than in real time
SLICE_SECONDS = 120    # of stream time
SLICES = 120 if LONG else 30
RESIDENT_MAX = 8e6     # bytes
GROWTH_MAX = 1 << 18   # from the second quarter of the time to the last
NACKS = dict(VP8, rtcpFeedback=[{"type": "nack", "parameter": ""}])
# 720p30 at 1.6 Mbit/s, and Opus of 20 ms. RTP time takes large steps, so that it wraps as often as
# the numbers do.
VIDEO = {"pt": 101, "bytes": 1100, "burst": 6, "pps": 180, "ts_step": (1 << 32) // 7001}
AUDIO = {"pt": 100, "bytes": 100, "burst": 1, "pps": 50, "ts_step": (1 << 32) // 30011}


def resident(relay):
    with open(f"/proc/{relay.pid}/status", encoding="ascii") as file:
        for line in file:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    raise AssertionError("no VmRSS")


class Stream:
    """One kind of media of a room, out and back, by a load generator of its own."""

    def __init__(self, work, room, number, codec, media):
        self.load = Load(work, 1, name=f"load{number}")
        self.made = room.publish(codec["kind"], codec, 1000 + number)
        room.consume(self.made["producer"], self.load.ports[0])
        self.packets = media["pps"] * SLICE_SECONDS
        self.sent = 0
        self.first = True
        self.steady = dict(media, port=self.made["tuple"]["localPort"], ssrc=1000 + number,
                           pps=media["pps"] * FASTER, packets=self.packets, window=300)

    def begin(self):
        start = {"seq": 65000} if self.first else {}
        self.first = False
        self.load.begin("publish", **self.steady, **start)
        self.sent += self.packets

    def check(self):
        sink = self.load.run("settle")["sinks"][0]
        equal((sink["received"], sink["lost"], sink["gaps"], sink["duplicates"], sink["ts_wrong"],
               sink["damaged"]), (self.sent, 0, 0, 0, 0, 0),
              "received, lost, gaps, duplicates, wrong times, damaged")
        return sink["wraps"]


@test()
def echo(work):
    release = fresh_release()
    # Retained as long as a quarter of a second is of the stream's time: as many packets.
    with open(work.path("sluiced.json"), "w", encoding="ascii") as file:
        json.dump({"retention": {"k": 1, "marginMs": 0, "floorMs": 8, "ceilingMs": 8,
                                 "rttUnknownMs": 8}}, file)
    relay = work.relay("--config", work.path("sluiced.json"), folder=release or BIN)
    rooms = [Room(relay.control, [NACKS, OPUS]) for _ in range(ROOMS)]
    streams = [Stream(work, room, 2 * i + kind, codec, media) for i, room in enumerate(rooms)
               for kind, (codec, media) in enumerate(((NACKS, VIDEO), (OPUS, AUDIO)))]
    looks = []
    for _ in range(SLICES):
        for stream in streams:
            stream.begin()
        for stream in streams:
            stream.load.read()
        looks.append(resident(relay))
    wraps = [stream.check() for stream in streams]
    rounds = [int(stream.sent / stream.steady["burst"] * stream.steady["ts_step"]) >> 32
              for stream in streams]
    quarter = SLICES // 4
    early = statistics.median(looks[quarter:2 * quarter])
    late = statistics.median(looks[-quarter:])
    build, hours = "release" if release else "sanitized", SLICES * SLICE_SECONDS / 3600
    print(f"        {build} build: {hours:.1f} h of stream time; numbers wrapped {min(wraps)} to "
          f"{max(wraps)} times, RTP time {min(rounds)} to {max(rounds)}; resident "
          f"{looks[0] / 1e6:.2f} MB after the first slice, {early / 1e6:.2f} in the second "
          f"quarter, {late / 1e6:.2f} in the last, {max(looks) / 1e6:.2f} at most")
    check(min(wraps) >= 2 and min(rounds) >= 2, f"wraps: {wraps} of numbers, {rounds} of RTP time")
    if release:
        check(late - early <= GROWTH_MAX, f"resident memory grew from {early} to {late} bytes")
        check(max(looks) < RESIDENT_MAX, f"resident memory was {max(looks)} bytes")
    for stream in streams:
        stream.load.stop()
    for room in rooms:
        room.close()
    relay.check_empty()
    relay.stop()


main()
