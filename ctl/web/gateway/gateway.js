// SPDX-License-Identifier: GPL-3.0-or-later
// WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep) over HTTP: /whip/ROOM and /whep/ROOM make
// sessions, /whip/ROOM/ID and /whep/ROOM/ID are these. README.md has the rules as a table.
import { Rooms } from '../rooms.js';
import { readBody } from './body.js';
import { readFragment } from './fragment.js';
import { defaultLimits } from './limits.js';
import { Pages } from './pages.js';
import { Problem, problemOf } from './problem.js';
import { Rates } from './rates.js';
import { Sessions } from './sessions.js';
import { Tokens } from './tokens.js';

/** @typedef {import('node:http').IncomingMessage} Request */
/** @typedef {import('node:http').ServerResponse} Response */
/** @typedef {import('./tokens.js').Action} Action */

/** @typedef {{ urls: string, username?: string, credential?: string }} IceServer */

/**
 * @typedef {object} Target
 * @property {Action} action
 * @property {string} room
 * @property {string} [id]  of a session
 */

const SDP = 'application/sdp';
const FRAGMENT = 'application/trickle-ice-sdpfrag';
const PATH = /^\/(whip|whep)\/([^/]*)(?:\/([^/]*))?\/?$/;
const ALLOW = {
  endpoint: 'GET, HEAD, OPTIONS, POST',
  session: 'DELETE, GET, HEAD, OPTIONS, PATCH',
};
const NAME_CHARS = 40;

export class Gateway {
  /**
   * @param {object} options
   * @param {Rooms} options.rooms
   * @param {import('./tokens.js').Grant[]} [options.tokens]
   * @param {IceServer[]} [options.iceServers]  told to clients; the relay itself needs none
   * @param {Partial<import('./limits.js').Limits>} [options.limits]
   * @param {(line: string) => void} [options.log]
   */
  constructor({ rooms, tokens = [], iceServers = [], limits = {}, log = () => {} }) {
    this.limits = { ...defaultLimits, ...limits };
    this.log = log;
    this.tokens = new Tokens(tokens);
    this.rates = new Rates(this.limits.postsPerSecond, this.limits.postsBurst);
    this.sessions = new Sessions(rooms, this.limits, log);
    this.links = iceServers.map(linkOf);
    this.pages = new Pages();
  }

  close() {
    this.sessions.close();
  }

  /**
   * For WebServer.mount().
   * @type {import('../server.js').Handler}
   */
  handle = async (request, response, url) => {
    const match = PATH.exec(url.pathname);
    if (!match) {
      return this.pages.handle(request, response, url);
    }
    const [, protocol, room, id] = match;
    const action = protocol === 'whip' ? 'publish' : 'play';
    try {
      await this.#answer(request, response, url, { action, room, ...(id && { id }) });
    } catch (error) {
      this.#fail(request, response, error);
    }
    return true;
  };

  /**
   * @param {Request} request
   * @param {Response} response
   * @param {URL} url
   * @param {Target} target
   */
  async #answer(request, response, url, target) {
    // A preflight is the browser's doing, and costs nothing.
    if (request.method !== 'OPTIONS' && !this.rates.take(request.socket.remoteAddress ?? '')) {
      throw new Problem(429, 'Too many requests from your address.', { 'retry-after': '1' });
    }
    if (!Rooms.isName(target.room)) {
      throw new Problem(404, 'A room is named by 1 to 64 letters, digits, - and _.');
    }
    const kind = target.id === undefined ? 'endpoint' : 'session';
    switch (request.method) {
      case 'OPTIONS':
        return this.#options(request, response, kind);
      case 'GET':
      case 'HEAD':
        return this.#get(request, response, target);
      case 'POST':
        if (kind === 'endpoint') {
          return this.#post(request, response, url, target);
        }
        break;
      case 'PATCH':
        if (kind === 'session') {
          return this.#patch(request, response, target);
        }
        break;
      case 'DELETE':
        if (kind === 'session') {
          return this.#delete(request, response, target);
        }
        break;
    }
    throw new Problem(405, `${request.method} is not for this resource.`, { allow: ALLOW[kind] });
  }

  /**
   * CORS, and what the resource takes. No token: browsers send none in a preflight.
   * @param {Request} request
   * @param {Response} response
   * @param {'endpoint' | 'session'} kind
   */
  #options(request, response, kind) {
    send(response, 200, {
      allow: ALLOW[kind],
      ...(kind === 'endpoint' ? { 'accept-post': SDP } : { 'accept-patch': FRAGMENT }),
      ...(request.headers['access-control-request-method'] !== undefined && {
        'access-control-allow-methods': ALLOW[kind],
        'access-control-allow-headers': 'authorization, content-type, if-match',
        'access-control-max-age': '600',
      }),
    });
  }

  /**
   * Neither endpoints nor sessions have a representation: RFC 9725 4.1.
   * @param {Request} request
   * @param {Response} response
   * @param {Target} target
   */
  #get(request, response, target) {
    this.tokens.check(request.headers.authorization, target.action, target.room);
    if (target.id !== undefined) {
      this.#session(target);
    }
    send(response, 204, {});
  }

  /**
   * @param {Request} request
   * @param {Response} response
   * @param {URL} url
   * @param {Target} target
   */
  async #post(request, response, url, { action, room }) {
    const address = request.socket.remoteAddress ?? '';
    this.tokens.check(request.headers.authorization, action, room);
    mustAccept(request, SDP);
    const sdp = await readBody(request, SDP, this.limits.offerBytes);
    const name = url.searchParams.get('name')?.slice(0, NAME_CHARS) ?? '';
    const asked = { room, address, sdp };
    const { session, sdp: answer } =
      action === 'publish'
        ? await this.sessions.publish({ ...asked, name: name || 'WHIP' })
        : await this.sessions.play({ ...asked, name: name || 'WHEP' });
    const protocol = action === 'publish' ? 'whip' : 'whep';
    send(
      response,
      201,
      {
        'content-type': SDP,
        // Relative, so that it is right behind any proxy.
        location: `/${protocol}/${room}/${session.id}`,
        etag: session.etag,
        'accept-patch': FRAGMENT,
        ...(this.links.length > 0 && { link: this.links }),
      },
      answer,
    );
  }

  /**
   * Trickled candidates, or an ICE restart.
   * @param {Request} request
   * @param {Response} response
   * @param {Target} target
   */
  async #patch(request, response, target) {
    this.tokens.check(request.headers.authorization, target.action, target.room);
    this.#session(target);
    const fragment = readFragment(await readBody(request, FRAGMENT, this.limits.fragmentBytes));
    const session = this.#session(target); // which may have ended meanwhile
    const given = request.headers['if-match'];
    if (given === undefined) {
      throw new Problem(428, 'A PATCH says by If-Match which ICE session it is for.');
    }
    const tags = given.split(',').map((tag) => tag.trim());
    // RFC 9725 4.3.3 writes * for a restart, and in its examples "*".
    const isAny = tags.includes('*') || tags.includes('"*"');
    const mustMatch = () => {
      if (!isAny && !tags.includes(session.etag)) {
        throw new Problem(412, 'This is not the ICE session that the session has now.');
      }
    };
    mustMatch();
    const { usernameFragment } = fragment;
    // Again when its turn comes: a restart that was under way has changed the tag by then.
    const restarted =
      usernameFragment !== undefined && session.isRestart(usernameFragment)
        ? await session.restartIce(usernameFragment, mustMatch)
        : undefined;
    if (!restarted) {
      // The relay is ICE-lite: it answers checks, from wherever they come, and sends none.
      send(response, 204, {});
      return;
    }
    const { body, etag } = restarted;
    send(response, 200, { 'content-type': FRAGMENT, etag }, body);
  }

  /**
   * @param {Request} request
   * @param {Response} response
   * @param {Target} target
   */
  #delete(request, response, target) {
    this.tokens.check(request.headers.authorization, target.action, target.room);
    this.#session(target).end('the client has ended it');
    send(response, 200, {});
  }

  /** @param {Target} target */
  #session({ action, room, id = '' }) {
    const session = this.sessions.get(id);
    if (!session || session.action !== action || session.room !== room) {
      throw new Problem(404, 'There is no such session, or it has ended.');
    }
    return session;
  }

  /**
   * @param {Request} request
   * @param {Response} response
   * @param {unknown} error
   */
  #fail(request, response, error) {
    if (request.destroyed && !response.writable) {
      return; // the client has gone
    }
    const problem = problemOf(error);
    if (!problem) {
      throw error; // ours: the server logs it and says 500
    }
    send(
      response,
      problem.status,
      { ...problem.headers, 'content-type': 'application/problem+json' },
      problem.body,
    );
  }
}

/**
 * @param {Response} response
 * @param {number} status
 * @param {import('node:http').OutgoingHttpHeaders} headers
 * @param {string} [body]
 */
function send(response, status, headers, body = '') {
  response.writeHead(status, {
    'access-control-allow-origin': '*',
    'access-control-expose-headers':
      'accept-patch, accept-post, etag, link, location, retry-after, www-authenticate',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...(status !== 204 && { 'content-length': Buffer.byteLength(body) }),
    ...headers,
  });
  response.end(body);
}

/**
 * @param {Request} request
 * @param {string} type
 */
function mustAccept(request, type) {
  const { accept } = request.headers;
  if (accept === undefined) {
    return;
  }
  const [group] = type.split('/');
  const takes = accept.split(',').some((range) => {
    const [name, ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    const isRefused = parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter));
    return !isRefused && (name === type || name === `${group}/*` || name === '*/*');
  });
  if (!takes) {
    throw new Problem(406, `The answer is ${type}, which your Accept header leaves out.`);
  }
}

/** @param {IceServer} server */
function linkOf({ urls, username, credential }) {
  if (!/^(stun|turn)s?:[^\s<>"]+$/.test(urls)) {
    throw new TypeError(`an ICE server is a stun: or turn: URL, not ${urls}`);
  }
  const quoted = (/** @type {string} */ text) => `"${text.replace(/["\\]/g, '\\$&')}"`;
  return [
    `<${urls}>`,
    'rel="ice-server"',
    ...(username === undefined ? [] : [`username=${quoted(username)}`]),
    ...(credential === undefined
      ? []
      : [`credential=${quoted(credential)}`, 'credential-type="password"']),
  ].join('; ');
}
