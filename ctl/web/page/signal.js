// SPDX-License-Identifier: GPL-3.0-or-later
// The WebSocket to the server: requests with their answers, events, and coming back after a loss.
// Events: `open`, `lost`, and `event` ({event, data}).
import { Emitter } from './emitter.js';

const RETRY_MS_MIN = 300;
const RETRY_MS_MAX = 5000;
const REQUEST_MS = 15_000;

export class SignalError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   */
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

export class Signal extends Emitter {
  /** @type {WebSocket | undefined} */
  #ws;
  /** @type {Map<number, { resolve: (result: any) => void, reject: (error: Error) => void }>} */
  #pending = new Map();
  #id = 0;
  #closed = false;
  #wait = RETRY_MS_MIN;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {string} url */
  constructor(url) {
    super();
    this.url = url;
    this.online = () => {
      if (this.#timer !== undefined) {
        this.#open();
      }
    };
  }

  start() {
    addEventListener('online', this.online);
    this.#open();
  }

  get isOpen() {
    return this.#ws?.readyState === WebSocket.OPEN;
  }

  close() {
    this.#closed = true;
    removeEventListener('online', this.online);
    clearTimeout(this.#timer);
    this.#ws?.close(1000);
  }

  /** Gives up a connection that seems dead. */
  restart() {
    const ws = this.#ws;
    if (ws) {
      this.#lost(ws);
      ws.close(4000);
    }
  }

  /**
   * @param {string} method
   * @param {object} [params]
   * @returns {Promise<any>}
   */
  request(method, params = {}) {
    const ws = this.#ws;
    if (!ws || ws.readyState !== WebSocket.OPEN) {
      return Promise.reject(new SignalError('lost', 'The connection to the server is lost.'));
    }
    const id = ++this.#id;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(new SignalError('timeout', 'The server does not answer.'));
      }, REQUEST_MS);
      const done = (/** @type {(value: any) => void} */ settle) => (/** @type {any} */ value) => {
        clearTimeout(timer);
        settle(value);
      };
      this.#pending.set(id, { resolve: done(resolve), reject: done(reject) });
      ws.send(JSON.stringify({ id, method, params }));
    });
  }

  #open() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const ws = new WebSocket(this.url);
    this.#ws = ws;
    ws.onopen = () => {
      this.#wait = RETRY_MS_MIN;
      this.emit('open');
    };
    ws.onmessage = ({ data }) => this.#heard(JSON.parse(data));
    ws.onclose = () => this.#lost(ws);
  }

  /** @param {any} message */
  #heard({ id, result, error, event, data }) {
    if (event !== undefined) {
      this.emit('event', { event, data });
      return;
    }
    const waiting = this.#pending.get(id);
    this.#pending.delete(id);
    if (error) {
      waiting?.reject(new SignalError(error.code, error.message));
    } else {
      waiting?.resolve(result);
    }
  }

  /** @param {WebSocket} ws */
  #lost(ws) {
    if (this.#ws !== ws) {
      return;
    }
    this.#ws = undefined;
    for (const { reject } of this.#pending.values()) {
      reject(new SignalError('lost', 'The connection to the server is lost.'));
    }
    this.#pending.clear();
    if (this.#closed) {
      return;
    }
    this.emit('lost');
    // Not all pages at the same moment.
    this.#timer = setTimeout(() => this.#open(), this.#wait * (0.5 + Math.random()));
    this.#wait = Math.min(this.#wait * 2, RETRY_MS_MAX);
  }
}
