#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The daemon as a process: signals, exit codes, sockets left behind, controllers that misbehave or
die. What a line may hold is tested in test/ctl_*_test.c."""
import json
import os
import signal
import socket
import subprocess
import sys

from sluice import BIN, OPUS, VP8, Control, Room, check, equal, main, test, wait_for

PROGRAM = os.path.join(BIN, "sluiced")


def run(*flags, **options):
    """The daemon's status and what it has printed; it is expected to end at once."""
    done = subprocess.run([PROGRAM, *flags], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=20, check=False, **options)
    return done.returncode, done.stdout.decode()


BAD = (("--nonsense",), ("--slots",), ("--slots", "many"), ("--slots", "1"), ("--workers", "0"),
       ("--workers", "100000"), ("--io", "fast"), ("--without", "nonsense"), ("--log", "xml"),
       ("--log-level", "loud"), ("--planned-pps", "-1"), ("--metrics-port", "65536"),
       ("--drain-seconds", "soon"), ("--config", "/nonexistent"), ("--socket", ""),
       ("--socket", "/" + 200 * "x"), ("extra",))


@test(*BAD)
def bad_flags(work, *flags):
    path = ("--socket", work.path("s")) if "--socket" not in flags else ()
    status, text = run(*path, *flags)
    equal(status, 2, f"exit status; printed: {text}")
    check(flags[0].lstrip("-")[:5] in text or flags[-1] in text, f"no word of {flags}: {text}")
    check(not os.path.exists(work.path("s")), "a socket all the same")


@test()
def help_and_version(work):
    for flag in ("--help", "--version"):
        status, text = run(flag)
        equal(status, 0, flag)
        check("sluiced" in text, text)


@test(({"slots": 4096, "io": "mmsg"}, 0, "right"), ({"slotz": 4096}, 2, "slotz"),
      ({"slots": "4096"}, 2, "slots"), ({"retention": {"floorMs": -1}}, 2, "floorMs"),
      ({"portRange": {"min": 9, "max": 8}}, 2, "portRange"),
      ({"slots": 1024, "retainSlots": 2048}, 2, "retainSlots"), ("{", 2, "line 1"), ([], 2, ""))
def check_config(work, config, wanted, word):
    path = work.path("sluiced.json")
    with open(path, "w", encoding="ascii") as file:
        file.write(config if isinstance(config, str) else json.dumps(config))
    status, text = run("--config", path, "--check-config", "--socket", work.path("s"))
    equal(status, wanted, f"exit status; printed: {text}")
    check(word in text, f"no word of {word!r}: {text}")
    check(not os.path.exists(work.path("s")), "it has started")


@test()
def option_overrides_file(work):
    path = work.path("sluiced.json")
    with open(path, "w", encoding="ascii") as file:
        json.dump({"slots": 4096, "io": "mmsg", "drainSeconds": 7}, file)
    relay = work.relay("--config", path, "--slots", "2048")
    config = relay.call("server.dump")["config"]
    equal((config["slots"], config["io"], config["drainSeconds"]), (2048, "mmsg", 7), "config")
    relay.stop()


@test()
def interrupt(work):
    """SIGINT stops at once, with rooms open and media under way."""
    relay = work.relay("--drain-seconds", "600")
    room = Room(relay.control, [VP8, OPUS])
    room.publish("audio", OPUS, 5)
    relay.stop(signal.SIGINT)
    check(not os.path.exists(relay.path), "the socket is left behind")


@test()
def terminate_idle(work):
    """Without rooms there is nothing to drain."""
    relay = work.relay("--drain-seconds", "600")
    relay.stop(signal.SIGTERM)


@test()
def terminate_drains(work):
    """SIGTERM: nothing new, media goes on, the end comes with the last room's."""
    relay = work.relay("--drain-seconds", "600")
    room = Room(relay.control, [VP8, OPUS])
    made = room.publish("audio", OPUS, 5)
    relay.call("server.subscribe", events=["server.draining"])
    os.kill(relay.pid, signal.SIGTERM)
    equal(relay.control.note("server.draining")["seconds"], 600, "announced")
    try:
        Room(relay.control, [OPUS])
        check(False, "a new room while draining")
    except Exception as error:  # Refused, with its code
        equal(getattr(error, "code", None), -32006, f"the refusal: {error}")
    equal(relay.call("server.info")["state"], "draining", "state")
    relay.call("producer.getStats", producerId=made["producer"])
    room.close()
    relay.check_clean(relay.child.wait())


@test()
def terminate_in_time(work):
    """A room that nobody closes does not hold the end up for longer than was said."""
    relay = work.relay("--drain-seconds", "1")
    Room(relay.control, [VP8, OPUS])
    os.kill(relay.pid, signal.SIGTERM)
    relay.check_clean(relay.child.wait())


@test()
def terminate_twice(work):
    """SIGINT ends a drain."""
    relay = work.relay("--drain-seconds", "600")
    Room(relay.control, [VP8, OPUS])
    relay.call("server.subscribe", events=["server.draining"])
    os.kill(relay.pid, signal.SIGTERM)
    relay.control.note("server.draining")
    relay.stop(signal.SIGINT)


CONTROLLER = """
import sys, time
sys.path.insert(0, sys.argv[1])
from sluice import Control, Room, OPUS
control = Control(sys.argv[2])
for tied in (True, False):
    room = Room(control, [OPUS], id=f"tied-{tied}".lower(), tied=tied)
    room.publish("audio", OPUS, 5)
print("ready", flush=True)
time.sleep(600)
"""


@test()
def controller_killed(work):
    """The rooms that are tied to a controller end with it; the others stay."""
    relay = work.relay()
    child = work.start("controller", [sys.executable, "-c", CONTROLLER, os.path.dirname(__file__),
                                      relay.path], stdout=subprocess.PIPE)
    equal(child.process.stdout.readline(), b"ready\n", "the controller")
    equal(relay.control.census()["routers"], 2, "rooms")
    child.kill()
    wait_for(lambda: relay.control.census()["routers"] == 1, "the tied room to end", 10.0)
    equal([router["id"] for router in relay.call("router.list")["routers"]], ["tied-false"],
          "what is left")
    census = relay.control.census()
    equal((census["transports"], census["producers"], census["sockets"]), (1, 1, 1), "census")
    relay.call("router.close", routerId="tied-false")
    relay.check_empty()
    relay.stop()


@test()
def second_instance(work):
    """Refused, and the first one is not disturbed; not even its socket."""
    relay = work.relay()
    status, text = run("--socket", relay.path)
    equal(status, 1, f"exit status; printed: {text}")
    check(relay.path in text, f"which socket: {text}")
    check(relay.call("server.info")["pid"] == relay.pid, "the first one")
    relay.connect().call("server.info")
    relay.stop()


@test()
def stale_socket(work):
    """After kill -9 the path is there and nobody listens: the next one takes it over."""
    relay = work.relay(name="first")
    relay.child.kill()
    check(os.path.exists(relay.path), "kill -9 leaves the socket")
    again = work.relay(name="second")
    check(again.call("server.info")["pid"] == again.pid, "the second one")
    again.stop()


@test()
def not_a_socket(work):
    """A file of that name is somebody's: it stays, and nothing starts."""
    with open(work.path("s"), "w", encoding="ascii") as file:
        file.write("precious")
    status, text = run("--socket", work.path("s"))
    equal(status, 1, f"exit status; printed: {text}")
    with open(work.path("s"), encoding="ascii") as file:
        equal(file.read(), "precious", "the file")


@test()
def no_folder(work):
    status, text = run("--socket", work.path("none/s"))
    equal(status, 1, f"exit status; printed: {text}")
    check("none/s" in text, text)


@test()
def half_message(work):
    """Half a line and a hang-up, a hundred times over, leaves nothing."""
    relay = work.relay()
    files = relay.files()
    line = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "router.create", "params": {}}).encode()
    for i in range(100):
        half = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        half.connect(relay.path)
        half.sendall(line[:1 + i % len(line)])
        half.close()
    wait_for(lambda: relay.control.census()["connections"] == 1, "connections to end")
    equal(relay.control.census()["routers"], 0, "rooms")
    equal(relay.files(), files, "open files")
    relay.stop()


@test((False,), (True,))
def sends_and_closes(work, answered):
    """Whole lines count although nobody waits for the answers."""
    relay = work.relay()
    files = relay.files()
    lines = b""
    for i in range(200):
        message = {"jsonrpc": "2.0", "method": "router.create", "params": {"mediaCodecs": []}}
        if answered:
            message["id"] = i
        lines += json.dumps(message).encode() + b"\n"
    hasty = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    hasty.connect(relay.path)
    hasty.sendall(lines)
    hasty.close()
    wait_for(lambda: relay.control.census()["routers"] == 200, "200 rooms")
    wait_for(lambda: relay.control.census()["connections"] == 1, "the connection to end")
    equal(relay.files(), files, "open files")
    relay.stop()


@test()
def thousand_connections(work):
    relay = work.relay()
    files = relay.files()
    others = [relay.connect() for _ in range(1000)]
    serials = [other.send("server.info") for other in others]
    for other, serial in zip(others, serials):
        equal(other.answer(serial, "server.info")["pid"], relay.pid, "every one is answered")
    equal(relay.control.census()["connections"], 1001, "connections")
    refused = 0
    for _ in range(100):  # more than there is room for: told so, not left hanging
        more = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        more.settimeout(10)
        more.connect(relay.path)
        others.append(more)
    for more in others[1000:]:
        try:
            more.sendall(b'{"jsonrpc": "2.0", "id": 1, "method": "server.info"}\n')
            refused += b'"result"' not in more.recv(1 << 16)
        except (BrokenPipeError, ConnectionResetError):
            refused += 1
    equal(refused, 100 - (1024 - 1001), "connections refused")
    for other in others:
        other.close()
    wait_for(lambda: relay.control.census()["connections"] == 1, "connections to end")
    equal(relay.files(), files, "open files")
    relay.stop()


@test()
def never_reads(work):
    """Who asks and never reads is disconnected, loudly; others notice nothing."""
    relay = work.relay()
    deaf = Control(relay.path, 5.0)
    sent = 0
    try:
        while sent < 20000:
            deaf.send("server.methods")
            sent += 1
    except (BrokenPipeError, ConnectionResetError, TimeoutError):
        pass
    check(relay.call("server.info")["state"] == "running", "others are answered")
    # It may be held up for good (it has too many requests open), or be cut off: never in memory.
    check(relay.call("server.census")["residentBytes"] < 1 << 30, "memory")
    deaf.close()
    wait_for(lambda: relay.control.census()["connections"] == 1, "its end")
    wait_for(lambda: relay.control.census()["requests"] == 0, "its requests to be gone")
    relay.stop()


@test()
def deaf_subscriber(work):
    """Notifications have a bound as well: the one that does not read them is cut off."""
    relay = work.relay()
    deaf = Control(relay.path)
    events = [event["name"] for event in relay.call("server.methods")["events"]]
    deaf.call("server.subscribe", events=events)
    room = Room(relay.control, [OPUS])

    producer = room.publish("audio", OPUS, 5)["producer"]
    transport = relay.control.plain(room.id)["id"]
    for _ in range(200):
        relay.call("transport.consume", transportId=transport, producerId=producer,
                   rtpCapabilities=room.capabilities)
    for _ in range(2000):  # each time 200 notifications of 100 bytes
        if relay.control.census()["connections"] == 1:
            break
        relay.call("producer.pause", producerId=producer)
        relay.call("producer.resume", producerId=producer)
        relay.control.notes.clear()
    text = relay.call("server.metrics")["text"]
    check("sluice_control_slow_disconnects 1\n" in text, "it is counted")
    check("warn" in relay.log() or "error" in relay.log(), f"no word of it: {relay.log()[-500:]}")
    relay.stop()


@test()
def metrics_port(work):
    from sluice import parse_metrics
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    relay = work.relay("--metrics-port", str(port))
    wait_for(lambda: relay.control.totals()["turns"] > 0, "a worker's first turn")
    with socket.create_connection(("127.0.0.1", port), 10) as http:
        http.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b""
        while True:
            more = http.recv(1 << 16)
            if not more:
                break
            answer += more
    head, _, body = answer.decode().partition("\r\n\r\n")
    check(head.startswith("HTTP/1.1 200"), head)
    sums, drops = parse_metrics(body)
    check(sums["sluice_worker_slots"] == 16384 and "no_peer" in drops, body[:500])
    relay.stop()


main()
