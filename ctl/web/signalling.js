// SPDX-License-Identifier: GPL-3.0-or-later
// WebSocket connections of pages: who may open one, how many, how much they may say. What they say
// is for session.js. Messages are JSON:
//   page -> server  {id, method, params}      server -> page  {id, result} or {id, error}
//                                                             {event, data}
import { WebSocket, WebSocketServer } from 'ws';
import { addressKey } from './address.js';
import { Rate } from './rate.js';
import { Refusal } from './refusal.js';
import { Session } from './session.js';

const PATH = '/signal';
const CLOSE_NORMAL = 1000;
const CLOSE_GOING_AWAY = 1001;
const CLOSE_POLICY = 1008;
const CLOSE_RESTART = 1012;

/** @typedef {import('node:http').IncomingMessage} Request */

export class Signalling {
  #sockets;
  /** @type {Map<string, number>} connections by addressKey() */
  #addresses = new Map();
  /** @type {Map<string, Session>} those with a member, by their token */
  #sessions = new Map();
  #closed = false;

  /**
   * @param {object} options
   * @param {{ secure: boolean }} options.server
   * @param {import('./rooms.js').Rooms} options.rooms
   * @param {string[]} options.allowedOrigins
   * @param {(line: string) => void} options.log
   */
  constructor({ server, rooms, allowedOrigins, log }) {
    this.server = server;
    this.rooms = rooms;
    this.limits = rooms.limits;
    this.allowedOrigins = new Set(allowedOrigins);
    this.log = log;
    this.#sockets = new WebSocketServer({
      noServer: true,
      maxPayload: this.limits.messageBytes,
      perMessageDeflate: false,
    });
    rooms.relay.on('up', () => this.#tellAll('relay', { up: true }));
    rooms.relay.on('away', () => this.#tellAll('relay', { up: false }));
    this.timer = setInterval(() => this.#ping(), this.limits.pingMs);
    this.timer.unref();
  }

  /**
   * @param {Request} request
   * @param {import('node:net').Socket} socket
   * @param {Buffer} head
   */
  upgrade(request, socket, head) {
    const address = addressKey(socket.remoteAddress);
    const why = this.#refusal(request, address);
    if (why) {
      socket.on('error', () => {});
      // A peer that does not close its half would keep the file descriptor for good.
      socket.once('finish', () => socket.destroy());
      socket.end(`HTTP/1.1 ${why}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
      return;
    }
    this.#addresses.set(address, (this.#addresses.get(address) ?? 0) + 1);
    socket.once('close', () => this.#forget(address));
    this.#sockets.handleUpgrade(request, socket, head, (ws) => this.#opened(ws));
  }

  close() {
    this.#closed = true;
    clearInterval(this.timer);
    for (const session of this.#sessions.values()) {
      session.end();
    }
    for (const ws of this.#sockets.clients) {
      ws.close(CLOSE_RESTART, 'the server is stopping');
      setTimeout(() => ws.terminate(), 1000).unref();
    }
  }

  /**
   * @param {Request} request
   * @param {string} address
   */
  #refusal({ url = '', headers }, address) {
    if (this.#closed) {
      return '503 Service Unavailable';
    }
    if (url.split('?')[0] !== PATH) {
      return '404 Not Found';
    }
    // Browsers always say where a page comes from; other sites' pages have no business here.
    const { origin, host } = headers;
    const own = `${this.server.secure ? 'https' : 'http'}://${host}`;
    if (!origin || (origin !== own && !this.allowedOrigins.has(origin))) {
      return '403 Forbidden';
    }
    if (
      this.#sockets.clients.size >= this.limits.connections ||
      (this.#addresses.get(address) ?? 0) >= this.limits.connectionsPerAddress
    ) {
      return '503 Service Unavailable';
    }
    return undefined;
  }

  /** @param {string} address */
  #forget(address) {
    const left = (this.#addresses.get(address) ?? 1) - 1;
    if (left > 0) {
      this.#addresses.set(address, left);
    } else {
      this.#addresses.delete(address);
    }
  }

  /** @param {WebSocket} ws */
  #opened(ws) {
    const { limits } = this;
    const rate = new Rate(limits.messagesPerSecond, limits.messagesBurst);
    let session = new Session(this.rooms);
    let pending = 0;
    let alive = true;

    /** @param {object} message */
    const send = (message) => {
      if (ws.bufferedAmount > limits.backlogBytes) {
        ws.terminate(); // does not read
      } else if (ws.readyState === WebSocket.OPEN) {
        ws.send(JSON.stringify(message));
      }
    };
    const tell = (/** @type {string} */ event, /** @type {object} */ data) => send({ event, data });
    const late = setTimeout(() => {
      if (!session.joined) {
        ws.close(CLOSE_POLICY, 'not joined in time');
      }
    }, limits.joinMs);

    /** @param {{ id: number, method: string, params: Record<string, unknown> }} request */
    const answer = async ({ id, method, params }) => {
      try {
        if (pending >= limits.requestsPending) {
          throw new Refusal('too-fast', 'Too many requests at once.');
        }
        pending++;
        try {
          if (method === 'join') {
            session = this.#resumed(params, session);
          }
          session.attach(ws, tell);
          const result = await session.request(method, params);
          this.#keep(session);
          send({ id, result: result ?? {} });
        } finally {
          pending--;
        }
      } catch (error) {
        send({ id, error: this.#errorOf(error, method) });
      }
    };

    ws.on('message', (data, binary) => {
      const request = binary ? undefined : parse(String(data));
      if (!request || !rate.take()) {
        ws.close(CLOSE_POLICY, request ? 'too many messages' : 'not a request');
        return;
      }
      void answer(request);
    });
    ws.on('pong', () => (alive = true));
    ws.on('error', () => {}); // `close` follows
    ws.on('close', (code) => {
      clearTimeout(late);
      session.detach(ws, code !== CLOSE_NORMAL && code !== CLOSE_GOING_AWAY);
    });
    pingers.set(ws, () => {
      if (!alive) {
        ws.terminate();
        return;
      }
      alive = false;
      ws.ping();
    });
    session.attach(ws, tell);
    tell('relay', { up: this.rooms.relay.up });
  }

  /**
   * The session whose token the page shows, else the one that it has.
   * @param {Record<string, unknown>} params
   * @param {Session} session
   */
  #resumed({ token, room }, session) {
    const old = typeof token === 'string' ? this.#sessions.get(token) : undefined;
    return old?.member && !session.joined && old.member.room.name === room ? old : session;
  }

  /** @param {Session} session */
  #keep(session) {
    if (session.joined && !this.#sessions.has(session.token)) {
      this.#sessions.set(session.token, session);
      session.once('out', (token) => this.#sessions.delete(token));
    }
  }

  /**
   * @param {unknown} error
   * @param {string} method
   */
  #errorOf(error, method) {
    if (error instanceof Refusal) {
      return { code: error.code, message: error.message };
    }
    const { name, message } = /** @type {Error} */ (error);
    this.log(`${method}: ${name}: ${message}`);
    const code = name === 'InvalidParamsError' ? 'bad-request' : 'failed';
    return { code, message: 'The media relay has refused that.' };
  }

  /**
   * @param {string} event
   * @param {object} data
   */
  #tellAll(event, data) {
    const text = JSON.stringify({ event, data });
    for (const ws of this.#sockets.clients) {
      if (ws.readyState === WebSocket.OPEN) {
        ws.send(text);
      }
    }
  }

  #ping() {
    for (const ws of this.#sockets.clients) {
      pingers.get(ws)?.();
    }
  }
}

/** @type {WeakMap<WebSocket, () => void>} */
const pingers = new WeakMap();

/**
 * @param {string} text
 * @returns {{ id: number, method: string, params: Record<string, unknown> } | undefined}
 */
function parse(text) {
  try {
    const { id, method, params = {} } = JSON.parse(text);
    const right =
      Number.isSafeInteger(id) &&
      typeof method === 'string' &&
      typeof params === 'object' &&
      params !== null;
    return right ? { id, method, params } : undefined;
  } catch {
    return undefined;
  }
}

