// SPDX-License-Identifier: GPL-3.0-or-later
// The real sluiced, from SLUICE_BIN, and a way to it that can be cut.
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createWorker, errors } from 'sluice-client';
import { until } from './room.js';

const bin = process.env.SLUICE_BIN;
export const sluiced = bin && join(bin, 'sluiced');
export const needsRelay = { skip: bin ? false : 'SLUICE_BIN is not set' };

/** Starts a relay of its own for a test; ends with it. */
export async function startRelay(t, args = []) {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-test-'));
  const socketPath = join(folder, 's');
  const given = ['--socket', socketPath, '--workers', '2', '--log-level', 'warn', ...args];
  const child = spawn(sluiced, given, { stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = once(child, 'exit');
  t.after(async () => {
    child.kill('SIGINT');
    const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
    await ended;
    clearTimeout(timer);
    await rm(folder, { recursive: true });
  });
  await until(async () => {
    try {
      (await createWorker({ socketPath })).close();
      return true;
    } catch (error) {
      if (!(error instanceof errors.ConnectError)) {
        throw error;
      }
      return false;
    }
  }, 'sluiced');
  return { socketPath, child, ended, folder };
}

/** Two controllers of one relay, and that relay. */
export async function startPair(t, settings = {}) {
  const relay = await startRelay(t);
  const worker = await createWorker({ socketPath: relay.socketPath, ...settings });
  const other = await createWorker({ socketPath: relay.socketPath });
  t.after(() => {
    worker.close();
    other.close();
  });
  return { relay, worker, other };
}

/** Whether nothing is left but connections. */
export async function isEmpty(worker) {
  const census = await worker.request('server.census');
  const kinds = [
    'routers',
    'transports',
    'producers',
    'consumers',
    'mirrors',
    'sockets',
    'webRtcServers',
  ];
  return kinds.every((kind) => (census[kind] ?? 0) === 0);
}

/** Another address of the relay, whose connections can be cut. */
export async function startProxy(t, relay) {
  const sockets = new Set();
  const server = createServer((near) => {
    const far = createConnection({ path: relay.socketPath });
    for (const [from, to] of [
      [near, far],
      [far, near],
    ]) {
      sockets.add(from);
      from.on('error', () => {});
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  });
  const socketPath = join(relay.folder, `proxy-${randomUUID().slice(0, 8)}`);
  await new Promise((resolve) => server.listen(socketPath, resolve));
  const cut = () => {
    for (const socket of sockets) {
      socket.destroy();
    }
  };
  t.after(() => {
    server.close();
    cut();
  });
  return { socketPath, cut };
}
