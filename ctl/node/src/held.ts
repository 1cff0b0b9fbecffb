// SPDX-License-Identifier: GPL-3.0-or-later
// Notifications that come before the application can listen. The relay may tell of an object
// before it answers the request that makes it, and in the same read as the answer.
import type { Params } from './connection.js';

/** Of one object; more than that in so short a time is dropped, the oldest first. */
const HELD_MAX = 256;

export type Hear = (event: string, params: Params) => void;
export type Held = { event: string; params: Params };

/** Who hears of what, by `noun:id`. */
export class Listeners {
  readonly #hear = new Map<string, Hear>();
  readonly #held = new Map<string, Held[]>();

  /** An object is being made: what comes for it is kept. */
  expect(key: string): void {
    this.#held.set(key, []);
  }

  /** It was not made. */
  forget(key: string): void {
    this.#held.delete(key);
  }

  /** It is there. What was kept follows when the code that awaits it has had its turn. */
  add(key: string, hear: Hear): void {
    this.#hear.set(key, hear);
    if (this.#held.has(key)) {
      setImmediate(() => this.#release(key));
    }
  }

  delete(key: string): void {
    this.#hear.delete(key);
    this.#held.delete(key);
  }

  clear(): void {
    this.#hear.clear();
    this.#held.clear();
  }

  /** Ids of all objects. */
  ids(): string[] {
    return Array.from(this.#hear.keys(), (key) => key.slice(key.indexOf(':') + 1));
  }

  /** False: nobody knows such an object (any more). */
  tell(key: string, event: string, params: Params): boolean {
    const held = this.#held.get(key);
    if (held) {
      held.push({ event, params });
      if (held.length > HELD_MAX) {
        held.shift();
      }
      return true;
    }
    const hear = this.#hear.get(key);
    hear?.(event, params);
    return hear !== undefined;
  }

  #release(key: string): void {
    const held = this.#held.get(key) ?? [];
    this.#held.delete(key);
    for (const { event, params } of held) {
      this.tell(key, event, params); // the first of them may end the object
    }
  }
}
