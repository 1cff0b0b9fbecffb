// SPDX-License-Identifier: GPL-3.0-or-later
// @roamhq/wrtc: libwebrtc for Node. Publishes a moving picture and a tone; decodes what it plays.
import wrtc from '@roamhq/wrtc';
import { once } from 'node:events';
import { HttpSession } from './rig.js';

const { nonstandard, MediaStream, RTCPeerConnection } = wrtc;
const WIDTH = 320;
const HEIGHT = 180;
const RATE = 48000;
const SAMPLES = RATE / 100;

class WrtcPeer extends HttpSession {
  pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });

  async start() {
    await this.pc.setLocalDescription(await this.pc.createOffer());
    while (this.pc.iceGatheringState !== 'complete') {
      await once(this.pc, 'icegatheringstatechange');
    }
    const sdp = await this.offer(this.pc.localDescription.sdp);
    await this.pc.setRemoteDescription({ type: 'answer', sdp });
  }

  async end() {
    await this.delete();
    this.pc.close();
  }
}

export class WrtcPublisher extends WrtcPeer {
  #video = new nonstandard.RTCVideoSource();
  #audio = new nonstandard.RTCAudioSource();
  #timers = [];
  #pictures = 0;
  #phase = 0;

  async start() {
    const stream = new MediaStream();
    for (const source of [this.#video, this.#audio]) {
      const track = source.createTrack();
      stream.addTrack(track);
      this.pc.addTransceiver(track, { direction: 'sendonly', streams: [stream] });
    }
    this.#timers = [
      setInterval(() => this.#picture(), 1000 / 15),
      setInterval(() => this.#sound(), 10),
    ];
    await super.start();
  }

  async end() {
    this.#timers.forEach(clearInterval);
    await super.end();
  }

  #picture() {
    const data = new Uint8ClampedArray((WIDTH * HEIGHT * 3) / 2).fill(128);
    const at = (this.#pictures++ * 4) % (WIDTH - 32);
    for (let row = 60; row < 92; row++) {
      data.fill(235, row * WIDTH + at, row * WIDTH + at + 32);
    }
    this.#video.onFrame({ width: WIDTH, height: HEIGHT, data });
  }

  #sound() {
    const samples = new Int16Array(SAMPLES);
    for (let i = 0; i < SAMPLES; i++) {
      samples[i] = 8000 * Math.sin((2 * Math.PI * 440 * this.#phase++) / RATE);
    }
    this.#audio.onData({ samples, sampleRate: RATE });
  }
}

export class WrtcPlayer extends WrtcPeer {
  pictures = 0;
  /** Of audio: how loud it is, all added up. */
  energy = 0;
  #sinks = [];

  async start() {
    for (const kind of ['video', 'audio']) {
      const { receiver } = this.pc.addTransceiver(kind, { direction: 'recvonly' });
      const isVideo = kind === 'video';
      const sink = isVideo
        ? new nonstandard.RTCVideoSink(receiver.track)
        : new nonstandard.RTCAudioSink(receiver.track);
      if (isVideo) {
        sink.onframe = ({ frame }) => (this.pictures += frame.width > 0 ? 1 : 0);
      } else {
        sink.ondata = ({ samples }) => {
          this.energy += samples.reduce((sum, sample) => sum + (sample / 32768) ** 2, 0);
        };
      }
      this.#sinks.push(sink);
    }
    await super.start();
  }

  async end() {
    this.#sinks.forEach((sink) => sink.stop());
    await super.end();
  }
}
