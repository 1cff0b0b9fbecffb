// SPDX-License-Identifier: GPL-3.0-or-later
// All sessions, by id: how offers become sessions, and how many there may be.
import { addressKey } from '../address.js';
import { writeAnswer } from './answer.js';
import { readOffer } from './offer.js';
import { chooseStreams, planPlay } from './play.js';
import { Problem, unavailable } from './problem.js';
import { planPublication } from './publish.js';
import { Session } from './session.js';

/** @typedef {import('./tokens.js').Action} Action */
/** @typedef {import('./offer.js').Offer} Offer */
/** @typedef {import('./answer.js').AnswerMedia} AnswerMedia */
/** @typedef {import('../rooms.js').Rooms} Rooms */

/**
 * @typedef {object} Asked
 * @property {string} room
 * @property {string} name  of the member that it becomes
 * @property {string} address
 * @property {string} sdp
 */

const KINDS = /** @type {const} */ ({ publish: 'whip', play: 'whep' });
const SOURCES = { audio: 'microphone', video: 'camera' };

export class Sessions {
  /** @type {Map<string, Session>} */
  #sessions = new Map();
  /** @type {Map<string, number>} by addressKey() */
  #addresses = new Map();

  /**
   * @param {Rooms} rooms
   * @param {import('./limits.js').Limits} limits
   * @param {(line: string) => void} log
   */
  constructor(rooms, limits, log) {
    this.rooms = rooms;
    this.limits = limits;
    this.log = log;
  }

  get size() {
    return this.#sessions.size;
  }

  /** @param {string} id */
  get(id) {
    return this.#sessions.get(id);
  }

  close() {
    for (const session of [...this.#sessions.values()]) {
      session.end('the gateway is closing');
    }
  }

  /** @param {Asked} asked */
  async publish(asked) {
    const offer = readOffer(asked.sdp, this.limits);
    return this.#create('publish', asked, offer, async (session, transport) => {
      const { router } = session.member.room;
      const { producers, answer } = planPublication(offer, router.rtpCapabilities);
      await transport.connect({ dtlsParameters: offer.dtlsParameters });
      for (const producer of producers) {
        const made = await session.member.produce(transport, producer, SOURCES[producer.kind]);
        made.observer.once('close', () => session.end('its producer was closed'));
      }
      return answer;
    });
  }

  /** @param {Asked} asked */
  async play(asked) {
    const offer = readOffer(asked.sdp, this.limits);
    const { producers } = this.rooms.get(asked.room) ?? { producers: new Map() };
    const streams = chooseStreams(producers.values());
    if (streams.size === 0) {
      throw new Problem(409, `Nobody publishes in "${asked.room}" yet.`, {
        'retry-after': String(this.limits.retrySeconds),
      });
    }
    // Before anything is made: a viewer who can receive nothing costs nothing.
    const { consumers, answer } = planPlay(offer, streams);
    return this.#create('play', asked, offer, async (session, transport) => {
      await transport.connect({ dtlsParameters: offer.dtlsParameters });
      let left = consumers.length;
      for (const plan of consumers) {
        const consumer = await transport.consume({ ...plan, paused: true });
        consumer.once('producerclose', () => {
          if (--left === 0) {
            session.end('what it plays has ended');
          }
        });
        // From its first picture on, and not before there is somebody to send it to.
        transport.on('dtlsstatechange', (state) => {
          if (state === 'connected') {
            consumer.resume().catch(() => session.end('it could not be resumed'));
          }
        });
      }
      return answer;
    });
  }

  /**
   * @param {Action} action
   * @param {Asked} asked
   * @param {Offer} offer
   * @param {(session: Session, transport: import('sluice-client').types.WebRtcTransport) =>
   *   Promise<AnswerMedia[]>} fill
   */
  async #create(action, { room, name, address }, offer, fill) {
    const release = this.#reserve(address);
    let session;
    try {
      const member = await this.rooms.enter(room, { name, kind: KINDS[action] });
      session = new Session({
        action,
        room,
        address,
        member,
        limits: this.limits,
        onend: (ended, why) => this.#ended(ended, why, release),
      });
      const transport = await member.createTransport({
        iceConsentTimeout: this.limits.consentSeconds,
      });
      session.watch(transport, offer.ice.usernameFragment);
      const media = await fill(session, transport);
      const { sdp, bundle } = writeAnswer(offer, media, transport);
      if (session.ended) {
        throw new Problem(409, 'The session has just ended.', { 'retry-after': '1' });
      }
      session.bundle = bundle;
      this.#sessions.set(session.id, session);
      this.log(`${KINDS[action]}: a session in ${room} for ${address}`);
      return { session, sdp };
    } catch (error) {
      if (session) {
        session.end('it could not be set up');
      } else {
        release();
      }
      throw error;
    }
  }

  /**
   * A place among the sessions, those that are being made included.
   * @param {string} from
   * @returns {() => void} gives it back
   */
  #reserve(from) {
    const address = addressKey(from);
    const mine = this.#addresses.get(address) ?? 0;
    if (mine >= this.limits.sessionsPerAddress) {
      throw new Problem(429, 'Your address has as many sessions as it may.', {
        'retry-after': '10',
      });
    }
    let all = 0;
    for (const n of this.#addresses.values()) {
      all += n;
    }
    if (all >= this.limits.sessions) {
      throw unavailable('There are as many sessions as this server takes.', 10);
    }
    this.#addresses.set(address, mine + 1);
    return () => {
      const left = (this.#addresses.get(address) ?? 1) - 1;
      if (left > 0) {
        this.#addresses.set(address, left);
      } else {
        this.#addresses.delete(address);
      }
    };
  }

  /**
   * @param {Session} session
   * @param {string} why
   * @param {() => void} release
   */
  #ended(session, why, release) {
    release();
    if (this.#sessions.delete(session.id)) {
      this.log(`${KINDS[session.action]}: a session in ${session.room} has ended: ${why}`);
    }
  }
}
