// SPDX-License-Identifier: GPL-3.0-or-later
// Bytes to lines.
import { ProtocolError } from './errors.js';

const NEWLINE = 0x0a;

/** Cuts a stream at its newlines. A line over the bound is an error, so memory is bounded. */
export class LineSplitter {
  readonly #bytesMax: number;
  #parts: Buffer[] = []; // of the line that has not ended yet
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** The lines that end in this chunk. */
  *push(chunk: Buffer): Generator<string> {
    let at = 0;
    for (;;) {
      const end = chunk.indexOf(NEWLINE, at);
      this.#add(chunk.subarray(at, end < 0 ? chunk.length : end));
      if (end < 0) {
        return;
      }
      at = end + 1;
      yield this.#take();
    }
  }

  #add(part: Buffer): void {
    this.#bytes += part.length;
    if (this.#bytes > this.#bytesMax) {
      throw new ProtocolError(`the relay sent a line of more than ${this.#bytesMax} bytes`);
    }
    this.#parts.push(part);
  }

  #take(): string {
    const line = Buffer.concat(this.#parts, this.#bytes).toString('utf8');
    this.#parts = [];
    this.#bytes = 0;
    return line;
  }
}
