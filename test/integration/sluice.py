# SPDX-License-Identifier: GPL-3.0-or-later
"""What the integration tests share: the real daemon, a client of its control socket, child
processes that cannot outlive the test, and a runner that prints "N passed, M failed".

SLUICE_BIN is the folder of the programs. Traffic stays on loopback; everything that is started is
stopped by its process id."""
import contextlib
import glob
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("SLUICE_BIN", os.path.join(ROOT, "build/dev/bin"))
LONG = os.environ.get("SLUICE_LONG", "0") not in ("", "0")
NOBODY = 65534

VP8 = {"kind": "video", "mimeType": "video/VP8", "clockRate": 90000, "preferredPayloadType": 101}
H264 = {"kind": "video", "mimeType": "video/H264", "clockRate": 90000, "preferredPayloadType": 103,
        "parameters": {"packetization-mode": 1, "profile-level-id": "42e01f",
                       "level-asymmetry-allowed": 1}}
OPUS = {"kind": "audio", "mimeType": "audio/opus", "clockRate": 48000, "channels": 2,
        "preferredPayloadType": 100}


class Skip(Exception):
    """The machine lacks something that the test needs."""


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def equal(got, wanted, what):
    check(got == wanted, f"{what}: {got!r} instead of {wanted!r}")


def wait_for(condition, what, seconds=20.0):
    """The first true value of condition(); the time only bounds a failure."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        check(time.monotonic() < end, f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(0.05)


def sanitized(program):
    with open(program, "rb") as file:
        return b"__asan_init" in file.read()


def fresh_release():
    """The folder of a release build that is as new as the sources, or None: memory is measured on
    what is shipped, where the test has it."""
    given = os.environ.get("SLUICE_RELEASE_BIN", os.path.join(ROOT, "build/release/bin"))
    program = os.path.join(given, "sluiced")
    if not os.access(program, os.X_OK):
        return None
    newest = max(os.path.getmtime(path) for folder in ("core", "rtp", "rtcp", "net", "ctl")
                 for path in glob.glob(os.path.join(ROOT, folder, "*.[ch]")))
    return given if os.path.getmtime(program) >= newest else None


# ---- child processes

class Child:
    """A process with its output in a file. stop() asks, waits, insists."""

    def __init__(self, name, command, folder, **options):
        self.name = name
        self.log = os.path.join(folder, f"{name}.log")
        with open(self.log, "ab") as log:
            options.setdefault("stdin", subprocess.DEVNULL)
            options.setdefault("stdout", log)
            self.process = subprocess.Popen(command, stderr=log, **options)
        self.pid = self.process.pid

    def text(self):
        with open(self.log, "rb") as file:
            return file.read().decode("utf-8", "replace")

    def alive(self):
        return self.process.poll() is None

    def check_alive(self):
        check(self.alive(), f"{self.name} has ended, status {self.process.returncode}:\n"
                            f"{self.text()[-2000:]}")

    def wait(self, seconds=15.0):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} does not end:\n{self.text()[-2000:]}") from None

    def stop(self, how=signal.SIGTERM, seconds=15.0):
        if self.alive():
            self.process.send_signal(how)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"{self.name} did not end after {how!r}:\n"
                                 f"{self.text()[-2000:]}") from None

    def kill(self):
        if self.alive():
            self.process.kill()
        self.process.wait()


class Work:
    """A temporary folder, and the children of a test; all are gone after `with`."""

    def __init__(self):
        self.children = []

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="sluice-test-")
        return self

    def __exit__(self, kind, value, trace):
        for child in reversed(self.children):
            with contextlib.suppress(AssertionError):
                child.kill()
        if kind is not None and kind is not Skip:
            for child in self.children:
                print(f"---- the end of {child.name}'s output:\n{child.text()[-1500:]}")
        shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def start(self, name, command, **options):
        child = Child(name, command, self.folder, **options)
        self.children.append(child)
        return child

    def relay(self, *flags, **options):
        relay = Relay(self, flags, **options)
        return relay


# ---- the control socket

class Refused(Exception):
    """An error that the relay has answered with."""

    def __init__(self, method, error):
        super().__init__(f"{method}: {error}")
        self.code = error.get("code")
        self.data = error.get("data") or {}


class Control:
    """One connection: call() waits for its answer and keeps the notifications that come first."""

    def __init__(self, path, seconds=20.0):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(seconds)
        self.socket.connect(path)
        self.buffer = b""
        self.serial = 0
        self.notes = []
        self.answers = {}  # those that came before another one was asked for

    def close(self):
        self.socket.close()

    def send(self, method, **params):
        self.serial += 1
        line = {"jsonrpc": "2.0", "id": self.serial, "method": method, "params": params}
        self.socket.sendall(json.dumps(line).encode() + b"\n")
        return self.serial

    def read(self):
        """The next message, or None when the relay has hung up."""
        while b"\n" not in self.buffer:
            more = self.socket.recv(1 << 16)
            if not more:
                return None
            self.buffer += more
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line)

    def answer(self, serial, method):
        while serial not in self.answers:
            message = self.read()
            check(message is not None, f"the relay has hung up during {method}")
            if "id" in message:
                self.answers[message["id"]] = message
            else:
                self.notes.append(message)
        message = self.answers.pop(serial)
        if "error" in message:
            raise Refused(method, message["error"])
        return message["result"]

    def call(self, method, **params):
        return self.answer(self.send(method, **params), method)

    def note(self, method, seconds=10.0):
        """The params of the oldest notification of that name, waiting for it if need be."""
        end = time.monotonic() + seconds
        while True:
            for i, message in enumerate(self.notes):
                if message["method"] == method:
                    return self.notes.pop(i)["params"]
            left = end - time.monotonic()
            check(left > 0, f"no notification {method}")
            before = self.socket.gettimeout()
            self.socket.settimeout(left)
            try:
                message = self.read()
            except TimeoutError:
                continue
            finally:
                self.socket.settimeout(before)
            check(message is not None, "the relay has hung up")
            if "id" in message:
                self.answers[message["id"]] = message
            else:
                self.notes.append(message)

    # What tests ask often.

    def census(self):
        return self.call("server.census")

    def totals(self):
        return self.call("server.stats")["totals"]

    def drops(self):
        return self.call("server.stats")["drops"]

    def plain(self, router, **options):
        """A plain transport on 127.0.0.1, or on `ip`."""
        listen = {"protocol": "udp", "ip": options.pop("ip", "127.0.0.1")}
        listen.update(options.pop("listen", {}))
        return self.call("transport.createPlain", routerId=router, listenInfo=listen, **options)


def parse_metrics(text):
    """Prometheus' text form: {name: sum over the workers}, {drop reason: sum}."""
    sums, drops = {}, {}
    for line in text.splitlines():
        match = re.fullmatch(r"([a-z_]+)(\{[^}]*\})? (\d+)", line)
        if not match:
            check(line.startswith("#") or not line, f"no line of metrics: {line!r}")
            continue
        name, labels, value = match.group(1), match.group(2) or "", int(match.group(3))
        reason = re.search(r'reason="([a-z_]+)"', labels)
        if reason:
            drops[reason.group(1)] = drops.get(reason.group(1), 0) + value
        else:
            sums[name] = sums.get(name, 0) + value
    return sums, drops


# ---- the daemon

TROUBLE = re.compile(r"Sanitizer|runtime error:|assert|ASSERT")


def limits(memlock, user):
    """What a child does before it becomes the daemon."""
    def prepare():
        if memlock is not None:
            resource.setrlimit(resource.RLIMIT_MEMLOCK, (memlock, memlock))
        if user is not None:
            os.setgroups([])
            os.setgid(user)
            os.setuid(user)
    return prepare


class Relay:
    """sluiced on a socket of its own, listening when the constructor returns."""

    def __init__(self, work, flags, folder=BIN, memlock=None, user=None, socket_path=None,
                 name="sluiced"):
        self.path = socket_path or work.path("s.sock")
        self.program = os.path.join(folder, "sluiced")
        environment = dict(os.environ)
        environment.setdefault("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0")  # as its unit
        if sanitized(self.program):
            # What is freed shall not count as memory in use for long.
            environment["ASAN_OPTIONS"] = environment.get("ASAN_OPTIONS", "") + \
                ":quarantine_size_mb=8:thread_local_quarantine_size_kb=64"
        if user is not None:
            os.chown(work.folder, user, user)
        command = [self.program, "--socket", self.path, "--workers", "1", *flags]
        prepare = limits(memlock, user) if memlock is not None or user is not None else None
        self.child = work.start(name, command, env=environment, preexec_fn=prepare)
        self.pid = self.child.pid
        self.control = None
        wait_for(self.try_connect, "the control socket")

    def try_connect(self):
        self.child.check_alive()
        try:
            self.control = Control(self.path)
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        self.control.call("server.info")
        return True

    def connect(self):
        return Control(self.path)

    def call(self, method, **params):
        return self.control.call(method, **params)

    def log(self):
        return self.child.text()

    def check_clean(self, status):
        """It has ended in order: right exit status, nothing found by a sanitizer."""
        trouble = TROUBLE.search(self.log())
        check(trouble is None, f"sluiced reports: {self.log()[-6000:]}")
        equal(status, 0, "exit status of sluiced")

    def stop(self, how=signal.SIGINT):
        if self.control is not None:
            self.control.close()
        self.check_clean(self.child.stop(how, 30.0))

    def check_empty(self):
        """Everything is closed: neither the model nor a worker has anything left."""
        kinds = ("routers", "transports", "producers", "consumers", "sockets")

        def gone():
            census = self.control.census()
            counts = [census[kind] for kind in kinds]
            for worker in census["workers"]:
                counts += [worker[kind] for kind in kinds]
            return not any(counts) and census["commands"] == 0 and census["texts"] == 0

        wait_for(gone, "a census of zero", 10.0)

    def pss(self):
        """Bytes of memory that are this process's own."""
        with open(f"/proc/{self.pid}/smaps_rollup", encoding="ascii") as file:
            for line in file:
                if line.startswith("Pss:"):
                    return int(line.split()[1]) * 1024
        raise AssertionError("no Pss")

    def files(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))


# ---- rooms

class Room:
    """A router; streams come in from ports that the relay learns, and go out to ports given."""

    def __init__(self, control, codecs, **options):
        self.control = control
        made = control.call("router.create", mediaCodecs=codecs, **options)
        self.id = made["id"]
        self.capabilities = made["rtpCapabilities"]

    def publish(self, kind, codec, ssrc, **options):
        """A transport with a producer: its tuple, rtcpTuple, id and producer."""
        options.setdefault("comedia", True)
        keys = options.pop("keys", None)
        transport = self.control.plain(self.id, **options)
        if keys is not None:
            transport.update(self.control.call("transport.connect", transportId=transport["id"],
                                               srtpParameters=keys))
        transport["producer"] = self.produce(transport["id"], kind, codec, ssrc)
        return transport

    def produce(self, transport, kind, codec, ssrc):
        payload = codec.get("preferredPayloadType")
        own = {key: codec[key] for key in ("mimeType", "clockRate", "channels", "parameters",
                                           "rtcpFeedback") if key in codec}
        codecs = [dict(own, payloadType=payload)]
        encoding = {"ssrc": ssrc}
        if codec.get("rtx"):
            codecs.append({"mimeType": f"{kind}/rtx", "clockRate": own["clockRate"],
                           "payloadType": codec["rtx"], "parameters": {"apt": payload}})
            encoding["rtx"] = {"ssrc": ssrc + 1}
        return self.control.call("transport.produce", transportId=transport, kind=kind,
                                 rtpParameters={"codecs": codecs, "encodings": [encoding]})["id"]

    def consume(self, producer, port, rtcp_port=None, to="127.0.0.1", **options):
        """A transport to `port` with a consumer: what consume() has answered, and the transport.
        """
        consuming = {key: options.pop(key) for key in ("paused", "enableRtx") if key in options}
        keys = options.pop("keys", None)
        connecting = {"ip": to, "port": port}
        if rtcp_port is not None:
            connecting["rtcpPort"] = rtcp_port
        if keys is not None:
            connecting["srtpParameters"] = keys
        transport = self.control.plain(self.id, rtcpMux=rtcp_port is None, **options)
        transport.update(self.control.call("transport.connect", transportId=transport["id"],
                                           **connecting))
        consumer = self.control.call("transport.consume", transportId=transport["id"],
                                     producerId=producer, rtpCapabilities=self.capabilities,
                                     **consuming)
        consumer["transport"] = transport
        return consumer

    def close(self):
        self.control.call("router.close", routerId=self.id)


def payload_type(consumer, rtx=False):
    for codec in consumer["rtpParameters"]["codecs"]:
        if codec["mimeType"].lower().endswith("/rtx") == rtx:
            return codec["payloadType"]
    raise AssertionError("no such codec in the consumer's parameters")


def free_ports(count=2, ip="127.0.0.1"):
    """An even port and those after it, free at the moment."""
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    for _ in range(200):
        with contextlib.ExitStack() as stack:
            first = stack.enter_context(socket.socket(family, socket.SOCK_DGRAM))
            first.bind((ip, 0))
            port = first.getsockname()[1]
            if port % 2 or port + count > 65535:
                continue
            try:
                for i in range(1, count):
                    other = stack.enter_context(socket.socket(family, socket.SOCK_DGRAM))
                    other.bind((ip, port + i))
            except OSError:
                continue
            return port
    raise AssertionError("no free ports")


# ---- synthetic load: test/integration/load.c

class Load:
    """The load generator as a child: sinks that check what comes, publishers that send."""

    def __init__(self, work, sinks=0, name="load"):
        program = os.path.join(os.environ.get("SLUICE_LOAD", BIN), "sluice-load")
        if not os.access(program, os.X_OK):
            raise Skip(f"{program} is not built")
        self.child = work.start(name, [program, str(sinks)], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE)
        hello = self.read()
        self.source = hello["source"]
        self.ports = hello["sinks"]

    def read(self):
        line = self.child.process.stdout.readline()
        check(line, f"the load generator has ended:\n{self.child.text()}")
        return json.loads(line)

    def begin(self, verb, **numbers):
        words = [verb] + [f"{key}={value}" for key, value in numbers.items()]
        self.child.process.stdin.write((" ".join(words) + "\n").encode())
        self.child.process.stdin.flush()

    def run(self, verb, **numbers):
        self.begin(verb, **numbers)
        return self.read()

    def stop(self):
        self.child.process.stdin.close()
        status = self.child.wait(20.0)
        check(TROUBLE.search(self.child.text()) is None, self.child.text())
        equal(status, 0, "exit status of the load generator")


# ---- the runner

TESTS = []


def test(*rows):
    """Marks a function as a test; with rows, as one test for each, the row as its argument."""
    def mark(function):
        if not rows:
            TESTS.append((function.__name__, function, ()))
        for row in rows:
            row = row if isinstance(row, tuple) else (row,)
            words = " ".join(str(word) for word in row)
            TESTS.append((f"{function.__name__} [{words}]", function, row))
        return function
    return mark


def main():
    """Runs every test, or those whose names have an argument in them."""
    wanted = [word for word in sys.argv[1:] if not word.startswith("-")]
    passed, failed, skipped = 0, 0, 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    for name, function, row in TESTS:
        if wanted and not any(word in name for word in wanted):
            continue
        began = time.monotonic()
        try:
            with Work() as work:
                function(work, *row)
            passed += 1
            print(f"ok      {name} ({time.monotonic() - began:.1f} s)", flush=True)
        except Skip as why:
            skipped += 1
            print(f"skipped {name}: {why}", flush=True)
        except Exception:  # a test that goes wrong in any way has failed
            failed += 1
            print(f"FAILED  {name}\n{traceback.format_exc()}", flush=True)
    print(f"{passed} passed, {failed} failed")
    if passed + failed == 0 and skipped:
        sys.exit(77)
    sys.exit(1 if failed or not passed else 0)
