// SPDX-License-Identifier: GPL-3.0-or-later
// One request on its way: its line, and who waits for the answer.
import type { Params } from './connection.js';
import { RequestTooLargeError } from './errors.js';

/** The relay takes no longer lines. */
const LINE_BYTES_MAX = 1024 * 1024;

/** What is sent to take a request back. */
export type Undo = { method: string; params: Params };

export type RequestOptions<T, R> = {
  /** Runs before any later message is looked at; the promise has what it returns. */
  made?: (result: T) => R;
  /** Sent if the request's fate is unknown, so that what it may have made does not stay. */
  undo?: Undo;
  /** Must reach the relay: survives losses, has no time limit and a place in the queue. */
  keep?: boolean;
};

export class PendingRequest {
  readonly id: number;
  readonly method: string;
  readonly line: string;
  readonly keep: boolean;
  undo: Undo | undefined;
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #answered: (result: unknown) => void;
  readonly #failed: (error: Error) => void;
  #over = false;

  /** `answered` may throw; `timeout` is not called for requests that must be kept. */
  constructor(
    id: number,
    method: string,
    params: Params,
    options: Omit<RequestOptions<never, unknown>, 'made'>,
    answered: (result: unknown) => void,
    failed: (error: Error) => void,
    timeout: { ms: number; call: (request: PendingRequest) => void },
  ) {
    this.id = id;
    this.method = method;
    this.line = lineOf({ id, method, params });
    if (Buffer.byteLength(this.line) > LINE_BYTES_MAX) {
      throw new RequestTooLargeError(`${method}: a request has at most ${LINE_BYTES_MAX} bytes`);
    }
    this.keep = options.keep ?? false;
    this.undo = options.undo;
    this.#answered = answered;
    this.#failed = failed;
    if (!this.keep) {
      this.#timer = setTimeout(() => timeout.call(this), timeout.ms);
    }
  }

  /** False: it was over already, or what it made is of no use to anyone. */
  answer(result: unknown): boolean {
    if (!this.#end()) {
      return false;
    }
    try {
      this.#answered(result);
      return true;
    } catch (error) {
      this.#failed(error as Error);
      return false;
    }
  }

  fail(error: Error): void {
    if (this.#end()) {
      this.#failed(error);
    }
  }

  #end(): boolean {
    const isFirst = !this.#over;
    this.#over = true;
    clearTimeout(this.#timer);
    return isFirst;
  }
}

/** A message for the wire; without an id nobody answers it. */
export function lineOf(message: { id?: number; method: string; params: Params }): string {
  return `${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`;
}
