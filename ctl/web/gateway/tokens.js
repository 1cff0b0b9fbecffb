// SPDX-License-Identifier: GPL-3.0-or-later
// Bearer tokens (RFC 6750 2.1): who may publish and who may play, where.
import { createHash, timingSafeEqual } from 'node:crypto';
import { Problem } from './problem.js';

/** @typedef {'publish' | 'play'} Action */

/**
 * `rooms` and `actions`: all of them where not given.
 * @typedef {{ token: string, rooms?: string[], actions?: Action[] }} Grant
 */

/** @type {Action[]} */
const ACTIONS = ['publish', 'play'];

/** @param {string} text */
const digest = (text) => createHash('sha256').update(text).digest();

export class Tokens {
  #grants;
  #guarded;

  /** @param {Grant[]} [grants]  an action that no grant names needs no token */
  constructor(grants = []) {
    for (const { token, rooms, actions } of grants) {
      // b64token of RFC 6750: anything else could never be sent.
      if (typeof token !== 'string' || !/^[A-Za-z0-9\-._~+/]+=*$/.test(token)) {
        throw new TypeError('a token has letters, digits and -._~+/ only, = at its end');
      }
      if (actions?.some((action) => !ACTIONS.includes(action))) {
        throw new TypeError(`the actions of a token are ${ACTIONS.join(' and ')}`);
      }
      if (rooms !== undefined && !Array.isArray(rooms)) {
        throw new TypeError('the rooms of a token are a list');
      }
    }
    this.#grants = grants.map((grant) => ({ ...grant, digest: digest(grant.token) }));
    this.#guarded = new Set(grants.flatMap(({ actions = ACTIONS }) => actions));
  }

  /**
   * Throws 401 without a token that is known, 403 where it is not for this.
   * @param {string | undefined} header  Authorization
   * @param {Action} action
   * @param {string} room
   */
  check(header, action, room) {
    if (!this.#guarded.has(action)) {
      return;
    }
    const token = /^bearer +([A-Za-z0-9\-._~+/]+=*) *$/i.exec(header ?? '')?.[1];
    if (token === undefined) {
      throw new Problem(401, `To ${action} here takes a bearer token.`, {
        'www-authenticate': 'Bearer realm="sluice"',
      });
    }
    const known = this.#find(token);
    if (known.length === 0) {
      throw new Problem(401, 'This bearer token is not known.', {
        'www-authenticate': 'Bearer realm="sluice", error="invalid_token"',
      });
    }
    const fits = known.some(
      ({ rooms, actions = ACTIONS }) =>
        actions.includes(action) && (rooms === undefined || rooms.includes(room)),
    );
    if (!fits) {
      throw new Problem(403, `This bearer token is not for this: to ${action} in "${room}".`, {
        'www-authenticate': 'Bearer realm="sluice", error="insufficient_scope"',
      });
    }
  }

  /**
   * All are compared, digests of one length: time tells nothing of which one came close.
   * @param {string} token
   */
  #find(token) {
    const given = digest(token);
    return this.#grants.filter((grant) => timingSafeEqual(grant.digest, given));
  }
}
