// SPDX-License-Identifier: GPL-3.0-or-later
// The web server: page and files, signalling over WebSocket, and whatever else is mounted on it
// (README.md, "Mounting something"). It neither reads options nor ends the process: main.js does.
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { Files } from './files.js';
import { Signalling } from './signalling.js';

const REQUEST_MS = 30_000;

/**
 * @callback Handler  answers a request, or says false: it is not for it
 * @param {import('node:http').IncomingMessage} request
 * @param {import('node:http').ServerResponse} response
 * @param {URL} url
 * @returns {boolean | Promise<boolean>}
 */

export class WebServer {
  /** @type {Handler[]} */
  #handlers = [];
  #files = new Files();
  #http;
  #signalling;

  /**
   * @param {object} options
   * @param {import('./rooms.js').Rooms} options.rooms
   * @param {{ cert: string | Buffer, key: string | Buffer }} [options.tls]
   * @param {string[]} [options.allowedOrigins]  other than the server's own
   * @param {(line: string) => void} [options.log]
   */
  constructor({ rooms, tls, allowedOrigins = [], log = () => {} }) {
    this.rooms = rooms;
    this.log = log;
    this.secure = tls !== undefined;
    const listener = (
      /** @type {import('node:http').IncomingMessage} */ request,
      /** @type {import('node:http').ServerResponse} */ response,
    ) => void this.#answer(request, response);
    const settings = { requestTimeout: REQUEST_MS, maxHeaderSize: 16 * 1024 };
    this.#http = tls
      ? createHttpsServer({ ...settings, ...tls, minVersion: 'TLSv1.2' }, listener)
      : createHttpServer(settings, listener);
    this.#http.maxConnections = 2 * rooms.limits.connections;
    this.#signalling = new Signalling({ server: this, rooms, allowedOrigins, log });
    this.#http.on('upgrade', (request, socket, head) =>
      this.#signalling.upgrade(request, /** @type {import('node:net').Socket} */ (socket), head),
    );
  }

  /**
   * Handlers are asked in the order in which they were mounted, before the files.
   * @param {Handler} handler
   */
  mount(handler) {
    this.#handlers.push(handler);
  }

  /**
   * @param {number} port
   * @param {string} host
   * @returns {Promise<number>} the port
   */
  listen(port, host) {
    return new Promise((resolve, reject) => {
      this.#http.once('error', reject);
      this.#http.listen(port, host, () => {
        this.#http.off('error', reject);
        this.#http.on('error', (error) => this.log(`web server: ${error.message}`));
        resolve(/** @type {import('node:net').AddressInfo} */ (this.#http.address()).port);
      });
    });
  }

  /** Tells the pages, and ends when all connections are closed, soon in any case. */
  async close() {
    this.#signalling.close();
    const closed = new Promise((resolve) => this.#http.close(resolve));
    this.#http.closeIdleConnections();
    const timer = setTimeout(() => this.#http.closeAllConnections(), 2000);
    await closed;
    clearTimeout(timer);
  }

  /**
   * @param {import('node:http').IncomingMessage} request
   * @param {import('node:http').ServerResponse} response
   */
  async #answer(request, response) {
    try {
      const url = urlOf(request);
      if (!url) {
        response.writeHead(400).end();
        return;
      }
      for (const handler of this.#handlers) {
        if (await handler(request, response, url)) {
          return;
        }
      }
      if (url.pathname === '/healthz') {
        this.#health(response);
      } else {
        await this.#files.handle(request, response, url);
      }
    } catch (error) {
      this.log(`${request.method} failed: ${/** @type {Error} */ (error).stack}`);
      if (!response.headersSent) {
        response.writeHead(500);
      }
      response.end();
    }
  }

  /** @param {import('node:http').ServerResponse} response */
  #health(response) {
    const { up } = this.rooms.relay;
    response.writeHead(up ? 200 : 503, {
      'content-type': 'application/json',
      'cache-control': 'no-store',
    });
    response.end(`${JSON.stringify({ relay: up ? 'up' : 'away', rooms: this.rooms.size })}\n`);
  }
}

/** @param {import('node:http').IncomingMessage} request */
function urlOf(request) {
  // An absolute or a protocol-relative target would change the host; only the path is of interest.
  const target = request.url ?? '/';
  try {
    return target.startsWith('/') ? new URL(`http://page${target}`) : undefined;
  } catch {
    return undefined;
  }
}
