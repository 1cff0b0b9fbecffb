// SPDX-License-Identifier: GPL-3.0-or-later
// Being in a room, through all that may happen to the WebSocket, the relay and the network.
// What is sent is kept here as tracks and published again wherever the room has to be joined anew.
// Events: `state` ({state, reason?}), `member`, `memberleft`, `stream`, `streamchanged`,
// `streamclosed`, `chat`, `local` (a source of our own has changed), `reset` (all others are gone).
import { Emitter } from './emitter.js';
import { Signal } from './signal.js';
import { Wire } from './wire.js';

const REJOIN_MS = 1000;

/** @typedef {'joining' | 'in' | 'reconnecting' | 'mending' | 'relay-away' | 'out'} State */
/** @typedef {import('mediasoup-client').types.Producer} Producer */
/** @typedef {import('mediasoup-client').types.Consumer} Consumer */
/**
 * @typedef {object} Local  what we send
 * @property {string} source
 * @property {MediaStreamTrack} track
 * @property {() => void} [stop]
 * @property {number} [bitrate]
 * @property {boolean} paused
 * @property {Producer} [producer]
 * @property {Wire} [wire]     where it is published, or is being
 */
/**
 * @typedef {object} Stream  what we receive
 * @property {string} id       of its producer
 * @property {string} memberId
 * @property {string} source
 * @property {'audio' | 'video'} kind
 * @property {boolean} paused  by its sender
 * @property {Consumer} [consumer]
 */

export class Call extends Emitter {
  /** @type {State} */
  state = 'out';
  /** @type {Map<string, { id: string, name: string, kind: string }>} */
  members = new Map();
  /** @type {Map<string, Stream>} */
  streams = new Map();
  /** @type {Map<string, Local>} by source */
  locals = new Map();
  memberId = '';
  /** @type {Wire | undefined} */
  wire;
  #token = '';
  #relayUp = true;
  #entering = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {string} url
   * @param {string} room
   * @param {string} name
   */
  constructor(url, room, name) {
    super();
    this.room = room;
    this.name = name;
    this.signal = new Signal(url);
    this.signal.on('open', () => void this.#enter());
    this.signal.on('lost', () => this.#become('reconnecting'));
    this.signal.on('event', ({ event, data }) => this.#heard(event, data));
  }

  join() {
    this.#become('joining');
    this.signal.start();
  }

  leave() {
    clearTimeout(this.#timer);
    this.#become('out');
    for (const source of [...this.locals.keys()]) {
      this.unpublish(source);
    }
    void this.signal.request('leave').catch(() => {});
    this.#dropAll();
    this.signal.close();
  }

  /** @param {Omit<Local, 'paused'>} what */
  async publish(what) {
    this.unpublish(what.source);
    /** @type {Local} */
    const local = { ...what, paused: false };
    this.locals.set(local.source, local);
    local.track.addEventListener('ended', () => {
      if (this.locals.get(local.source) === local) {
        this.unpublish(local.source);
      }
    });
    this.emit('local', local.source);
    if (this.wire) {
      await this.#send(this.wire, local);
    }
  }

  /** @param {string} source */
  unpublish(source) {
    const local = this.locals.get(source);
    if (!local) {
      return;
    }
    this.locals.delete(source);
    local.track.stop();
    local.stop?.();
    if (local.producer && !local.producer.closed) {
      local.producer.close();
      this.#ask('closeProducer', { producerId: local.producer.id });
    }
    this.emit('local', source);
  }

  /**
   * @param {string} source
   * @param {boolean} paused
   */
  pause(source, paused) {
    const local = this.locals.get(source);
    if (!local || local.paused === paused) {
      return;
    }
    local.paused = paused;
    local.track.enabled = !paused;
    this.emit('local', source);
    if (local.producer) {
      if (paused) {
        local.producer.pause();
      } else {
        local.producer.resume();
      }
      const method = paused ? 'pauseProducer' : 'resumeProducer';
      this.#ask(method, { producerId: local.producer.id });
    }
  }

  /** @param {string} text */
  async say(text) {
    await this.signal.request('chat', { text });
  }

  /**
   * @param {State} state
   * @param {string} [reason]
   */
  #become(state, reason) {
    if (this.state === 'out' && state !== 'joining') {
      return;
    }
    this.state = state;
    this.emit('state', { state, reason });
  }

  /** What does not need an answer: whatever went wrong shows by other means. */
  #ask(/** @type {string} */ method, /** @type {object} */ params) {
    void this.signal.request(method, params).catch(() => {});
  }

  async #enter() {
    if (this.#entering || this.state === 'out' || !this.signal.isOpen) {
      return;
    }
    this.#entering = true;
    clearTimeout(this.#timer);
    try {
      const { room, name } = this;
      const state = await this.signal.request('join', { room, name, token: this.#token });
      await this.#entered(state);
      this.#become('in');
    } catch (error) {
      this.#refused(/** @type {Error & { code?: string }} */ (error));
    } finally {
      this.#entering = false;
    }
  }

  /** @param {any} state */
  async #entered(state) {
    const wire = this.wire;
    const kept =
      wire !== undefined &&
      state.resumed &&
      wire.transportIds.every((id) => state.transports.includes(id));
    if (!kept) {
      if (state.resumed && state.transports.length > 0) {
        // What the server still has belongs to a join that this page did not finish.
        await this.signal.request('leave');
        throw Object.assign(new Error('joined twice'), { code: 'again' });
      }
      this.#dropAll();
    }
    this.#token = state.token;
    this.memberId = state.memberId;
    this.#relayUp = true;
    if (!kept) {
      await this.#openWire(state.rtpCapabilities);
    }
    this.#reconcile(state);
    const now = /** @type {Wire} */ (this.wire);
    await Promise.all(
      [...this.locals.values()].map((local) => this.#send(now, local)),
    );
  }

  /** @param {any} rtpCapabilities */
  async #openWire(rtpCapabilities) {
    const wire = await Wire.open(this.signal, rtpCapabilities);
    if (this.state === 'out') {
      wire.close();
      throw new Error('left');
    }
    this.wire = wire;
    wire.on('broken', () => this.#again());
    wire.on('state', (state) => {
      if (this.wire === wire && (this.state === 'in' || this.state === 'mending')) {
        this.#become(state === 'mending' ? 'mending' : 'in');
      }
    });
  }

  /**
   * Makes what is known here equal to what the server says is there.
   * @param {any} state
   */
  #reconcile({ members, producers, chat }) {
    const memberIds = new Set(members.map((/** @type {any} */ { id }) => id));
    const producerIds = new Set(producers.map((/** @type {any} */ { id }) => id));
    for (const id of [...this.streams.keys()]) {
      if (!producerIds.has(id)) {
        this.#streamClosed(id);
      }
    }
    for (const id of [...this.members.keys()]) {
      if (!memberIds.has(id)) {
        this.#memberLeft(id);
      }
    }
    for (const member of members) {
      this.#memberCame(member);
    }
    for (const producer of producers) {
      this.#streamCame(producer);
    }
    for (const line of chat) {
      this.emit('chat', line);
    }
  }

  /** @param {Error & { code?: string }} error */
  #refused(error) {
    switch (error.code) {
      case 'lost':
        return; // `open` comes again
      case 'relay-away':
        this.#relayUp = false;
        this.#become('relay-away');
        return;
      case 'full':
      case 'bad-request':
        this.#stop(error.message);
        return;
      default:
        console.warn('joining failed:', error);
        this.#again();
    }
  }

  /** @param {string} reason */
  #stop(reason) {
    const { state } = this;
    this.leave();
    if (state !== 'out') {
      this.emit('state', { state: 'out', reason });
    }
  }

  /** Out, and in again in a moment. */
  #again() {
    if (this.state === 'out') {
      return;
    }
    this.#become('reconnecting');
    this.#ask('leave', {});
    this.#dropAll();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#enter(), REJOIN_MS * (0.5 + Math.random()));
  }

  #dropAll() {
    this.wire?.close();
    this.wire = undefined;
    this.#token = '';
    for (const local of this.locals.values()) {
      delete local.producer;
      delete local.wire;
    }
    this.streams.clear();
    this.members.clear();
    this.emit('reset');
  }

  /**
   * @param {Wire} wire
   * @param {Local} local
   */
  async #send(wire, local) {
    const { track, source, paused, bitrate } = local;
    const kind = /** @type {'audio' | 'video'} */ (track.kind);
    if (local.wire === wire || !wire.device.canProduce(kind)) {
      return;
    }
    local.wire = wire;
    const video = kind === 'video';
    const producer = await wire.send.produce({
      track,
      stopTracks: false, // the track outlives this join
      ...(bitrate === undefined ? {} : { encodings: [{ maxBitrate: bitrate }] }),
      codecOptions: video
        ? { videoGoogleStartBitrate: Math.min(1000, Math.round((bitrate ?? 1e6) / 1000)) }
        : { opusDtx: true },
      appData: { source, paused },
    });
    if (this.locals.get(source) !== local || this.wire !== wire) {
      producer.close();
      this.#ask('closeProducer', { producerId: producer.id });
      return;
    }
    local.producer = producer;
    if (local.paused !== paused) {
      const method = local.paused ? 'pauseProducer' : 'resumeProducer';
      this.#ask(method, { producerId: producer.id });
    }
    this.emit('local', source);
  }

  /**
   * @param {string} event
   * @param {any} data
   */
  #heard(event, data) {
    switch (event) {
      case 'relay':
        return this.#relayChanged(data.up);
      case 'roomClosed':
        return this.#roomClosed();
      case 'transportClosed':
        return this.wire?.transportIds.includes(data.id) ? this.#again() : undefined;
      case 'member':
        return this.#memberCame(data);
      case 'memberLeft':
        return this.#memberLeft(data.id);
      case 'producer':
        return this.#streamCame(data);
      case 'producerClosed':
        return this.#streamClosed(data.id);
      case 'producerPaused':
      case 'producerResumed':
        return this.#streamPaused(data.id, event === 'producerPaused');
      case 'chat':
        return this.emit('chat', data);
      default: // a newer server
    }
  }

  /** @param {boolean} up */
  #relayChanged(up) {
    const was = this.#relayUp;
    this.#relayUp = up;
    if (!up) {
      this.#become('relay-away');
    } else if (!was) {
      void this.#enter();
    }
  }

  #roomClosed() {
    this.#dropAll();
    if (this.#relayUp) {
      this.#become('reconnecting');
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => void this.#enter(), REJOIN_MS * Math.random());
    }
  }

  /** @param {{ id: string, name: string, kind: string }} member */
  #memberCame(member) {
    if (member.id !== this.memberId && !this.members.has(member.id)) {
      this.members.set(member.id, member);
      this.emit('member', member);
    }
  }

  /** @param {string} id */
  #memberLeft(id) {
    for (const stream of [...this.streams.values()]) {
      if (stream.memberId === id) {
        this.#streamClosed(stream.id);
      }
    }
    if (this.members.delete(id)) {
      this.emit('memberleft', id);
    }
  }

  /** @param {Stream} info */
  #streamCame(info) {
    const known = this.streams.get(info.id);
    if (known) {
      this.#streamPaused(info.id, info.paused);
    } else if (this.wire) {
      const stream = { ...info };
      this.streams.set(info.id, stream);
      void this.#receive(this.wire, stream);
    }
  }

  /**
   * @param {Wire} wire
   * @param {Stream} stream
   */
  async #receive(wire, stream) {
    const gone = () => this.wire !== wire || this.streams.get(stream.id) !== stream;
    try {
      const params = { transportId: wire.recv.id, producerId: stream.id };
      const { id, kind, rtpParameters } = await this.signal.request('consume', params);
      if (gone()) {
        return;
      }
      const consumer = await wire.recv.consume({
        id,
        producerId: stream.id,
        kind,
        rtpParameters,
        // Sound and picture of one person are kept in step; a shared screen has its own.
        streamId: `${stream.memberId}${stream.source.startsWith('screen') ? '-screen' : ''}`,
      });
      if (gone()) {
        consumer.close();
        return;
      }
      stream.consumer = consumer;
      this.emit('stream', stream);
      await this.signal.request('resumeConsumer', { consumerId: id });
    } catch (error) {
      if (gone()) {
        return;
      }
      const { code } = /** @type {import('./signal.js').SignalError} */ (error);
      if (code === 'lost' || code === 'timeout') {
        this.#streamClosed(stream.id); // asked for again after the next join
      } else if (code !== 'not-found') {
        console.warn(`${stream.source} cannot be received:`, error);
        this.emit('streamfailed', { stream, error });
      }
    }
  }

  /** @param {string} id */
  #streamClosed(id) {
    const stream = this.streams.get(id);
    if (stream) {
      this.streams.delete(id);
      stream.consumer?.close();
      this.emit('streamclosed', stream);
    }
  }

  /**
   * @param {string} id
   * @param {boolean} paused
   */
  #streamPaused(id, paused) {
    const stream = this.streams.get(id);
    if (stream && stream.paused !== paused) {
      stream.paused = paused;
      this.emit('streamchanged', stream);
    }
  }
}
