// SPDX-License-Identifier: GPL-3.0-or-later
// A WHIP or WHEP session: a member of a room, its transport, and how it ends. It ends by itself
// when its media does not come to be, or is over; then `onend` is called, once.
import { randomBytes } from 'node:crypto';
import { writeFragment } from './fragment.js';

/** @typedef {import('./answer.js').Bundle} Bundle */
/** @typedef {import('sluice-client').types.WebRtcTransport} WebRtcTransport */

export class Session {
  /** Nobody can guess it: who knows it has made the session, or was told by who did. */
  id = randomBytes(16).toString('base64url');
  ended = false;
  /** @type {Bundle | undefined} */
  bundle;
  /** @type {WebRtcTransport | undefined} */
  #transport;
  /** @type {NodeJS.Timeout | undefined} */
  #timer;
  /** @type {Promise<unknown>} */
  #queue = Promise.resolve();
  #etag = newTag();
  #remoteFragment = '';

  /**
   * @param {object} options
   * @param {import('./tokens.js').Action} options.action
   * @param {string} options.room
   * @param {string} options.address  of the client, for the limits
   * @param {import('../room.js').Member} options.member
   * @param {import('./limits.js').Limits} options.limits
   * @param {(session: Session, why: string) => void} options.onend
   */
  constructor({ action, room, address, member, limits, onend }) {
    this.action = action;
    this.room = room;
    this.address = address;
    this.member = member;
    this.limits = limits;
    this.onend = onend;
  }

  /** Of the ICE session: RFC 9110 8.8.3, a strong one. */
  get etag() {
    return this.#etag;
  }

  /**
   * @param {WebRtcTransport} transport
   * @param {string} remoteFragment  the client's ICE user name fragment
   */
  watch(transport, remoteFragment) {
    this.#transport = transport;
    this.#remoteFragment = remoteFragment;
    this.#endsIn(this.limits.connectMs, 'its media did not connect');
    transport.observer.once('close', () => this.end('its transport was closed'));
    transport.on('dtlsstatechange', (state) => {
      if (state === 'connected') {
        clearTimeout(this.#timer);
      } else if (state === 'failed' || state === 'closed') {
        this.end(`DTLS ${state}`);
      }
    });
    transport.on('icestatechange', (state) => {
      if (state === 'disconnected') {
        this.#endsIn(this.limits.disconnectedMs, 'consent has expired');
      } else if (transport.dtlsState === 'connected') {
        clearTimeout(this.#timer);
      }
    });
  }

  /** @param {string} usernameFragment */
  isRestart(usernameFragment) {
    return usernameFragment !== this.#remoteFragment;
  }

  /**
   * One after the other: the last one's credentials hold.
   * @param {string} usernameFragment  the client's new one
   * @param {() => void} check  throws where the one before has left nothing to restart
   * @returns {Promise<{ body: string, etag: string } | undefined>} the fragment that answers it and
   *   its tag; undefined: the one before has had these credentials
   */
  restartIce(usernameFragment, check) {
    const done = this.#queue.then(async () => {
      check();
      if (!this.isRestart(usernameFragment)) {
        return undefined;
      }
      const { bundle } = this;
      const transport = this.#transport;
      if (!transport || !bundle) {
        throw new Error('a session without its transport');
      }
      await transport.restartIce();
      this.#remoteFragment = usernameFragment;
      this.#etag = newTag();
      return { body: writeFragment(transport, bundle), etag: this.#etag };
    });
    this.#queue = done.catch(() => {}); // whoever asked for it hears of it
    return done;
  }

  /** @param {string} why */
  end(why) {
    if (this.ended) {
      return;
    }
    this.ended = true;
    clearTimeout(this.#timer);
    this.member.leave(); // closes the transport
    this.onend(this, why);
  }

  /**
   * @param {number} ms
   * @param {string} why
   */
  #endsIn(ms, why) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.end(why), ms);
  }
}

const newTag = () => `"${randomBytes(9).toString('base64url')}"`;
