// SPDX-License-Identifier: GPL-3.0-or-later
// What the tests of stacks share: a relay and the web server with its gateway, both real, and the
// programs that publish and play. SLUICE_BIN is the folder of sluiced.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createWorker } from '../../ctl/node/dist/index.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const bin = process.env.SLUICE_BIN ?? join(root, 'build/dev/bin');
const TROUBLE = /Sanitizer|runtime error:|assert/i;
const KINDS = ['routers', 'transports', 'producers', 'consumers'];

/** The first true value of condition(); the time only bounds a failure. */
export async function until(condition, what, seconds = 20) {
  const end = Date.now() + 1000 * seconds;
  for (;;) {
    const value = await condition();
    if (value) {
      return value;
    }
    assert.ok(Date.now() < end, `waited ${seconds} s in vain for ${what}`);
    await sleep(100);
  }
}

/** A child process; its output is shown if the test fails, and it is gone when the test ends. */
export class Child {
  constructor(t, name, command, args, options = {}) {
    this.name = name;
    this.text = '';
    /** Its lines that are JSON. */
    this.lines = [];
    this.process = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    this.ended = once(this.process, 'exit');
    for (const stream of [this.process.stdout, this.process.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        this.text += `${line}\n`;
        if (line.startsWith('{')) {
          this.lines.push(JSON.parse(line));
        }
      });
    }
    t.after(async () => {
      await this.stop('SIGKILL');
      if (t.passed === false) {
        console.error(`---- ${name}:\n${this.text.slice(-3000)}`);
      }
    });
  }

  get last() {
    return this.lines.at(-1);
  }

  get alive() {
    return this.process.exitCode === null && this.process.signalCode === null;
  }

  async stop(signal = 'SIGTERM') {
    if (this.alive) {
      this.process.kill(signal);
      const timer = setTimeout(() => this.process.kill('SIGKILL'), 8000);
      await this.ended;
      clearTimeout(timer);
    }
    return this.process.exitCode;
  }
}

/** An address of this machine other than loopback, on which Firefox makes no connections. */
export function outerAddress() {
  const all = Object.values(networkInterfaces()).flat();
  return all.find(({ family, internal }) => family === 'IPv4' && !internal)?.address;
}

/** A relay and the web server; afterwards nothing may be left in the relay. */
export async function startGateway(t, settings = {}, listen = '127.0.0.1') {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-stack-'));
  const socket = join(folder, 's');
  const relay = new Child(t, 'sluiced', join(bin, 'sluiced'), [
    ...['--socket', socket, '--workers', '1', '--log-level', 'warn'],
  ]);
  const worker = await until(() => {
    assert.ok(relay.alive, relay.text);
    return createWorker({ socketPath: socket }).catch(() => undefined);
  }, 'sluiced');
  const file = join(folder, 'gateway.json');
  await writeFile(file, JSON.stringify(settings));
  const web = new Child(t, 'web', process.execPath, [
    join(root, 'ctl/web/main.js'),
    ...['--socket', socket, '--port', '0', '--gateway', file, '--listen', listen],
  ]);
  const url = await until(() => {
    assert.ok(web.alive, web.text);
    return /^(http:\S+)\/$/m.exec(web.text)?.[1];
  }, 'the web server');
  t.after(() => rm(folder, { recursive: true }));

  return {
    url,
    /** Sessions are gone, and with them everything in the relay. */
    async isEmpty() {
      await until(async () => {
        const census = await worker.request('server.census');
        return KINDS.every((kind) => census[kind] === 0);
      }, 'a census of zero');
    },
    async stop() {
      worker.close();
      assert.equal(await web.stop(), 0, web.text);
      assert.equal(await relay.stop('SIGINT'), 0, relay.text);
      assert.doesNotMatch(relay.text, TROUBLE);
    },
  };
}

/** gst_peer.py, with Debian's Python: GStreamer's bindings are there. */
export function gstPeer(t, ...args) {
  const script = fileURLToPath(new URL('./gst_peer.py', import.meta.url));
  return new Child(t, `gst ${args[0]}`, '/usr/bin/python3', [script, ...args]);
}

/** Waits until count() has risen by so much. */
export async function rises(count, by, what, seconds = 20) {
  let now = await count();
  const first = now;
  await until(
    async () => {
      now = await count();
      return now >= first + by;
    },
    `${what} to rise by ${by}`,
    seconds,
  ).catch((error) => {
    throw new Error(`${error.message}: from ${first} to ${now}`);
  });
}

/** The HTTP of WHIP and WHEP, for stacks that have only the WebRTC of it. */
export class HttpSession {
  constructor(endpoint) {
    this.endpoint = endpoint;
  }

  /** The offer with all candidates in it; resolves with the answer. */
  async offer(sdp) {
    const response = await fetch(this.endpoint, {
      method: 'POST',
      headers: { 'content-type': 'application/sdp' },
      body: sdp,
    });
    const text = await response.text();
    assert.equal(response.status, 201, `${text}\nto the offer\n${sdp}`);
    this.location = new URL(response.headers.get('location'), this.endpoint).href;
    this.etag = response.headers.get('etag');
    return text;
  }

  async patch(body, match = '*') {
    return fetch(this.location, {
      method: 'PATCH',
      headers: { 'content-type': 'application/trickle-ice-sdpfrag', 'if-match': match },
      body,
    });
  }

  async delete() {
    const { status } = await fetch(this.location, { method: 'DELETE' });
    assert.equal(status, 200);
  }
}
