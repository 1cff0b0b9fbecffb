// SPDX-License-Identifier: GPL-3.0-or-later
// What the library has to say goes to the application's listeners, and nowhere else.

export type LogEventListeners = {
  ondebug?: ((namespace: string, log: string) => void) | undefined;
  onwarn?: ((namespace: string, log: string) => void) | undefined;
  onerror?: ((namespace: string, log: string, error?: Error) => void) | undefined;
};

let current: LogEventListeners = {};

/** Without listeners, or with none: silence. */
export function setLogEventListeners(listeners: LogEventListeners = {}): void {
  current = { ...listeners };
}

export class Logger {
  readonly #namespace: string;

  constructor(namespace: string) {
    this.#namespace = `sluice:${namespace}`;
  }

  debug(text: string): void {
    current.ondebug?.(this.#namespace, text);
  }

  warn(text: string): void {
    current.onwarn?.(this.#namespace, text);
  }

  error(text: string, error?: Error): void {
    current.onerror?.(this.#namespace, text, error);
  }
}
