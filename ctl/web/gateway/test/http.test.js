// SPDX-License-Identifier: GPL-3.0-or-later
// The rules of HTTP: RFC 9725, the WHEP draft, RFC 9110.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { errors } from 'sluice-client';
import { offers } from './corpus.js';
import { Rates } from '../rates.js';
import { FRAGMENT, SDP, startGateway } from './rig.js';

const SEND = offers.get('chromium-sendonly');
const RECEIVE = offers.get('chromium-recvonly');
const RESTART = 'a=ice-ufrag:ysXw\r\na=ice-pwd:vw5LmwG4y/e6dPP/zAP9Gp5k\r\n';
const TRICKLE =
  'm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n' +
  'a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0\r\n';

async function problemOf(response) {
  assert.equal(response.headers.get('content-type'), 'application/problem+json');
  const problem = await response.json();
  assert.equal(problem.status, response.status);
  assert.ok(problem.title && problem.detail);
  return problem;
}

/** What needs no session: method, path, body or headers, status, headers of the answer. */
const rows = [
  ['OPTIONS', '/whip/room', {}, 200, { 'accept-post': SDP, allow: /POST/ }],
  ['OPTIONS', '/whep/room', {}, 200, { 'accept-post': SDP }],
  ['OPTIONS', '/whip/room/id', {}, 200, { 'accept-patch': FRAGMENT, allow: /PATCH/ }],
  [
    'OPTIONS',
    '/whip/room',
    { origin: 'https://example.org', 'access-control-request-method': 'POST' },
    200,
    {
      'access-control-allow-origin': '*',
      'access-control-allow-methods': /POST/,
      'access-control-allow-headers': /authorization.*if-match/,
    },
  ],
  ['GET', '/whip/room', {}, 204, {}],
  ['HEAD', '/whep/room', {}, 204, {}],
  ['GET', '/whip/room/id', {}, 404, {}],
  ['PUT', '/whip/room', {}, 405, { allow: /^GET, HEAD, OPTIONS, POST$/ }],
  ['DELETE', '/whip/room', {}, 405, { allow: /POST/ }],
  ['PATCH', '/whip/room', {}, 405, { allow: /POST/ }],
  ['POST', '/whip/room/id', { type: SDP, body: SEND }, 405, { allow: /PATCH/ }],
  ['PUT', '/whip/room/id', {}, 405, { allow: /^DELETE, GET, HEAD, OPTIONS, PATCH$/ }],
  ['DELETE', '/whip/room/id', {}, 404, {}],
  ['PATCH', '/whip/room/id', { type: FRAGMENT, body: TRICKLE }, 404, {}],
  ['POST', '/whip/', { type: SDP, body: SEND }, 404, {}],
  ['POST', '/whip/-room', { type: SDP, body: SEND }, 404, {}],
  ['POST', '/whip/a%2Fb', { type: SDP, body: SEND }, 404, {}],
  ['POST', `/whip/${'x'.repeat(65)}`, { type: SDP, body: SEND }, 404, {}],
  ['POST', '/whip/room', { body: new Uint8Array([1]) }, 415, { 'accept-post': SDP }],
  ['POST', '/whip/room', { type: 'text/plain', body: SEND }, 415, { 'accept-post': SDP }],
  ['POST', '/whip/room', { type: SDP, body: SEND, 'content-encoding': 'gzip' }, 415, {}],
  ['POST', '/whip/room', { type: SDP, body: SEND, accept: 'text/html' }, 406, {}],
  ['POST', '/whip/room', { type: SDP, body: SEND, accept: 'application/sdp;q=0' }, 406, {}],
  ['POST', '/whip/room', { type: SDP, body: SEND, accept: 'application/*, x/y' }, 201, {}],
  ['POST', '/whip/room', { type: `${SDP}; charset=utf-8`, body: SEND }, 201, {}],
  ['POST', '/whip/room', { type: SDP, body: '' }, 400, {}],
  ['POST', '/whip/room', { type: SDP, body: new Uint8Array([0x76, 0xff, 0xfe]) }, 400, {}],
  ['POST', '/whip/room', { type: SDP, body: RECEIVE }, 422, {}],
  ['POST', '/whip/room', { type: SDP, body: 'x'.repeat(70_000) }, 413, { connection: 'close' }],
  ['POST', '/whep/room', { type: SDP, body: RECEIVE }, 409, { 'retry-after': '2' }],
  ['POST', '/whep/room', { type: SDP, body: 'v=0' }, 400, {}],
];

for (const [method, path, how, status, headers] of rows) {
  const words = Object.entries(how)
    .map(([name, value]) => `${name} ${String(value).slice(0, 24).trim()}`)
    .join(', ');
  test(`${method} ${path.slice(0, 20)} (${words}) is ${status}`, async (t) => {
    const { call, failures } = await startGateway(t);
    const response = await call(method, path, how);
    assert.equal(response.status, status);
    for (const [name, value] of Object.entries(headers)) {
      const given = response.headers.get(name);
      if (value instanceof RegExp) {
        assert.match(given, value);
      } else {
        assert.equal(given, value);
      }
    }
    if (status >= 400 && method !== 'HEAD') {
      await problemOf(response);
    }
    assert.deepEqual(failures, []);
  });
}

test('a session: made, changed, ended', async (t) => {
  const { call, post, rooms, gateway } = await startGateway(t, {
    iceServers: [
      { urls: 'stun:stun.example.net' },
      { urls: 'turn:turn.example.net?transport=udp', username: 'a"b', credential: 'c' },
    ],
  });
  const made = await post('/whip/room?name=Studio', SEND);
  assert.equal(made.status, 201);
  assert.equal(made.headers.get('content-type'), SDP);
  assert.match(made.headers.get('link'), /<stun:stun.example.net>; rel="ice-server"/);
  assert.match(made.headers.get('link'), /username="a\\"b"; credential="c"; credential-type="pass/);
  assert.match(made.headers.get('access-control-expose-headers'), /etag.*location/);
  const location = made.headers.get('location');
  const etag = made.headers.get('etag');
  assert.match(location, /^\/whip\/room\/[\w-]{22}$/);
  assert.match(etag, /^"[\w-]+"$/);
  const [member] = rooms.get('room').members;
  assert.equal(member.kind, 'whip');
  assert.equal(member.transport.connected.length, 1);

  const patch = (body, headers) => call('PATCH', location, { body, type: FRAGMENT, ...headers });
  const patches = [
    [TRICKLE, {}, 428],
    [TRICKLE, { 'if-match': '"other"' }, 412],
    [TRICKLE, { 'if-match': etag }, 204],
    [TRICKLE, { 'if-match': `"x", ${etag}` }, 204],
    [TRICKLE, { 'if-match': etag, 'content-type': 'text/plain' }, 415],
    ['Hello', { 'if-match': etag }, 400],
    ['a=ice-ufrag:abcd\r\n', { 'if-match': etag }, 400],
    ['a=x\r\n'.repeat(5000), { 'if-match': etag }, 413],
    [RESTART, {}, 428],
    [RESTART, { 'if-match': '"other"' }, 412],
  ];
  for (const [body, headers, status] of patches) {
    const response = await patch(body, headers);
    assert.equal(response.status, status, `${body.slice(0, 20)} ${JSON.stringify(headers)}`);
    assert.equal(response.headers.get('etag'), null);
  }
  assert.equal(member.transport.restarts, 0);

  for (const star of ['*', '"*"']) {
    const restart = RESTART.replace('ysXw', `new${star.length}`);
    const response = await patch(restart, { 'if-match': star });
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('content-type'), FRAGMENT);
    assert.notEqual(response.headers.get('etag'), etag);
    const body = await response.text();
    assert.match(body, /^a=ice-ufrag:r+\d\r\n/m);
    assert.match(body, /^a=candidate:/m);
    // The same credentials once more are no restart, and the old tag is no longer right.
    assert.equal((await patch(TRICKLE, { 'if-match': etag })).status, 412);
    const tag = response.headers.get('etag');
    assert.equal((await patch(restart, { 'if-match': tag })).status, 204);
  }
  assert.equal(member.transport.restarts, 2);

  assert.equal((await call('GET', location)).status, 204);
  assert.equal((await call('GET', location.replace('whip', 'whep'))).status, 404);
  assert.equal((await call('GET', location.replace('room', 'moor'))).status, 404);
  // RFC 9725 4.3.1: a tag that does not matter is not looked at.
  assert.equal((await call('DELETE', location, { 'if-match': '"x"' })).status, 200);
  assert.ok(member.left);
  assert.equal(gateway.sessions.size, 0);
  assert.equal((await call('DELETE', location)).status, 404);
  assert.equal((await patch(TRICKLE, { 'if-match': '*' })).status, 404);
});

test('of two restarts at once with one tag, one is done', async (t) => {
  const { call, post, rooms } = await startGateway(t);
  const made = await post('/whip/room', SEND);
  const [{ transport }] = rooms.get('room').members;
  const { restartIce } = transport;
  transport.restartIce = async function () {
    await sleep(100); // both requests are there by then
    return restartIce.call(this);
  };
  const restart = (ufrag, tag) => {
    const body = RESTART.replace('ysXw', ufrag);
    const location = made.headers.get('location');
    return call('PATCH', location, { body, type: FRAGMENT, 'if-match': tag });
  };
  const statuses = async (...asked) =>
    (await Promise.all(asked)).map(({ status }) => status).sort();
  const tag = made.headers.get('etag');
  assert.deepEqual(await statuses(restart('one1', tag), restart('two2', tag)), [200, 412]);
  assert.equal(transport.restarts, 1);
  // The same one twice, for any tag: the second finds it done.
  assert.deepEqual(await statuses(restart('new3', '*'), restart('new3', '*')), [200, 204]);
  assert.equal(transport.restarts, 2);
});

test('a viewer: consumers are paused until the media is connected', async (t) => {
  const { post, rooms, gateway } = await startGateway(t);
  const publisher = await rooms.withStreams('room');
  const response = await post('/whep/room', RECEIVE);
  assert.equal(response.status, 201);
  const viewer = [...rooms.get('room').members].find(({ kind }) => kind === 'whep');
  const { transport } = viewer;
  assert.equal(transport.consumed.length, 2);
  assert.ok(transport.consumed.every(({ options }) => options.paused));
  transport.enter('connected');
  assert.ok(transport.consumed.every(({ resumed }) => resumed));
  // The streams end, one after the other.
  transport.consumed[0].emit('producerclose');
  assert.equal(gateway.sessions.size, 1);
  transport.consumed[1].emit('producerclose');
  assert.equal(gateway.sessions.size, 0);
  assert.ok(viewer.left && !publisher.left);
});

const ends = [
  ['DTLS fails', (transport) => transport.enter('failed')],
  ['DTLS is closed', (transport) => transport.enter('closed')],
  ['the transport is closed', (transport) => transport.close()],
  ['consent expires', (transport) => transport.emit('icestatechange', 'disconnected')],
  ['nothing connects', () => {}],
];

for (const [what, end] of ends) {
  test(`a session goes when ${what}`, async (t) => {
    const limits = { connectMs: 100, disconnectedMs: 50 };
    const { post, rooms, gateway } = await startGateway(t, { limits });
    await post('/whip/room', SEND);
    const [{ transport }] = rooms.get('room').members;
    if (what !== 'nothing connects') {
      transport.enter('connected');
      await sleep(150);
      assert.equal(gateway.sessions.size, 1, 'it was connected in time');
    }
    end(transport);
    await sleep(150);
    assert.equal(gateway.sessions.size, 0);
    assert.equal(rooms.get('room').members.size, 0);
  });
}

test('an ICE restart in time saves a session whose consent has expired', async (t) => {
  const { post, rooms, gateway } = await startGateway(t, { limits: { disconnectedMs: 50 } });
  await post('/whip/room', SEND);
  const [{ transport }] = rooms.get('room').members;
  transport.enter('connected');
  transport.emit('icestatechange', 'disconnected');
  transport.emit('icestatechange', 'completed');
  await sleep(100);
  assert.equal(gateway.sessions.size, 1);
});

test('limits: of sessions, of an address, of its rate', async (t) => {
  const all = await startGateway(t, { limits: { sessions: 2 } });
  const mine = await startGateway(t, { limits: { sessionsPerAddress: 2 } });
  const rate = await startGateway(t, { limits: { postsPerSecond: 0.001, postsBurst: 2 } });
  for (const [{ post, call }, status] of [
    [all, 503],
    [mine, 429],
    [rate, 429],
  ]) {
    const first = await post('/whip/room', SEND);
    assert.equal(first.status, 201);
    assert.equal((await post('/whip/room', SEND)).status, 201);
    const refused = await post('/whip/room', SEND);
    assert.equal(refused.status, status);
    assert.ok(Number(refused.headers.get('retry-after')) > 0);
    await problemOf(refused);
    if (post !== rate.post) {
      // A place that was given back can be had again; one that failed cost none.
      assert.equal((await call('DELETE', first.headers.get('location'))).status, 200);
      assert.equal((await post('/whip/room', RECEIVE)).status, 422);
      assert.equal((await post('/whip/room', SEND)).status, 201);
    }
  }
});

test('the rate of an address is for every request but OPTIONS', async (t) => {
  const { call } = await startGateway(t, { limits: { postsPerSecond: 0.001, postsBurst: 3 } });
  assert.equal((await call('GET', '/whip/room')).status, 204);
  assert.equal((await call('DELETE', '/whip/room/guess')).status, 404);
  const guess = { body: TRICKLE, type: FRAGMENT };
  assert.equal((await call('PATCH', '/whip/room/guess', guess)).status, 404);
  for (const method of ['GET', 'PATCH', 'DELETE', 'POST']) {
    assert.equal((await call(method, '/whip/room/guess')).status, 429, method);
  }
  assert.equal((await call('OPTIONS', '/whip/room')).status, 200);
});

test('an IPv6 network is one address for the rate', () => {
  const rates = new Rates(0.001, 1);
  assert.ok(rates.take('2001:db8::1') && rates.take('2001:db8:0:1::1') && rates.take('192.0.2.1'));
  assert.ok(!rates.take('2001:db8::2') && !rates.take('::ffff:192.0.2.1'));
});

const refusal = (code) => Object.assign(new Error('No.'), { name: 'Refusal', code });
const wire = (code) => ({ code, message: 'no', data: { path: 'a.b', expected: 'c' } });
const troubles = [
  [refusal('full'), 503],
  [refusal('relay-away'), 503],
  [refusal('wrong-state'), 409],
  [refusal('bad-request'), 400],
  [refusal('too-fast'), 429],
  [new errors.InvalidParamsError('transport.produce', wire(-32602)), 422],
  [new errors.UnsupportedError('transport.produce', wire(-32005)), 422],
  [new errors.ExistsError('transport.produce', wire(-32002)), 422],
  [new errors.InvalidStateError('transport.connect', wire(-32003)), 409],
  [new errors.LimitError('transport.produce', wire(-32004)), 503],
  [new errors.DrainingError('router.create', wire(-32006)), 503],
  [new errors.NotFoundError('transport.produce', wire(-32001)), 409],
  [new errors.ConnectionLostError('gone'), 503],
  [new errors.TimeoutError('late'), 503],
];

for (const [error, status] of troubles) {
  test(`${error.code ?? ''} ${error.name} of the rooms is ${status}`, async (t) => {
    const { post, rooms, gateway } = await startGateway(t);
    rooms.refusal = error;
    const response = await post('/whip/room', SEND);
    assert.equal(response.status, status);
    await problemOf(response);
    assert.equal(gateway.sessions.size, 0);
  });
}

test('what nobody has foreseen is not called the client’s fault', async (t) => {
  const { post, rooms, failures } = await startGateway(t);
  rooms.refusal = new TypeError('a bug');
  assert.equal((await post('/whip/room', SEND)).status, 500);
  assert.equal(failures.length, 1);
});

test('a body without a length is bounded, too', async (t) => {
  const { base } = await startGateway(t);
  const { port } = new URL(base);
  const socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.on('data', (data) => (answer += data)).on('error', () => {});
  socket.write(`POST /whip/room HTTP/1.1\r\nhost: x\r\ncontent-type: ${SDP}\r\n`);
  socket.write('transfer-encoding: chunked\r\n\r\n');
  for (let i = 0; i < 8; i++) {
    socket.write(`4000\r\n${'x'.repeat(0x4000)}\r\n`);
  }
  const ended = new Promise((resolve) => socket.once('close', resolve));
  await ended;
  assert.match(answer, /^HTTP\/1.1 413 /);
});

test('the pages', async (t) => {
  const { call } = await startGateway(t);
  for (const [path, type] of [
    ['/play/room', 'text/html'],
    ['/publish/room', 'text/html'],
    ['/gateway/client.js', 'text/javascript'],
    ['/gateway/style.css', 'text/css'],
  ]) {
    const response = await call('GET', path);
    assert.equal(response.status, 200);
    assert.match(response.headers.get('content-type'), new RegExp(`^${type}`));
    assert.match(response.headers.get('content-security-policy'), /default-src 'none'/);
    assert.equal((await call('POST', path, { body: 'x' })).status, 405);
  }
  for (const path of ['/play/', '/play/-x', '/play/a/b', '/gateway/../gateway.js', '/gateway/x']) {
    assert.equal((await call('GET', path)).status, 404);
  }
});
