// SPDX-License-Identifier: GPL-3.0-or-later
// werift: WebRTC in TypeScript. It has no codecs: ffmpeg makes what it publishes, and of what it
// plays whole pictures are counted by their markers.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import {
  MediaStreamTrack,
  RTCPeerConnection,
  RTCRtpCodecParameters,
  useSdesMid,
} from 'werift';
import { Child, HttpSession } from './rig.js';

const KINDS = ['video', 'audio'];

class WeriftPeer extends HttpSession {
  pc = new RTCPeerConnection({
    bundlePolicy: 'max-bundle',
    iceServers: [],
    iceUseIpv6: false,
    headerExtensions: { audio: [useSdesMid()], video: [useSdesMid()] },
    codecs: {
      video: [
        new RTCRtpCodecParameters({
          mimeType: 'video/VP8',
          clockRate: 90000,
          payloadType: 96,
          rtcpFeedback: [
            { type: 'nack' },
            { type: 'nack', parameter: 'pli' },
            { type: 'ccm', parameter: 'fir' },
          ],
        }),
      ],
      audio: [
        new RTCRtpCodecParameters({
          mimeType: 'audio/opus',
          clockRate: 48000,
          channels: 2,
          payloadType: 97,
        }),
      ],
    },
  });

  async start() {
    await this.pc.setLocalDescription(await this.pc.createOffer());
    while (this.pc.iceGatheringState !== 'complete') {
      await new Promise((resolve) => this.pc.iceGatheringStateChange.once(resolve));
    }
    const sdp = await this.offer(this.pc.localDescription.sdp);
    await this.pc.setRemoteDescription({ type: 'answer', sdp });
  }

  async end() {
    await this.delete();
    await this.pc.close();
  }
}

export class WeriftPublisher extends WeriftPeer {
  #sockets = [];

  async start(t) {
    const ports = [];
    for (const kind of KINDS) {
      const track = new MediaStreamTrack({ kind });
      this.pc.addTransceiver(track, { direction: 'sendonly' });
      const socket = createSocket('udp4').bind(0, '127.0.0.1');
      await once(socket, 'listening');
      socket.on('message', (packet) => track.writeRtp(packet));
      this.#sockets.push(socket);
      ports.push(socket.address().port);
    }
    await super.start();
    this.ffmpeg = new Child(t, 'ffmpeg', 'ffmpeg', [
      ...'-hide_banner -nostdin -loglevel error'.split(' '),
      ...'-re -f lavfi -i testsrc2=size=320x180:rate=15'.split(' '),
      ...'-re -f lavfi -i sine=frequency=440:sample_rate=48000'.split(' '),
      ...'-map 0:v -c:v libvpx -deadline realtime -cpu-used 8 -b:v 300k -g 15'.split(' '),
      ...'-auto-alt-ref 0 -lag-in-frames 0 -error-resilient 1 -payload_type 96'.split(' '),
      ...['-f', 'rtp', `rtp://127.0.0.1:${ports[0]}?pkt_size=1200`],
      ...'-map 1:a -c:a libopus -ac 2 -b:a 48k -payload_type 97'.split(' '),
      ...['-f', 'rtp', `rtp://127.0.0.1:${ports[1]}?pkt_size=1200`],
    ]);
  }

  async end() {
    await this.ffmpeg.stop();
    this.#sockets.forEach((socket) => socket.close());
    await super.end();
  }
}

export class WeriftPlayer extends WeriftPeer {
  pictures = 0;
  audioPackets = 0;

  async start() {
    for (const kind of KINDS) {
      this.pc
        .addTransceiver(kind, { direction: 'recvonly' })
        .onTrack.subscribe((track) => track.onReceiveRtp.subscribe((rtp) => this.#got(kind, rtp)));
    }
    await super.start();
  }

  #got(kind, { header }) {
    if (kind === 'audio') {
      this.audioPackets++;
    } else if (header.marker) {
      this.pictures++;
    }
  }
}
