# SPDX-License-Identifier: GPL-3.0-or-later
"""A network that loses packets, between a transport of the relay and a receiver: UDP ports that
pass on both ways, and drop RTP on its way to the receiver by a seeded generator."""
import random
import select
import socket
import struct
import threading


class Lossy:
    """RTP and RTCP of one consumer. The relay connects to `rtp_port` and `rtcp_port`; the receiver
    listens on `to_rtp` and `to_rtcp` and sends its RTCP to `feedback_port`."""

    def __init__(self, share, seed, to_rtp, to_rtcp):
        self.share = share
        self.random = random.Random(seed)
        self.to_rtp, self.to_rtcp = ("127.0.0.1", to_rtp), ("127.0.0.1", to_rtcp)
        self.rtp, self.rtcp, self.feedback = (self.open() for _ in range(3))
        self.rtp_port, self.rtcp_port, self.feedback_port = (
            s.getsockname()[1] for s in (self.rtp, self.rtcp, self.feedback))
        self.relay_rtcp = None
        self.rtx_payload = None
        self.lost, self.delivered, self.resent, self.feedback_n = set(), set(), 0, 0
        self.ending = False
        self.thread = threading.Thread(target=self.run, daemon=True)

    @staticmethod
    def open():
        own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        own.bind(("127.0.0.1", 0))
        return own

    def start(self, transport, rtx_payload=None):
        self.relay_rtcp = ("127.0.0.1", transport["rtcpTuple"]["localPort"])
        self.rtx_payload = rtx_payload
        self.thread.start()

    def stop(self):
        self.ending = True
        self.thread.join(5.0)
        for own in (self.rtp, self.rtcp, self.feedback):
            own.close()

    def run(self):
        while not self.ending:
            for own in select.select((self.rtp, self.rtcp, self.feedback), (), (), 0.1)[0]:
                data = own.recv(2048)
                if own is self.rtp:
                    self.pass_rtp(data)
                elif own is self.rtcp:
                    self.rtcp.sendto(data, self.to_rtcp)
                else:
                    self.feedback_n += 1
                    self.rtcp.sendto(data, self.relay_rtcp)

    def pass_rtp(self, data):
        resent = data[1] & 0x7f == self.rtx_payload
        at = 12 + 4 * (data[0] & 15)
        if data[0] & 0x10:
            at += 4 + 4 * struct.unpack_from(">H", data, at + 2)[0]
        number = struct.unpack_from(">H", data, at if resent else 2)[0]
        self.resent += resent
        if self.random.random() < self.share:
            self.lost.add(number)
            return
        self.delivered.add(number)
        self.rtp.sendto(data, self.to_rtp)

    def recovered(self):
        """Packets that were lost once, and those of them that came after all."""
        return len(self.lost), len(self.lost & self.delivered)
