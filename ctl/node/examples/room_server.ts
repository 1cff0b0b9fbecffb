// SPDX-License-Identifier: GPL-3.0-or-later
// The media half of a small conference server, written as for mediasoup: only the import differs.
// Signalling is left out; `Signal` stands for what carries these calls to a browser.
import * as mediasoup from 'sluice-client';
import type { types } from 'sluice-client';

type PeerData = { peerId: string };

export interface Signal {
  notify(peerId: string, method: string, data: unknown): void;
}

const mediaCodecs: types.RouterRtpCodecCapability[] = [
  { kind: 'audio', mimeType: 'audio/opus', clockRate: 48000, channels: 2 },
  { kind: 'video', mimeType: 'video/VP8', clockRate: 90000 },
  {
    kind: 'video',
    mimeType: 'video/H264',
    clockRate: 90000,
    parameters: { 'packetization-mode': 1, 'profile-level-id': '42e01f' },
  },
];

class Peer {
  rtpCapabilities?: types.RtpCapabilities;
  readonly transports = new Map<string, types.WebRtcTransport<PeerData>>();
  readonly producers = new Map<string, types.Producer<PeerData>>();

  constructor(readonly id: string) {}
}

export class Room {
  readonly #peers = new Map<string, Peer>();

  static async create(
    worker: types.Worker,
    webRtcServer: types.WebRtcServer,
    signal: Signal,
  ): Promise<Room> {
    const router = await worker.createRouter({ mediaCodecs });
    return new Room(router, webRtcServer, signal);
  }

  private constructor(
    readonly router: types.Router,
    readonly webRtcServer: types.WebRtcServer,
    readonly signal: Signal,
  ) {}

  join(peerId: string): types.RtpCapabilities {
    this.#peers.set(peerId, new Peer(peerId));
    return this.router.rtpCapabilities;
  }

  leave(peerId: string): void {
    for (const transport of this.#peers.get(peerId)?.transports.values() ?? []) {
      transport.close(); // its producers and consumers go with it
    }
    this.#peers.delete(peerId);
  }

  close(): void {
    this.router.close();
  }

  async createTransport(peerId: string) {
    const peer = this.#peer(peerId);
    const transport = await this.router.createWebRtcTransport<PeerData>({
      webRtcServer: this.webRtcServer,
      enableUdp: true,
      enableTcp: true,
      preferUdp: true,
      appData: { peerId },
    });
    peer.transports.set(transport.id, transport);
    transport.on('dtlsstatechange', (dtlsState: types.DtlsState) => {
      if (dtlsState === 'failed' || dtlsState === 'closed') {
        transport.close();
      }
    });
    transport.on('listenserverclose', () => this.leave(peerId));
    transport.observer.on('close', () => peer.transports.delete(transport.id));
    const { id, iceParameters, iceCandidates, dtlsParameters } = transport;
    return { id, iceParameters, iceCandidates, dtlsParameters };
  }

  async connect(peerId: string, transportId: string, dtlsParameters: types.DtlsParameters) {
    await this.#transport(peerId, transportId).connect({ dtlsParameters });
  }

  async produce(
    peerId: string,
    transportId: string,
    kind: types.MediaKind,
    rtpParameters: types.RtpParameters,
  ): Promise<string> {
    const peer = this.#peer(peerId);
    const producer = await this.#transport(peerId, transportId).produce<PeerData>({
      kind,
      rtpParameters,
      appData: { peerId },
    });
    peer.producers.set(producer.id, producer);
    producer.on('score', (score) => this.signal.notify(peerId, 'score', score));
    producer.observer.once('close', () => peer.producers.delete(producer.id));
    for (const other of this.#peers.values()) {
      if (other !== peer) {
        this.signal.notify(other.id, 'newProducer', { producerId: producer.id, peerId });
      }
    }
    return producer.id;
  }

  /** The consumer starts paused; the browser asks for resume() when it is ready. */
  async consume(
    peerId: string,
    transportId: string,
    producerId: string,
    rtpCapabilities: types.RtpCapabilities,
  ): Promise<types.Consumer<PeerData>> {
    if (!this.router.canConsume({ producerId, rtpCapabilities })) {
      throw new Error(`${peerId} cannot receive ${producerId}`);
    }
    const consumer = await this.#transport(peerId, transportId).consume<PeerData>({
      producerId,
      rtpCapabilities,
      paused: true,
      appData: { peerId },
    });
    const tell = (method: string) => () =>
      this.signal.notify(peerId, method, { consumerId: consumer.id });
    consumer.on('producerclose', tell('consumerClosed'));
    consumer.on('producerpause', tell('consumerPaused'));
    consumer.on('producerresume', tell('consumerResumed'));
    consumer.on('layerschange', (layers) => this.signal.notify(peerId, 'layers', layers ?? null));
    return consumer;
  }

  #peer(peerId: string): Peer {
    const peer = this.#peers.get(peerId);
    if (!peer) {
      throw new Error(`nobody is called ${peerId}`);
    }
    return peer;
  }

  #transport(peerId: string, transportId: string): types.WebRtcTransport<PeerData> {
    const transport = this.#peer(peerId).transports.get(transportId);
    if (!transport) {
      throw new Error(`${peerId} has no transport ${transportId}`);
    }
    return transport;
  }
}

/** A worker and its ports; made again when the relay has died. */
export async function start(onworker: (worker: types.Worker, server: types.WebRtcServer) => void) {
  const worker = await mediasoup.createWorker({ logLevel: 'warn' });
  const webRtcServer = await worker.createWebRtcServer({
    listenInfos: [
      { protocol: 'udp', ip: '0.0.0.0', announcedAddress: 'media.example.org', port: 44444 },
      { protocol: 'tcp', ip: '0.0.0.0', announcedAddress: 'media.example.org', port: 44444 },
    ],
  });
  worker.on('died', (error) => {
    console.error('the relay is gone:', error.message);
    setTimeout(() => void start(onworker), 2000);
  });
  onworker(worker, webRtcServer);
}
