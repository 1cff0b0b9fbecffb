// SPDX-License-Identifier: GPL-3.0-or-later
// Connections of pages, without a relay.
import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { defaultLimits } from '../limits.js';
import { WebServer } from '../server.js';

async function startServer(t, limits) {
  const rooms = Object.assign(new EventEmitter(), {
    relay: Object.assign(new EventEmitter(), { up: true }),
    limits: { ...defaultLimits, ...limits },
    size: 0,
  });
  const server = new WebServer({ rooms });
  const port = await server.listen(0, '127.0.0.1');
  t.after(() => server.close());
  return port;
}

test('a refused upgrade leaves no half-open socket behind', async (t) => {
  const connections = 2; // the server has twice that many sockets, and no more
  const port = await startServer(t, { connections });
  for (let i = 0; i < 4 * connections; i++) {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    t.after(() => socket.destroy());
    let answer = '';
    socket.on('data', (data) => (answer += data)).on('error', () => {});
    socket.write('GET /signal HTTP/1.1\r\nhost: x\r\n');
    socket.write('connection: upgrade\r\nupgrade: websocket\r\n\r\n');
    await once(socket, 'end'); // and this side stays open
    assert.match(answer, /^HTTP\/1.1 403 /);
  }
  const response = await fetch(`http://127.0.0.1:${port}/healthz`);
  assert.equal(response.status, 200);
  await response.text();
});
