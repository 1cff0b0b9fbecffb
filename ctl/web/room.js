// SPDX-License-Identifier: GPL-3.0-or-later
// A room: a router of the relay, who is in it, and what they publish. README.md has its events.
import { randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { Refusal } from './refusal.js';

/** @typedef {import('sluice-client').types.Router} Router */
/** @typedef {import('sluice-client').types.Producer} Producer */
/** @typedef {import('sluice-client').types.WebRtcTransport} WebRtcTransport */
/** @typedef {import('sluice-client').types.PlainTransport} PlainTransport */
/** @typedef {import('sluice-client').types.WebRtcTransportOptions} WebRtcTransportOptions */
/** @typedef {{ producer: Producer, member: Member, source: string }} Published */
/** @typedef {'page' | 'whip' | 'whep' | 'feed'} MemberKind */
/** @typedef {{ id: string, from: string, name: string, text: string, at: number }} ChatLine */

const NAME_CHARS = 40;

export class Room extends EventEmitter {
  /** @type {Map<string, Member>} */
  members = new Map();
  /** @type {Map<string, Published>} */
  producers = new Map();
  /** @type {ChatLine[]} */
  chat = [];
  closed = false;
  #limits;

  /**
   * @param {string} name
   * @param {Router} router
   * @param {import('sluice-client').types.WebRtcServer} webRtcServer
   * @param {import('./limits.js').Limits} limits
   */
  constructor(name, router, webRtcServer, limits) {
    super();
    this.setMaxListeners(0); // one for each member
    this.name = name;
    this.router = router;
    this.webRtcServer = webRtcServer;
    this.#limits = limits;
    router.observer.once('close', () => this.#ended('The media relay has closed this room.'));
  }

  /**
   * Somebody comes in. `kind` says by what way.
   * @param {{ name: string, kind?: MemberKind }} who
   */
  addMember({ name, kind = 'page' }) {
    if (this.closed) {
      throw new Refusal('wrong-state', 'This room has just been closed.');
    }
    if (this.members.size >= this.#limits.membersPerRoom) {
      throw new Refusal('full', 'This room is full.');
    }
    const member = new Member(this, cleanName(name), kind, this.#limits);
    this.members.set(member.id, member);
    this.emit('member', member);
    return member;
  }

  /** @param {string} reason */
  close(reason = 'The room was closed.') {
    if (!this.closed) {
      this.#ended(reason);
      this.router.close();
    }
  }

  /**
   * @param {Member} member
   * @param {string} text
   */
  say(member, text) {
    const line = { id: randomUUID(), from: member.id, name: member.name, text, at: Date.now() };
    this.chat.push(line);
    if (this.chat.length > this.#limits.chatLines) {
      this.chat.shift();
    }
    this.emit('chat', line);
  }

  /** @param {string} reason */
  #ended(reason) {
    if (this.closed) {
      return;
    }
    this.closed = true;
    this.emit('close', reason);
    this.members.clear();
    this.producers.clear();
  }
}

export class Member {
  id = randomUUID();
  /** @type {Set<WebRtcTransport | PlainTransport>} */
  transports = new Set();
  left = false;
  #limits;
  #pending = 0;

  /**
   * @param {Room} room
   * @param {string} name
   * @param {MemberKind} kind
   * @param {import('./limits.js').Limits} limits
   */
  constructor(room, name, kind, limits) {
    this.room = room;
    this.name = name;
    this.kind = kind;
    this.#limits = limits;
  }

  /**
   * A WebRTC transport at the shared ports; it closes when the member leaves.
   * @param {Partial<WebRtcTransportOptions>} [options]
   */
  createTransport(options = {}) {
    const { router, webRtcServer } = this.room;
    const all = { preferUdp: true, ...options, webRtcServer };
    return this.hold(() =>
      router.createWebRtcTransport(/** @type {WebRtcTransportOptions} */ (all)),
    );
  }

  /**
   * Makes a transport of any kind that closes when the member leaves.
   * @template {WebRtcTransport | PlainTransport} T
   * @param {() => Promise<T>} create
   * @returns {Promise<T>}
   */
  async hold(create) {
    this.#mustBeHere();
    if (this.transports.size + this.#pending >= this.#limits.transportsPerMember) {
      throw new Refusal('full', 'That is more transports than one participant may have.');
    }
    this.#pending++;
    try {
      const transport = await create();
      if (this.left || this.room.closed) {
        transport.close();
        this.#mustBeHere();
      }
      this.transports.add(transport);
      const observer = /** @type {EventEmitter} */ (transport.observer);
      observer.once('close', () => this.transports.delete(transport));
      return transport;
    } finally {
      this.#pending--;
    }
  }

  /**
   * Publishes on a transport of this member and tells the room.
   * @param {WebRtcTransport | PlainTransport} transport
   * @param {import('sluice-client').types.ProducerOptions} options
   * @param {string} source  what it shows: `microphone`, `camera`, `screen` ...
   */
  async produce(transport, options, source) {
    this.#mustBeHere();
    const mine = [...this.room.producers.values()].filter(({ member }) => member === this).length;
    if (mine + this.#pending >= this.#limits.producersPerMember) {
      throw new Refusal('full', 'That is more streams than one participant may publish.');
    }
    this.#pending++;
    try {
      const producer = await transport.produce(options);
      if (this.left || this.room.closed) {
        producer.close();
        this.#mustBeHere();
      }
      this.#published({ producer, member: this, source });
      return producer;
    } finally {
      this.#pending--;
    }
  }

  leave() {
    if (this.left) {
      return;
    }
    this.left = true;
    for (const transport of [...this.transports]) {
      transport.close(); // its producers and consumers go with it
    }
    if (this.room.members.delete(this.id)) {
      this.room.emit('memberleft', this);
    }
  }

  /** @param {Published} entry */
  #published(entry) {
    const { room } = this;
    const { producer } = entry;
    room.producers.set(producer.id, entry);
    producer.observer.once('close', () => {
      if (room.producers.delete(producer.id)) {
        room.emit('producerclosed', entry);
      }
    });
    producer.observer.on('pause', () => room.emit('producerpaused', entry));
    producer.observer.on('resume', () => room.emit('producerresumed', entry));
    room.emit('producer', entry);
  }

  #mustBeHere() {
    if (this.left || this.room.closed) {
      throw new Refusal('wrong-state', 'You are no longer in this room.');
    }
  }
}

/** @param {unknown} name */
function cleanName(name) {
  // Control and direction characters would let one name pose as another.
  const text = String(name).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '').trim();
  return [...text].slice(0, NAME_CHARS).join('') || 'Guest';
}
