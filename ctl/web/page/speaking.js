// SPDX-License-Identifier: GPL-3.0-or-later
// Who is speaking: the levels that senders write into their packets (RFC 6464), which the relay
// forwards and the browser shows for each synchronization source. Nothing is decoded for this.

const LOOK_MS = 150;
/** Of full scale; quieter is noise. */
const LEVEL_MIN = 0.015;
/** Pauses between words do not count as silence. */
const HOLD_MS = 600;
/** Older than that, a level says nothing about now. */
const FRESH_MS = 500;

export class Speaking {
  /** @type {Map<string, number>} until when, by stream */
  #until = new Map();
  #timer;

  /**
   * @param {import('./call.js').Call} call
   * @param {import('./tiles.js').Tiles} tiles
   */
  constructor(call, tiles) {
    this.call = call;
    this.tiles = tiles;
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
    call.on('streamclosed', (stream) => {
      this.#until.delete(stream.id);
      const tile = this.tiles.of(stream);
      if (tile && stream.kind === 'audio') {
        tile.speaking = false;
      }
    });
  }

  stop() {
    clearInterval(this.#timer);
  }

  #look() {
    const now = performance.now();
    for (const stream of this.call.streams.values()) {
      const receiver = stream.consumer?.rtpReceiver;
      if (stream.kind !== 'audio' || !receiver) {
        continue;
      }
      if (!stream.paused && levelOf(receiver) >= LEVEL_MIN) {
        this.#until.set(stream.id, now + HOLD_MS);
      }
      const tile = this.tiles.of(stream);
      if (tile) {
        tile.speaking = (this.#until.get(stream.id) ?? 0) > now;
      }
    }
  }
}

/** @param {RTCRtpReceiver} receiver */
function levelOf(receiver) {
  const now = performance.timeOrigin + performance.now();
  let level = 0;
  for (const { audioLevel = 0, timestamp } of receiver.getSynchronizationSources()) {
    if (now - timestamp < FRESH_MS) {
      level = Math.max(level, audioLevel);
    }
  }
  return level;
}
