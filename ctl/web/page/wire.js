// SPDX-License-Identifier: GPL-3.0-or-later
// The media half of being in a room, from one join to its end: mediasoup-client's device with a
// transport for each direction, and their mending (ICE restart).
// Events: `broken` (cannot be mended: join again), `state` (of the connection, as words go).
import { Device } from 'mediasoup-client';
import { Emitter } from './emitter.js';

const DISCONNECTED_MS = 1500;
const RESTART_MS = 4000;
const RESTARTS_MAX = 6;

/** @typedef {import('mediasoup-client').types.Transport} Transport */
/** @typedef {import('mediasoup-client').types.ConnectionState} ConnectionState */
/** @typedef {'send' | 'recv'} Direction */

export class Wire extends Emitter {
  /** @type {Partial<Record<Direction, Transport>>} */
  #transports = {};
  /** @type {Map<Transport, { timer: ReturnType<typeof setTimeout>, tries: number }>} */
  #mending = new Map();
  #closed = false;

  /**
   * @param {import('./signal.js').Signal} signal
   * @param {Device} device
   */
  constructor(signal, device) {
    super();
    this.signal = signal;
    this.device = device;
    this.networkChanged = () => this.restartIce();
  }

  /**
   * @param {import('./signal.js').Signal} signal
   * @param {any} rtpCapabilities  of the room's router
   */
  static async open(signal, rtpCapabilities) {
    const device = await Device.factory();
    await device.load({ routerRtpCapabilities: rtpCapabilities });
    const wire = new Wire(signal, device);
    try {
      await Promise.all([wire.#make('send'), wire.#make('recv')]);
    } catch (error) {
      wire.close();
      throw error;
    }
    addEventListener('online', wire.networkChanged);
    return wire;
  }

  get closed() {
    return this.#closed;
  }

  get send() {
    return /** @type {Transport} */ (this.#transports.send);
  }

  get recv() {
    return /** @type {Transport} */ (this.#transports.recv);
  }

  get transportIds() {
    return Object.values(this.#transports).map(({ id }) => id);
  }

  close() {
    this.#closed = true;
    removeEventListener('online', this.networkChanged);
    for (const transport of Object.values(this.#transports)) {
      this.#mended(transport);
      transport.close();
    }
  }

  restartIce() {
    for (const transport of Object.values(this.#transports)) {
      if (transport.connectionState !== 'new') {
        this.#mend(transport, 0);
      }
    }
  }

  /** @param {Direction} direction */
  async #make(direction) {
    const { signal, device } = this;
    const options = await signal.request(
      'createTransport',
      direction === 'recv' ? { rtpCapabilities: device.recvRtpCapabilities } : {},
    );
    const transport =
      direction === 'send'
        ? device.createSendTransport(options)
        : device.createRecvTransport(options);
    this.#transports[direction] = transport;
    transport.on('connect', ({ dtlsParameters }, resolve, reject) => {
      const params = { transportId: transport.id, dtlsParameters };
      signal.request('connectTransport', params).then(resolve, reject);
    });
    transport.on('produce', ({ kind, rtpParameters, appData }, resolve, reject) => {
      const { source, paused } = appData;
      const params = { transportId: transport.id, kind, rtpParameters, source, paused };
      signal.request('produce', params).then(resolve, reject);
    });
    transport.on('connectionstatechange', (state) => this.#changed(transport, state));
  }

  /**
   * @param {Transport} transport
   * @param {ConnectionState} state
   */
  #changed(transport, state) {
    if (this.#closed) {
      return;
    }
    if (state === 'connected' || state === 'closed') {
      this.#mended(transport);
    } else if (state === 'disconnected') {
      this.#mend(transport, DISCONNECTED_MS); // often it comes back by itself
    } else if (state === 'failed') {
      this.#mend(transport, 0);
    }
    this.emit('state', this.#mending.size > 0 ? 'mending' : state);
  }

  /** @param {Transport} transport */
  #mended(transport) {
    clearTimeout(this.#mending.get(transport)?.timer);
    this.#mending.delete(transport);
  }

  /**
   * Restarts ICE in so many milliseconds, and again until it is connected.
   * @param {Transport} transport
   * @param {number} wait
   */
  #mend(transport, wait) {
    const tries = this.#mending.get(transport)?.tries ?? 0;
    this.#mended(transport);
    if (tries >= RESTARTS_MAX) {
      this.emit('broken');
      return;
    }
    const timer = setTimeout(() => void this.#restart(transport, tries + 1), wait);
    this.#mending.set(transport, { timer, tries });
  }

  /**
   * @param {Transport} transport
   * @param {number} tries
   */
  async #restart(transport, tries) {
    const again = () => this.#mend(transport, RESTART_MS);
    this.#mending.set(transport, { timer: setTimeout(again, RESTART_MS), tries });
    try {
      const params = { transportId: transport.id };
      const { iceParameters } = await this.signal.request('restartIce', params);
      if (!this.#closed) {
        await transport.restartIce({ iceParameters });
        if (transport.connectionState === 'connected') {
          this.#mended(transport);
        }
      }
    } catch (error) {
      const { code } = /** @type {import('./signal.js').SignalError} */ (error);
      if (code === 'not-found' && !this.#closed) {
        this.emit('broken');
      } else if (code === 'timeout') {
        this.signal.restart();
      }
    }
  }
}
