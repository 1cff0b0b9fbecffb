// SPDX-License-Identifier: GPL-3.0-or-later
// All rooms by name. A room is made when somebody wants it and closed when the last one leaves.
// Events: `room` (a new one), `roomclosed`.
import { EventEmitter } from 'node:events';
import { mediaCodecs } from './codecs.js';
import { defaultLimits } from './limits.js';
import { Refusal } from './refusal.js';
import { Room } from './room.js';

const ROOM_NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

export class Rooms extends EventEmitter {
  /** @type {Map<string, Room>} */
  #rooms = new Map();
  /** @type {Map<string, Promise<Room>>} rooms that are being made */
  #making = new Map();

  /**
   * @param {import('./relay.js').Relay} relay
   * @param {import('./limits.js').Limits} [limits]
   */
  constructor(relay, limits = defaultLimits) {
    super();
    this.relay = relay;
    this.limits = limits;
  }

  /** @param {string} name */
  static isName(name) {
    return typeof name === 'string' && ROOM_NAME.test(name);
  }

  get size() {
    return this.#rooms.size;
  }

  /** @param {string} name */
  get(name) {
    return this.#rooms.get(name);
  }

  [Symbol.iterator]() {
    return this.#rooms.values();
  }

  /**
   * The room of that name, made if it is not there. A room that nobody has entered within some
   * seconds is closed again.
   * @param {string} name
   * @returns {Promise<Room>}
   */
  async createRoom(name) {
    if (!Rooms.isName(name)) {
      throw new Refusal('bad-request', 'A room is named by 1 to 64 letters, digits, - and _.');
    }
    const there = this.#rooms.get(name) ?? this.#making.get(name);
    if (there) {
      return there;
    }
    if (this.#rooms.size + this.#making.size >= this.limits.rooms) {
      throw new Refusal('full', 'There are as many rooms as this server takes.');
    }
    const made = this.#make(name).finally(() => this.#making.delete(name));
    this.#making.set(name, made);
    return made;
  }

  /**
   * The room of that name, with a new member in it.
   * @param {string} name
   * @param {{ name: string, kind?: import('./room.js').MemberKind }} who
   */
  async enter(name, who) {
    for (;;) {
      const room = await this.createRoom(name);
      if (!room.closed) {
        return room.addMember(who);
      } // the last one has left it just now
    }
  }

  close() {
    for (const room of [...this.#rooms.values()]) {
      room.close('The server is stopping.');
    }
  }

  /** @param {string} name */
  async #make(name) {
    const { worker, webRtcServer } = this.relay;
    const router = await worker.createRouter({ mediaCodecs });
    const room = new Room(name, router, webRtcServer, this.limits);
    this.#rooms.set(name, room);
    // In the next turn, so that all others have heard that somebody left before it closes.
    const closeIfEmpty = () => {
      if (room.members.size === 0) {
        room.close('Everybody has left.');
      }
    };
    room.on('memberleft', () => setImmediate(closeIfEmpty));
    const timer = setTimeout(() => {
      if (room.members.size === 0) {
        room.close('Nobody came.');
      }
    }, this.limits.emptyRoomMs);
    room.once('close', () => {
      clearTimeout(timer);
      this.#rooms.delete(name);
      this.emit('roomclosed', room);
    });
    this.emit('room', room);
    return room;
  }
}
