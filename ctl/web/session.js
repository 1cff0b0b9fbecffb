// SPDX-License-Identifier: GPL-3.0-or-later
// What one page asks for, and what it is told. A session outlives its WebSocket for some seconds,
// so that a page that connects again with its token goes on as the member that it was.
import { randomBytes } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { Rate } from './rate.js';
import { Refusal } from './refusal.js';

const SOURCES = ['microphone', 'camera', 'screen', 'screen-sound', 'test-picture', 'test-sound'];

/** @typedef {import('ws').WebSocket} WebSocket */
/** @typedef {import('./room.js').Member} Member */
/** @typedef {import('./room.js').Published} Published */
/** @typedef {import('sluice-client').types.Consumer} Consumer */
/** @typedef {import('sluice-client').types.WebRtcTransport} WebRtcTransport */
/** @typedef {Record<string, unknown>} Params */
/** @typedef {(event: string, data: object) => void} Tell */

export class Session extends EventEmitter {
  /** @type {Member | undefined} */
  member;
  token = newToken();
  /** @type {WebSocket | undefined} */
  #ws;
  /** @type {Tell} */
  #tell = () => {};
  /** @type {NodeJS.Timeout | undefined} */
  #waiting;
  /** @type {Map<string, WebRtcTransport>} */
  #transports = new Map();
  /** @type {Map<string, Consumer>} */
  #consumers = new Map();
  /** @type {Set<string>} producers whose consumer is being made */
  #consuming = new Set();
  /** @type {import('sluice-client').types.RtpCapabilities | undefined} */
  #rtpCapabilities;
  #joining = false;
  #ended = false;
  /** @type {() => void} */
  #stopListening = () => {};

  /** @param {import('./rooms.js').Rooms} rooms */
  constructor(rooms) {
    super();
    this.rooms = rooms;
    this.chatRate = new Rate(rooms.limits.chatPerSecond, rooms.limits.chatBurst);
  }

  get joined() {
    return this.member !== undefined;
  }

  /**
   * @param {WebSocket} ws
   * @param {Tell} tell
   */
  attach(ws, tell) {
    if (this.#ws === ws) {
      return;
    }
    this.#ws?.terminate(); // an older connection of the same page
    this.#ws = ws;
    this.#tell = tell;
    clearTimeout(this.#waiting);
  }

  /**
   * @param {WebSocket} ws
   * @param {boolean} mayResume  it broke; a page that was closed does not come back
   */
  detach(ws, mayResume) {
    if (this.#ws !== ws) {
      return;
    }
    this.#ws = undefined;
    this.#tell = () => {};
    if (this.member && mayResume) {
      this.#waiting = setTimeout(() => this.end(), this.rooms.limits.resumeMs);
    } else {
      this.end();
    }
  }

  /** The member leaves. */
  end() {
    clearTimeout(this.#waiting);
    this.#ended = true;
    this.#out();
  }

  /**
   * @param {string} method
   * @param {Params} params
   * @returns {Promise<object | void>}
   */
  async request(method, params) {
    switch (method) {
      case 'join':
        return this.#join(params);
      case 'leave':
        return this.#out();
      case 'createTransport':
        return this.#createTransport(params);
      case 'connectTransport':
        return this.#transport(params).connect(/** @type {any} */ (pick(params, 'dtlsParameters')));
      case 'restartIce':
        return { iceParameters: await this.#transport(params).restartIce() };
      case 'produce':
        return this.#produce(params);
      case 'pauseProducer':
        return this.#producer(params).pause();
      case 'resumeProducer':
        return this.#producer(params).resume();
      case 'closeProducer':
        return this.#producer(params).close();
      case 'consume':
        return this.#consume(params);
      case 'pauseConsumer':
        return this.#consumer(params).pause();
      case 'resumeConsumer':
        return this.#consumer(params).resume();
      case 'chat':
        return this.#chat(params);
      default:
        throw new Refusal('bad-request', 'There is no such request.');
    }
  }

  /** @param {Params} params */
  async #join({ room, name }) {
    if (this.member) {
      return this.#state(true);
    }
    if (typeof room !== 'string' || typeof name !== 'string' || this.#joining || this.#ended) {
      throw new Refusal('bad-request', 'join takes a room and a name, once.');
    }
    this.#joining = true;
    try {
      this.member = await this.rooms.enter(room, { name });
    } finally {
      this.#joining = false;
    }
    this.#listen(this.member);
    if (!this.#ws) {
      this.#out(); // gone meanwhile
      throw new Refusal('wrong-state', 'The connection has gone.');
    }
    return this.#state(false);
  }

  /** @param {boolean} resumed */
  #state(resumed) {
    const member = this.#me();
    const { room } = member;
    return {
      resumed,
      memberId: member.id,
      token: this.token,
      name: member.name,
      rtpCapabilities: room.router.rtpCapabilities,
      members: [...room.members.values()].map(memberView),
      producers: [...room.producers.values()].filter((p) => p.member !== member).map(producerView),
      transports: [...this.#transports.keys()],
      chat: room.chat,
    };
  }

  /** @param {Member} member */
  #listen(member) {
    const { room } = member;
    /** @type {[string, (what: any) => void][]} */
    const listeners = [
      ['member', (who) => this.#tell('member', memberView(who))],
      ['memberleft', (who) => this.#tell('memberLeft', { id: who.id })],
      ['producer', (entry) => this.#tellOfOther('producer', entry, producerView(entry))],
      ['chat', (line) => this.#tell('chat', line)],
      ['close', (reason) => this.#roomClosed(reason)],
    ];
    for (const event of ['producerclosed', 'producerpaused', 'producerresumed']) {
      const name = event.replace(/^producer(.)/, (_, c) => `producer${c.toUpperCase()}`);
      listeners.push([event, (entry) => this.#tellOfOther(name, entry, { id: entry.producer.id })]);
    }
    for (const [event, listener] of listeners) {
      room.on(event, listener);
    }
    this.#stopListening = () => {
      for (const [event, listener] of listeners) {
        room.off(event, listener);
      }
    };
  }

  /**
   * @param {string} event
   * @param {Published} entry
   * @param {object} data
   */
  #tellOfOther(event, { member }, data) {
    if (member !== this.member) {
      this.#tell(event, data);
    }
  }

  /** @param {string} reason */
  #roomClosed(reason) {
    this.#out();
    this.#tell('roomClosed', { reason });
  }

  /** Out of the room. The same connection may join again. */
  #out() {
    this.#stopListening();
    this.#stopListening = () => {};
    this.member?.leave();
    this.member = undefined;
    this.#transports.clear();
    this.#consumers.clear();
    this.#rtpCapabilities = undefined;
    this.emit('out', this.token);
    this.token = newToken();
  }

  /** @param {Params} params */
  async #createTransport({ rtpCapabilities }) {
    const member = this.#me();
    const transport = await member.createTransport();
    if (rtpCapabilities !== undefined) {
      this.#rtpCapabilities = /** @type {any} */ (rtpCapabilities);
    }
    this.#transports.set(transport.id, transport);
    transport.observer.once('close', () => {
      if (this.#transports.delete(transport.id)) {
        this.#tell('transportClosed', { id: transport.id });
      }
    });
    transport.on('dtlsstatechange', (state) => {
      if (state === 'failed' || state === 'closed') {
        transport.close();
      }
    });
    const { id, iceParameters, iceCandidates, dtlsParameters } = transport;
    return { id, iceParameters, iceCandidates, dtlsParameters };
  }

  /** @param {Params} params */
  async #produce(params) {
    const { kind, rtpParameters, source, paused } = params;
    if (!SOURCES.includes(/** @type {string} */ (source))) {
      throw new Refusal('bad-request', `source is one of ${SOURCES.join(', ')}.`);
    }
    const producer = await this.#me().produce(
      this.#transport(params),
      /** @type {any} */ ({ kind, rtpParameters, paused: paused === true }),
      /** @type {string} */ (source),
    );
    return { id: producer.id };
  }

  /** @param {Params} params */
  async #consume(params) {
    const transport = this.#transport(params);
    const { producerId } = params;
    const rtpCapabilities = this.#rtpCapabilities;
    const entry = this.#me().room.producers.get(String(producerId));
    if (!rtpCapabilities || !entry || entry.member === this.member) {
      throw new Refusal('not-found', 'There is no such stream.');
    }
    const { producer } = entry;
    if (this.#consuming.has(producer.id)) {
      // It is not among the older ones yet: requests at once would make any number of them.
      throw new Refusal('wrong-state', 'That stream is being asked for already.');
    }
    for (const older of [...this.#consumers.values()]) {
      if (older.producerId === producer.id) {
        older.close(); // the answer was lost with the connection
      }
    }
    if (!this.#me().room.router.canConsume({ producerId: producer.id, rtpCapabilities })) {
      throw new Refusal('bad-request', 'This browser cannot play that stream.');
    }
    this.#consuming.add(producer.id);
    let consumer;
    try {
      consumer = await transport.consume({
        producerId: producer.id,
        rtpCapabilities,
        paused: true, // until the page is ready: the first key frame is not wasted
      });
    } finally {
      this.#consuming.delete(producer.id);
    }
    if (consumer.closed) {
      throw new Refusal('not-found', 'That stream has just ended.');
    }
    this.#consumers.set(consumer.id, consumer);
    consumer.observer.once('close', () => this.#consumers.delete(consumer.id));
    const { id, kind, rtpParameters, producerPaused } = consumer;
    return { id, producerId, kind, rtpParameters, producerPaused };
  }

  /** @param {Params} params */
  #chat({ text }) {
    const { chatChars } = this.rooms.limits;
    const member = this.#me();
    if (typeof text !== 'string' || text.trim() === '' || text.length > chatChars) {
      throw new Refusal('bad-request', `A message has 1 to ${chatChars} characters.`);
    }
    if (!this.chatRate.take()) {
      throw new Refusal('too-fast', 'That was too fast; please wait a moment.');
    }
    member.room.say(member, text.trim());
  }

  #me() {
    if (!this.member) {
      throw new Refusal('wrong-state', 'You are not in a room.');
    }
    return this.member;
  }

  /** @param {Params} params */
  #transport({ transportId }) {
    return found(this.#transports.get(String(transportId)), 'transport');
  }

  /** @param {Params} params */
  #producer({ producerId }) {
    const entry = this.#me().room.producers.get(String(producerId));
    return found(entry?.member === this.member ? entry?.producer : undefined, 'producer');
  }

  /** @param {Params} params */
  #consumer({ consumerId }) {
    return found(this.#consumers.get(String(consumerId)), 'consumer');
  }
}

function newToken() {
  return randomBytes(18).toString('base64url');
}

/** @param {Member} member */
function memberView({ id, name, kind }) {
  return { id, name, kind };
}

/** @param {Published} entry */
function producerView({ producer, member, source }) {
  const { id, kind, paused } = producer;
  return { id, kind, paused, source, memberId: member.id };
}

/**
 * @template T
 * @param {T | undefined} object
 * @param {string} noun
 */
function found(object, noun) {
  if (object === undefined) {
    throw new Refusal('not-found', `There is no such ${noun}.`);
  }
  return object;
}

/**
 * @param {Params} params
 * @param {string} key
 */
function pick(params, key) {
  return { [key]: params[key] };
}
