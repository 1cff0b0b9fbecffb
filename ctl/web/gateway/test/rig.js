// SPDX-License-Identifier: GPL-3.0-or-later
// A gateway on a real HTTP server, its rooms being fake.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { Gateway } from '../gateway.js';
import { FakeRooms } from './fake_rooms.js';

export const SDP = 'application/sdp';
export const FRAGMENT = 'application/trickle-ice-sdpfrag';

export async function startGateway(t, options = {}) {
  const rooms = new FakeRooms();
  const gateway = new Gateway({ rooms, ...options });
  const failures = [];
  const server = createServer(async (request, response) => {
    try {
      if (!(await gateway.handle(request, response, new URL(`http://x${request.url}`)))) {
        response.writeHead(404).end('not the gateway');
      }
    } catch (error) {
      failures.push(error);
      response.writeHead(500).end();
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const base = `http://127.0.0.1:${server.address().port}`;
  t.after(() => {
    gateway.close();
    server.closeAllConnections();
    server.close();
  });
  /** @param {string} path  also a Location */
  const call = (method, path, { body, type, ...headers } = {}) =>
    fetch(new URL(path, base), {
      method,
      body,
      headers: { ...(type && { 'content-type': type }), ...headers },
    });
  const post = (path, body, headers = {}) => call('POST', path, { body, type: SDP, ...headers });
  return { rooms, gateway, failures, base, call, post };
}
