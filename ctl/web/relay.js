// SPDX-License-Identifier: GPL-3.0-or-later
// The relay as this server sees it: there, with its WebRTC ports open, or away and tried again.
// Events: `up`, `away`.
import { EventEmitter } from 'node:events';
import { createWorker } from 'sluice-client';
import { Refusal } from './refusal.js';

const RETRY_MS_MIN = 250;
const RETRY_MS_MAX = 3000;

/** @typedef {import('sluice-client').types.Worker} Worker */
/** @typedef {import('sluice-client').types.WebRtcServer} WebRtcServer */
/** @typedef {import('sluice-client').types.TransportListenInfo} ListenInfo */

export class Relay extends EventEmitter {
  /** @type {Worker | undefined} */
  #worker;
  /** @type {WebRtcServer | undefined} */
  #webRtcServer;
  /** @type {NodeJS.Timeout | undefined} */
  #timer;
  #closed = false;
  #wait = RETRY_MS_MIN;
  #told = '';

  /**
   * @param {object} options
   * @param {string} [options.socketPath]
   * @param {ListenInfo[]} options.listenInfos
   * @param {(line: string) => void} [options.log]
   */
  constructor({ socketPath, listenInfos, log = () => {} }) {
    super();
    this.socketPath = socketPath;
    this.listenInfos = listenInfos;
    this.log = log;
  }

  get up() {
    return this.#webRtcServer !== undefined;
  }

  /** The worker; throws a Refusal while the relay is away. */
  get worker() {
    if (!this.#worker || !this.#webRtcServer) {
      throw new Refusal('relay-away', 'The media relay is not reachable at the moment.');
    }
    return this.#worker;
  }

  get webRtcServer() {
    if (!this.#webRtcServer) {
      throw new Refusal('relay-away', 'The media relay is not reachable at the moment.');
    }
    return this.#webRtcServer;
  }

  /** One try; others follow by themselves until close(). */
  async start() {
    /** @type {Worker | undefined} */
    let worker;
    try {
      // Tied: if this process dies, its rooms do not live on in the relay.
      const settings = { tied: true, reconnectTimeout: 3000, connectTimeout: 3000 };
      worker = await createWorker({ ...settings, socketPath: this.socketPath });
      const server = await worker.createWebRtcServer({ listenInfos: this.listenInfos });
      if (this.#closed) {
        worker.close();
        return;
      }
      this.#opened(worker, server);
    } catch (error) {
      worker?.close();
      this.#failed(/** @type {Error} */ (error));
    }
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#worker?.close();
  }

  /**
   * @param {Worker} worker
   * @param {WebRtcServer} server
   */
  #opened(worker, server) {
    this.#worker = worker;
    this.#webRtcServer = server;
    this.#wait = RETRY_MS_MIN;
    this.#told = '';
    worker.once('died', (error) => this.log(`the relay is away: ${error.message}`));
    // Also where somebody else closes it, or the tie of a lost connection does.
    server.observer.once('close', () => this.#lost());
    server.on('socketdead', () => server.close());
    this.log(`the relay is there, process ${worker.pid}`);
    this.emit('up');
  }

  #lost() {
    const worker = this.#worker;
    this.#worker = undefined;
    this.#webRtcServer = undefined;
    if (this.#closed) {
      return;
    }
    worker?.close();
    this.emit('away');
    this.#retry();
  }

  /** @param {Error} error */
  #failed(error) {
    if (this.#closed) {
      return;
    }
    if (this.#told !== error.message) {
      this.#told = error.message;
      this.log(`the relay cannot be used: ${error.message}`);
    }
    this.#retry();
  }

  #retry() {
    this.#timer = setTimeout(() => void this.start(), this.#wait);
    this.#wait = Math.min(this.#wait * 2, RETRY_MS_MAX);
  }
}
