// SPDX-License-Identifier: GPL-3.0-or-later
// A relay by script, for what the real one does not do on demand.
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export class FakeRelay {
  /** Every request that came, in order. */
  requests = [];
  connections = new Set();
  /** method -> what answers: a value, or a function of (params, peer, request); null: silence. */
  answers = new Map();
  info = { version: '0', protocolVersion: 1, pid: 7, startedAt: 1, state: 'running', workers: [] };
  #server;

  /** Ends with the test. */
  static async start(t, answers = {}) {
    const relay = new FakeRelay();
    relay.folder = await mkdtemp(join(tmpdir(), 'sluice-fake-'));
    relay.socketPath = join(relay.folder, 's');
    relay.answer({ 'server.info': () => relay.info, 'server.subscribe': { subscriptions: 1 } });
    relay.answer(answers);
    await relay.listen();
    t.after(async () => {
      await relay.stop();
      await rm(relay.folder, { recursive: true });
    });
    return relay;
  }

  answer(answers) {
    for (const [method, answer] of Object.entries(answers)) {
      this.answers.set(method, answer);
    }
  }

  async listen() {
    this.#server = createServer((socket) => this.#accept(socket));
    await new Promise((resolve) => this.#server.listen(this.socketPath, resolve));
  }

  /** As a process that ends: nobody listens, all connections are cut. */
  async stop() {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.cut();
    await closed;
  }

  /** Ends the connections; the relay itself lives. */
  cut() {
    for (const peer of this.connections) {
      peer.socket.destroy();
    }
  }

  notify(method, params) {
    this.raw(`${JSON.stringify({ jsonrpc: '2.0', method, params })}\n`);
  }

  raw(bytes) {
    for (const peer of this.connections) {
      peer.socket.write(bytes);
    }
  }

  asked(method) {
    return this.requests.filter((request) => request.method === method);
  }

  /** The next request of this kind, or the one that was. */
  async waitFor(method, n = 1) {
    for (let i = 0; this.asked(method).length < n; i++) {
      if (i > 1000) {
        throw new Error(`no ${method} came`);
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return this.asked(method)[n - 1];
  }

  #accept(socket) {
    const peer = {
      socket,
      reply: (request, result) => peer.send({ jsonrpc: '2.0', id: request.id, result }),
      fail: (request, error) => peer.send({ jsonrpc: '2.0', id: request.id, error }),
      send: (message) => socket.write(`${JSON.stringify(message)}\n`),
    };
    this.connections.add(peer);
    socket.on('error', () => {});
    socket.on('close', () => this.connections.delete(peer));
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk;
      const lines = text.split('\n');
      text = lines.pop();
      for (const line of lines) {
        this.#request(JSON.parse(line), peer);
      }
    });
  }

  #request(request, peer) {
    this.requests.push(request);
    let answer = this.answers.get(request.method);
    if (typeof answer === 'function') {
      answer = answer(request.params, peer, request);
    }
    if (answer === undefined) {
      answer = {};
    }
    if (answer instanceof Error) {
      const { code, message, data } = answer;
      peer.fail(request, { code, message, data });
    } else if (answer !== null) {
      peer.reply(request, answer);
    }
  }
}

/** An answer that refuses. */
export function refusal(code, message, data) {
  return Object.assign(new Error(message), { code, data });
}
