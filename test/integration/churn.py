#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rooms that come and go at random, with media through them, and every way of going: in the end
nothing is left, neither objects nor open files nor memory. SLUICE_LONG=1: ten minutes."""
import base64
import random
import time

from sluice import BIN, LONG, OPUS, VP8, Control, Load, Refused, Room, check, equal, \
    fresh_release, main, test, wait_for

SECONDS = 600 if LONG else 20
SINKS = 16
ROOMS = 6
NACKS = dict(VP8, rtcpFeedback=[{"type": "nack", "parameter": ""}])
SUITES = {"AEAD_AES_128_GCM": 28, "AEAD_AES_256_GCM": 44, "AES_CM_128_HMAC_SHA1_80": 30}
SPARE_BYTES = 1 << 20  # what may differ between two times of rest
SLOTS_REST = 2048  # of both workers
# What first use touches for good: egress buffers, code, the allocator's.
FIRST_USE_BYTES = 4 << 20


class Churn:
    """Live objects by id, and the moves on them."""

    def __init__(self, relay, load, seed):
        self.relay, self.load = relay, load
        self.random = random.Random(seed)
        self.rooms, self.moves, self.packets, self.ssrc = [], {}, 0, 1000
        self.extra = []  # controllers with rooms of their own

    def pick(self, things):
        return self.random.choice(things) if things else None

    def room(self):
        return self.pick(self.rooms)

    def open_room(self):
        if len(self.rooms) >= ROOMS:
            return
        control = self.relay.control
        tied = self.random.random() < 0.3
        if tied:
            control = Control(self.relay.path)
            self.extra.append(control)
        room = Room(control, [NACKS, OPUS], tied=tied)
        room.tied, room.sources, room.sinks = tied, [], []
        self.rooms.append(room)

    def keys(self):
        if self.random.random() < 0.5:
            return {}
        suite = self.pick(sorted(SUITES))
        key = base64.b64encode(self.random.randbytes(SUITES[suite])).decode()
        return {"enableSrtp": True, "srtpCryptoSuite": suite,
                "keys": {"cryptoSuite": suite, "keyBase64": key}}

    def open_source(self):
        room = self.room()
        if room is None or len(room.sources) >= 8:
            return
        self.ssrc += 10
        kind, codec = self.pick([("video", dict(NACKS, rtx=102)), ("audio", OPUS)])
        made = room.publish(kind, codec, self.ssrc, rtcpMux=self.random.random() < 0.5,
                            ip=self.pick(["127.0.0.1", "::1"]), **self.keys())
        made.update(ssrc=self.ssrc, payload=codec["preferredPayloadType"], consumers=[],
                    plain="srtpParameters" not in made and made["tuple"]["localIp"] != "::1")
        room.sources.append(made)

    def open_sink(self):
        room = self.room()
        source = self.pick(room.sources) if room else None
        if source is None or len(room.sinks) >= 24:
            return
        made = room.consume(source["producer"], self.pick(self.load.ports),
                            paused=self.random.random() < 0.3, **self.keys())
        source["consumers"].append(made["id"])
        room.sinks.append(made["transport"]["id"])

    def media(self):
        room = self.room()
        source = self.pick([source for source in room.sources if source["plain"]]) if room else None
        if source is None:
            return
        sent = self.load.run("publish", port=source["tuple"]["localPort"], ssrc=source["ssrc"],
                             pt=source["payload"], packets=self.random.randrange(1, 200),
                             pps=20000, bytes=self.random.randrange(40, 1300))
        self.packets += sent["sent"]

    def toggle(self):
        room = self.room()
        source = self.pick(room.sources) if room else None
        if source is None:
            return
        verb = self.pick(["pause", "resume", "getStats", "dump"])
        self.relay.call(f"producer.{verb}", producerId=source["producer"])
        consumer = self.pick(source["consumers"])
        if consumer:
            verb = self.pick(["pause", "resume", "getStats", "dump", "requestKeyFrame"])
            self.relay.call(f"consumer.{verb}", consumerId=consumer)

    def close_consumer(self):
        room = self.room()
        source = self.pick(room.sources) if room else None
        if source and source["consumers"]:
            consumer = source["consumers"].pop()
            self.relay.call("consumer.close", consumerId=consumer)

    def close_producer(self):
        """With all that consume it; the transport stays, and may be closed with its room."""
        room = self.room()
        if room and room.sources:
            source = room.sources.pop(self.random.randrange(len(room.sources)))
            self.relay.call("producer.close", producerId=source["producer"])

    def close_source(self):
        room = self.room()
        if room and room.sources:
            source = room.sources.pop(self.random.randrange(len(room.sources)))
            self.relay.call("transport.close", transportId=source["id"])

    def close_sink(self):
        room = self.room()
        if room and room.sinks:
            gone = room.sinks.pop(self.random.randrange(len(room.sinks)))
            ids = self.relay.call("transport.dump", transportId=gone)["consumerIds"]
            self.relay.call("transport.close", transportId=gone)
            for source in room.sources:
                source["consumers"] = [one for one in source["consumers"] if one not in ids]

    def close_room(self):
        """By name, or by its controller's end."""
        room = self.room()
        if room is None:
            return
        self.rooms.remove(room)
        if room.tied:
            self.extra.remove(room.control)
            room.control.close()
        else:
            self.relay.call("router.close", routerId=room.id)

    MOVES = (("open_room", 3), ("open_source", 12), ("open_sink", 30), ("media", 15),
             ("toggle", 12), ("close_consumer", 4), ("close_producer", 2), ("close_source", 3),
             ("close_sink", 8), ("close_room", 1))

    def step(self):
        names, weights = zip(*self.MOVES)
        name = self.random.choices(names, weights)[0]
        self.moves[name] = self.moves.get(name, 0) + 1
        getattr(self, name)()
        for control in [self.relay.control, *self.extra]:
            control.notes.clear()

    def end(self):
        while self.rooms:
            self.close_room()
        self.relay.check_empty()
        wait_for(lambda: self.relay.control.census()["connections"] == 1, "controllers to go")


def rest(relay):
    """Pss when nothing more is given back, without the slots: as many stand for receiving as the
    last rate needed, which is checked, and differs."""
    before = None
    for _ in range(60):
        resident = relay.control.totals()["slots_resident"]
        if resident == before:
            break
        before = resident
        time.sleep(1.3)
    check(before <= SLOTS_REST, f"{before} slots have pages at rest")
    return relay.pss() - 2048 * before


def run(moves, seconds):
    """The most sinks at once."""
    end = time.monotonic() + seconds
    high = 0
    while time.monotonic() < end:
        try:
            moves.step()
        except Refused as error:
            check(False, f"after {moves.moves}: {error}")
        high = max(high, sum(len(room.sinks) for room in moves.rooms))
    return high


@test("uring", "mmsg")
def churn(work, io):
    release = fresh_release()
    relay = work.relay("--io", io, "--log-level", "warn", "--workers", "2", folder=release or BIN)
    load = Load(work, SINKS)
    wait_for(lambda: relay.control.totals()["slots"] > 0, "the workers' first turn")
    files, idle = relay.files(), relay.pss()
    moves = Churn(relay, load, 42)
    run(moves, 5)
    moves.end()
    warm = rest(relay)
    high = run(moves, SECONDS / 2)
    census = relay.control.census()
    moves.end()
    after = rest(relay)
    print(f"        {sum(moves.moves.values())} moves, {moves.packets} packets sent, "
          f"{relay.control.totals()['forwarded']} forwarded, {high} sinks at once, "
          f"{census['consumers']} consumers at the end; "
          f"{'release' if release else 'sanitized'} build: Pss {idle / 1048576:.2f} MiB "
          f"idle, {warm / 1048576:.2f} MiB after the first rooms, {after / 1048576:.2f} MiB after")
    check(relay.control.totals()["forwarded"] > 1000, "media has gone through")
    equal(relay.files(), files, "open files")
    if release:  # a sanitizer keeps what is freed
        check(after - warm <= SPARE_BYTES, f"Pss {warm} bytes at first, {after} in the end")
        check(after - idle <= FIRST_USE_BYTES, f"Pss {idle} bytes idle, {after} in the end")
    load.stop()
    relay.stop()


main()
