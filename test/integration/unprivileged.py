#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The daemon with less than it would like: as a user without rights and an 8 MiB memory lock, and
with each kernel feature forced missing. It starts, says what it does without, and relays."""
import os
import re
import subprocess

from sluice import BIN, NOBODY, VP8, Load, Room, Skip, check, equal, main, test

MEMLOCK = 8 << 20
SINKS, PACKETS = 5, 2000
HELP = subprocess.run([os.path.join(BIN, "sluiced"), "--help"], stdout=subprocess.PIPE,
                      check=True).stdout.decode()


def features():
    """The names in the text of --without."""
    text = HELP[HELP.index("--without"):HELP.index("--version")]
    return re.findall(r"[a-z0-9]+(?:[-_][a-z0-9]+)*", text[text.index("tests)") + 6:])


def relay_synthetic(work, relay, window=200):
    """A stream to some consumers, all of it, in order, unchanged."""
    load = Load(work, SINKS)
    room = Room(relay.control, [VP8])
    made = room.publish("video", VP8, 7777)
    for port in load.ports:
        room.consume(made["producer"], port, enableRtx=False)
    load.run("publish", port=made["tuple"]["localPort"], ssrc=7777, pt=101, packets=PACKETS,
             window=window)
    for sink in load.run("settle")["sinks"]:
        equal((sink["received"], sink["lost"], sink["gaps"], sink["duplicates"], sink["ts_wrong"],
               sink["damaged"]), (PACKETS, 0, 0, 0, 0, 0),
              "received, lost, gaps, duplicates, wrong times, damaged")
    equal(relay.control.totals()["forwarded"], SINKS * PACKETS, "forwarded")
    load.stop()
    room.close()
    relay.check_empty()


@test("auto", "uring", "mmsg")
def nobody(work, io):
    if os.getuid() != 0:
        raise Skip("only root can become somebody else")
    relay = work.relay("--io", io, memlock=MEMLOCK, user=NOBODY)
    with open(f"/proc/{relay.pid}/status", encoding="ascii") as file:
        text = file.read()
    check(re.search(rf"^Uid:\t{NOBODY}\t{NOBODY}\t", text, re.M), "it runs as another user")
    check(re.search(r"^CapEff:\t0+$", text, re.M), "it has capabilities")
    missing = relay.call("server.info")["workers"][0]["missing"]
    for one in missing:
        check(f"does without {one['feature']}: " in relay.log(), f"{one} is not printed")
        check(len(one["remedy"]) > 10, f"no remedy: {one}")
    relay_synthetic(work, relay)
    relay.stop()


@test("auto", "mmsg")
def no_memlock(work, io):
    """Not a single page may be locked."""
    if os.getuid() != 0:
        raise Skip("only root can become somebody else")
    relay = work.relay("--io", io, memlock=0, user=NOBODY)
    relay_synthetic(work, relay)
    relay.stop()


@test()
def small_buffers(work):
    """Receive buffers beyond the system's limit take a capability: said, with the remedy."""
    if os.getuid() != 0:
        raise Skip("only root can become somebody else")
    relay = work.relay("--planned-pps", "10000000", user=NOBODY)
    relay_synthetic(work, relay)
    check("receive buffers of" in relay.log() and "rmem_max" in relay.log(), relay.log())
    relay.stop()


@test(*features())
def without(work, feature):
    relay = work.relay("--without", feature)
    workers = relay.call("server.info")["workers"]
    check(feature in [one["feature"] for one in workers[0]["missing"]], f"missing: {workers}")
    check(f"does without {feature}: " in relay.log(), f"not printed:\n{relay.log()}")
    relay_synthetic(work, relay)
    relay.stop()


@test()
def without_all(work):
    relay = work.relay("--without", ",".join(features()))
    equal(relay.call("server.info")["workers"][0]["engine"], "mmsg", "engine")
    relay_synthetic(work, relay)
    relay.stop()


check(len(features()) >= 10, f"--help names the features: {features()}")
main()
