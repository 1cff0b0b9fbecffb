// SPDX-License-Identifier: GPL-3.0-or-later
// Notifications that come before the application can listen. The relay may tell of an object
// before it answers the request that makes it, and in the same read as the answer.
import type { Params } from './connection.js';

/** Of one object; more than that in so short a time is dropped, the oldest first. */
const HELD_MAX = 256;

export type Hear = (event: string, params: Params) => void;

type Held = {
  told: { event: string; params: Params }[];
  /** Its end, told before it is there, is that of an older object with the same id. */
  mayBeOlder: boolean;
};

/** The notifications that say that an object has ended: `close`, `routerclose` ... */
export function isEnd(event: string): boolean {
  return event.endsWith('close');
}

/** Who hears of what, by `noun:id`. */
export class Listeners {
  readonly #hear = new Map<string, Hear>();
  readonly #held = new Map<string, Held>();

  /** An object is being made: what comes for it is kept. */
  expect(key: string, idIsNew: boolean): void {
    if (!this.#held.has(key)) {
      this.#held.set(key, { told: [], mayBeOlder: !idIsNew });
    }
  }

  /** It was not made. What was kept is about an object that has the id already, or about none. */
  forget(key: string): void {
    this.#release(key);
  }

  /** It is there. What was kept follows when the code that awaits it has had its turn. */
  add(key: string, hear: Hear): void {
    this.#hear.set(key, hear);
    const held = this.#held.get(key);
    if (held) {
      held.mayBeOlder = false;
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
    const hear = this.#hear.get(key);
    if (held) {
      if (!(held.mayBeOlder && isEnd(event)) || hear) {
        held.told.push({ event, params });
        held.told.splice(0, held.told.length - HELD_MAX);
      }
      return true;
    }
    hear?.(event, params);
    return hear !== undefined;
  }

  #release(key: string): void {
    const held = this.#held.get(key);
    this.#held.delete(key);
    for (const { event, params } of held?.told ?? []) {
      this.tell(key, event, params); // the first of them may end the object
    }
  }
}
