// SPDX-License-Identifier: GPL-3.0-or-later
// Named events with one argument.

export class Emitter {
  /** @type {Map<string, Set<(data: any) => void>>} */
  #listeners = new Map();

  /**
   * @param {string} event
   * @param {(data: any) => void} listener
   */
  on(event, listener) {
    const all = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, all.add(listener));
    return this;
  }

  /**
   * @param {string} event
   * @param {unknown} [data]
   */
  emit(event, data) {
    for (const listener of this.#listeners.get(event) ?? []) {
      listener(data);
    }
  }
}
