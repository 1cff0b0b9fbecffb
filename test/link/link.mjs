#!/usr/bin/env node
// SPDX-License-Identifier: GPL-3.0-or-later
// A bad line for UDP: stands between peers and a port, and loses, delays and reorders what passes,
// in both directions. The kernels of test machines have no netem. Chances are drawn from a seed,
// so that a run can be repeated as far as the timing of its ends allows.
//   link.mjs --listen IP:PORT --to IP:PORT [--loss 0.05] [--delay MS] [--jitter MS] [--seed N]
// Prints `ready`, and at its end (SIGINT, SIGTERM) one line of JSON with what it counted.
import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { parseArgs } from 'node:util';

const PEERS_MAX = 256;
const QUEUE_MAX = 20_000;

/** mulberry32: small, and the same everywhere. */
function makeRandom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** "1.2.3.4:5" or "[::1]:5" */
function readAddress(text) {
  const [, ip, port] = /^\[?([^\]]+?)\]?:(\d+)$/.exec(text ?? '') ?? [];
  if (!ip) {
    throw new Error(`not an address with a port: ${text}`);
  }
  return { ip, port: Number(port), type: isIPv6(ip) ? 'udp6' : 'udp4' };
}

function readNumber(name, text, max) {
  const value = Number(text);
  if (!(value >= 0 && value <= max)) {
    throw new Error(`--${name} is from 0 to ${max}`);
  }
  return value;
}

class Direction {
  counts = { passed: 0, lost: 0, overflow: 0 };
  #waiting = 0;

  constructor({ loss, delay, jitter, random }) {
    Object.assign(this, { loss, delay, jitter, random });
  }

  /** Calls `send` later, or never. */
  pass(send) {
    if (this.random() < this.loss) {
      this.counts.lost++;
    } else if (this.#waiting >= QUEUE_MAX) {
      this.counts.overflow++;
    } else {
      this.#waiting++;
      setTimeout(() => {
        this.#waiting--;
        this.counts.passed++;
        send();
      }, this.delay + this.jitter * this.random());
    }
  }
}

function run({ listen, to, ...line }) {
  const up = new Direction(line);
  const down = new Direction(line);
  const peers = new Map();
  const front = createSocket(listen.type);
  const ignore = () => {}; // a peer that has gone: its packets are lost, as on any line

  const peerOf = ({ address, port }) => {
    const key = `${address} ${port}`;
    let back = peers.get(key);
    if (!back && peers.size < PEERS_MAX) {
      back = createSocket(to.type);
      back.on('error', ignore);
      back.on('message', (data) => down.pass(() => front.send(data, port, address, ignore)));
      peers.set(key, back);
    }
    return back;
  };
  front.on('message', (data, from) => {
    const back = peerOf(from);
    if (back) {
      up.pass(() => back.send(data, to.port, to.ip, ignore));
    }
  });
  front.on('error', (error) => {
    console.error(`link: ${error.message}`);
    process.exit(1);
  });
  front.bind(listen.port, listen.ip, () => console.log('ready'));

  const end = () => {
    console.log(JSON.stringify({ peers: peers.size, up: up.counts, down: down.counts }));
    process.exit(0);
  };
  process.on('SIGINT', end);
  process.on('SIGTERM', end);
}

try {
  const string = { type: 'string' };
  const { values } = parseArgs({
    options: {
      listen: string, to: string, loss: string, delay: string, jitter: string, seed: string,
    },
  });
  const seed = readNumber('seed', values.seed ?? '1', 2 ** 32);
  console.error(`link: seed ${seed}`);
  run({
    listen: readAddress(values.listen),
    to: readAddress(values.to),
    loss: readNumber('loss', values.loss ?? '0', 1),
    delay: readNumber('delay', values.delay ?? '0', 10_000),
    jitter: readNumber('jitter', values.jitter ?? '0', 10_000),
    random: makeRandom(seed),
  });
} catch (error) {
  console.error(`link: ${error.message}`);
  process.exit(2);
}
