// SPDX-License-Identifier: GPL-3.0-or-later
// Rooms without a relay, as far as the gateway knows them: what is asked of them is kept.
import { EventEmitter } from 'node:events';
import { readFileSync } from 'node:fs';

/** Of a real router with the codecs of ../../codecs.js. */
export const rtpCapabilities = JSON.parse(
  readFileSync(new URL('./capabilities.json', import.meta.url), 'utf8'),
);

class FakeObject extends EventEmitter {
  observer = new EventEmitter();
  closed = false;

  constructor() {
    super();
    this.setMaxListeners(0);
  }

  close() {
    if (!this.closed) {
      this.closed = true;
      this.observer.emit('close');
    }
  }
}

export class FakeTransport extends FakeObject {
  iceParameters = { usernameFragment: 'f'.repeat(32), password: 'p'.repeat(32), iceLite: true };
  iceCandidates = [
    {
      foundation: 'udpcandidate',
      priority: 1076558079,
      ip: '192.0.2.1',
      address: '192.0.2.1',
      protocol: 'udp',
      port: 40000,
      type: 'host',
    },
    {
      foundation: 'tcpcandidate',
      priority: 1076276479,
      ip: '192.0.2.1',
      address: 'media.example.org',
      protocol: 'tcp',
      port: 40001,
      type: 'host',
      tcpType: 'passive',
    },
  ];
  dtlsParameters = {
    role: 'auto',
    fingerprints: [
      { algorithm: 'sha-1', value: Array(20).fill('AA').join(':') },
      { algorithm: 'sha-256', value: Array(32).fill('BB').join(':') },
    ],
  };
  dtlsState = 'new';
  connected = [];
  consumed = [];
  restarts = 0;

  async connect(parameters) {
    this.connected.push(parameters);
  }

  async consume(options) {
    const consumer = new FakeObject();
    consumer.options = options;
    consumer.resume = async () => (consumer.resumed = true);
    this.consumed.push(consumer);
    return consumer;
  }

  async restartIce() {
    const usernameFragment = String(++this.restarts).padStart(32, 'r');
    this.iceParameters = { ...this.iceParameters, usernameFragment };
    return this.iceParameters;
  }

  enter(state) {
    this.dtlsState = state;
    this.emit('dtlsstatechange', state);
  }
}

class FakeMember {
  left = false;

  constructor(room, kind) {
    this.room = room;
    this.kind = kind;
  }

  async createTransport() {
    this.transport = new FakeTransport();
    return this.transport;
  }

  async produce(transport, { kind, rtpParameters }, source) {
    const producer = new FakeObject();
    Object.assign(producer, { id: `${kind}-${this.room.producers.size}`, kind, rtpParameters });
    producer.consumableRtpParameters = consumable(kind);
    this.room.producers.set(producer.id, { producer, member: this, source });
    producer.observer.once('close', () => this.room.producers.delete(producer.id));
    transport.observer.once('close', () => producer.close());
    return producer;
  }

  leave() {
    this.left = true;
    this.room.members.delete(this);
    this.transport?.close();
  }
}

/** As the relay makes it: the first codec of the kind, with the router's payload types and ids. */
function consumable(kind) {
  const { codecs, headerExtensions } = rtpCapabilities;
  const all = codecs.filter((codec) => codec.kind === kind);
  return {
    codecs: all
      .slice(0, kind === 'video' ? 2 : 1)
      .map(({ kind: _kind, preferredPayloadType, ...codec }) => ({
        ...codec,
        payloadType: preferredPayloadType,
      })),
    headerExtensions: headerExtensions
      .filter((each) => each.kind === kind && each.direction !== 'recvonly')
      .map(({ uri, preferredId }) => ({ uri, id: preferredId })),
    encodings: [{ ssrc: 1 }],
    rtcp: { cname: 'somebody' },
  };
}

export class FakeRooms {
  rooms = new Map();
  /** What enter() throws, if anything. */
  refusal = undefined;

  get(name) {
    return this.rooms.get(name);
  }

  async enter(name, { kind }) {
    if (this.refusal) {
      throw this.refusal;
    }
    if (!this.rooms.has(name)) {
      const router = { rtpCapabilities };
      this.rooms.set(name, { name, router, members: new Set(), producers: new Map() });
    }
    const room = this.rooms.get(name);
    const member = new FakeMember(room, kind);
    room.members.add(member);
    return member;
  }

  /** A room in which somebody publishes. */
  async withStreams(name, kinds = ['audio', 'video'], kind = 'page') {
    const member = await this.enter(name, { kind });
    const transport = await member.createTransport();
    for (const each of kinds) {
      await member.produce(transport, { kind: each, rtpParameters: {} }, 'test');
    }
    return member;
  }
}
