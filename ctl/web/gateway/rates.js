// SPDX-License-Identifier: GPL-3.0-or-later
// How often each address may ask. One that has been quiet is forgotten.
import { addressKey } from '../address.js';
import { Rate } from '../rate.js';

const SWEEP_AT = 1000;
const SWEEP_MS = 1000;
const QUIET_MS = 60_000;

export class Rates {
  /** @type {Map<string, { rate: Rate, at: number }>} */
  #addresses = new Map();
  #sweptAt = -Infinity;

  /**
   * @param {number} perSecond
   * @param {number} burst
   */
  constructor(perSecond, burst) {
    this.perSecond = perSecond;
    this.burst = burst;
  }

  /**
   * Whether one more is within the rate of that address.
   * @param {string} from
   */
  take(from) {
    const address = addressKey(from);
    const at = performance.now();
    // A look at all of them costs, and with many addresses each request would have one.
    if (this.#addresses.size >= SWEEP_AT && at - this.#sweptAt >= SWEEP_MS) {
      this.#sweptAt = at;
      this.#sweep(at);
    }
    const { rate } = this.#addresses.get(address) ?? { rate: new Rate(this.perSecond, this.burst) };
    this.#addresses.set(address, { rate, at });
    return rate.take();
  }

  /** @param {number} now */
  #sweep(now) {
    for (const [address, { at }] of this.#addresses) {
      if (now - at > QUIET_MS) {
        this.#addresses.delete(address);
      }
    }
  }
}
