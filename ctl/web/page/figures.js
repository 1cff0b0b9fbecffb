// SPDX-License-Identifier: GPL-3.0-or-later
// Figures of each stream: size, frames and bits a second, loss and round-trip time.

const LOOK_MS = 1000;

/** @typedef {Record<string, any>} Stat */
/** @typedef {{ at: number, bytes: number, packets: number, lost: number }} Counters */

export class Figures {
  /** @type {Map<string, Counters>} by track */
  #was = new Map();
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;
  #busy = false;

  /**
   * @param {import('./call.js').Call} call
   * @param {import('./tiles.js').Tiles} tiles
   */
  constructor(call, tiles) {
    this.call = call;
    this.tiles = tiles;
  }

  get on() {
    return this.#timer !== undefined;
  }

  /** @param {boolean} on */
  set on(on) {
    clearInterval(this.#timer);
    this.#timer = on ? setInterval(() => void this.#look(), LOOK_MS) : undefined;
    if (on) {
      void this.#look();
    } else {
      for (const stream of this.call.streams.values()) {
        this.#write(this.tiles.of(stream), []);
      }
      this.#write(this.tiles.own, []);
    }
  }

  async #look() {
    const { wire } = this.call;
    if (!wire || this.#busy) {
      return;
    }
    this.#busy = true;
    try {
      const [received, sent] = await Promise.all([wire.recv.getStats(), wire.send.getStats()]);
      if (this.on && !wire.closed) {
        this.#received([.../** @type {Map<string, Stat>} */ (received).values()]);
        this.#sent(/** @type {Map<string, Stat>} */ (sent));
      }
    } catch {
      // closed meanwhile
    } finally {
      this.#busy = false;
    }
  }

  /** @param {Stat[]} stats */
  #received(stats) {
    const rtt = roundTrip(stats);
    /** @type {Map<import('./tiles.js').Tile, string[]>} */
    const lines = new Map();
    for (const stream of this.call.streams.values()) {
      const track = stream.consumer?.track.id;
      const stat = stats.find(
        ({ type, trackIdentifier }) => type === 'inbound-rtp' && trackIdentifier === track,
      );
      const tile = this.tiles.of(stream);
      if (stat && track && tile) {
        const line = this.#line(track, stat, stat['bytesReceived'], stat['packetsReceived']);
        lines.set(tile, [...(lines.get(tile) ?? []), line]);
      }
    }
    for (const [tile, texts] of lines) {
      this.#write(tile, [...texts, ...(rtt === undefined ? [] : [`RTT ${ms(rtt)}`])]);
    }
  }

  /** @param {Map<string, Stat>} stats */
  #sent(stats) {
    const all = [...stats.values()];
    const texts = all
      .filter(({ type }) => type === 'outbound-rtp')
      .map((stat) => {
        const remote = all.find(
          ({ type, ssrc }) => type === 'remote-inbound-rtp' && ssrc === stat['ssrc'],
        );
        const lost = { ...stat, packetsLost: remote?.['packetsLost'] ?? 0 };
        return this.#line(`sent ${stat['ssrc']}`, lost, stat['bytesSent'], stat['packetsSent']);
      });
    const rtt = roundTrip(all);
    this.#write(this.tiles.own, [
      ...texts,
      ...(texts.length === 0 || rtt === undefined ? [] : [`RTT ${ms(rtt)}`]),
    ]);
  }

  /**
   * @param {string} key
   * @param {Stat} stat
   * @param {number} bytes
   * @param {number} packets
   */
  #line(key, stat, bytes, packets) {
    const { kind, frameWidth, frameHeight, framesPerSecond, packetsLost: lost = 0 } = stat;
    const now = { at: stat['timestamp'], bytes, packets, lost };
    const was = this.#was.get(key) ?? { ...now, bytes: 0, packets: 0, lost: 0, at: now.at - 1000 };
    this.#was.set(key, now);
    const span = Math.max(1, now.at - was.at);
    const rate = (8 * (bytes - was.bytes)) / span;
    const gone = Math.max(0, lost - was.lost);
    const loss = (100 * gone) / Math.max(1, gone + packets - was.packets);
    const size = frameWidth ? `${frameWidth}x${frameHeight}, ${framesPerSecond ?? 0} fps, ` : '';
    return `${kind}: ${size}${Math.round(rate)} kbit/s, ${loss.toFixed(1)} % lost`;
  }

  /**
   * @param {import('./tiles.js').Tile | undefined} tile
   * @param {string[]} texts
   */
  #write(tile, texts) {
    if (tile) {
      tile.figures.textContent = texts.join('; ');
    }
  }
}

/** @param {Stat[]} stats */
function roundTrip(stats) {
  const transport = stats.find(({ type, selectedCandidatePairId }) =>
    Boolean(type === 'transport' && selectedCandidatePairId),
  );
  const pairs = stats.filter(({ type }) => type === 'candidate-pair');
  const pair =
    pairs.find(({ id }) => id === transport?.['selectedCandidatePairId']) ??
    pairs.find(({ selected }) => selected) ?? // Firefox
    pairs.find(({ nominated }) => nominated);
  return pair?.['currentRoundTripTime'];
}

/** @param {number} seconds */
function ms(seconds) {
  return `${Math.round(seconds * 1000)} ms`;
}
