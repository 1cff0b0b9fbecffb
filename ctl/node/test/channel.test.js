// SPDX-License-Identifier: GPL-3.0-or-later
// Requests, errors and limits, against a relay by script.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWorker, errors, setLogEventListeners } from 'sluice-client';
import { FakeRelay, refusal } from './fake_relay.js';
import { event, until } from './room.js';

const router = { workerIndex: 0, rtpCapabilities: { codecs: [], headerExtensions: [] } };

async function rig(t, answers = {}, settings = {}) {
  const relay = await FakeRelay.start(t, { 'router.create': router, ...answers });
  const worker = await createWorker({ socketPath: relay.socketPath, ...settings });
  t.after(() => worker.close());
  return { relay, worker };
}

test('nobody listens: a clear ConnectError', async (t) => {
  const relay = await FakeRelay.start(t);
  await relay.stop();
  await assert.rejects(createWorker({ socketPath: relay.socketPath }), (error) => {
    assert(error instanceof errors.ConnectError);
    assert.match(error.message, /no relay at .*is sluiced running/);
    return true;
  });
  await relay.listen();
});

test('a relay of another protocol version is refused', async (t) => {
  const relay = await FakeRelay.start(t);
  relay.info = { ...relay.info, protocolVersion: 2 };
  await assert.rejects(createWorker({ socketPath: relay.socketPath }), errors.ProtocolError);
});

test('a relay that takes no more connections says so, and so does the error', async (t) => {
  const relay = await FakeRelay.start(t, {
    'server.info': (_params, peer) => {
      peer.send({ jsonrpc: '2.0', id: null, error: { code: -32004, message: 'too many' } });
      peer.socket.end();
      return null;
    },
  });
  await assert.rejects(createWorker({ socketPath: relay.socketPath }), /too many/);
});

test('errors have kind, code, path, expected and got', async (t) => {
  const kinds = {
    [-32602]: errors.InvalidParamsError,
    [-32001]: errors.NotFoundError,
    [-32002]: errors.ExistsError,
    [-32003]: errors.InvalidStateError,
    [-32004]: errors.LimitError,
    [-32005]: errors.UnsupportedError,
    [-32006]: errors.DrainingError,
    [-32603]: errors.RelayError,
  };
  const { relay, worker } = await rig(t);
  for (const [code, kind] of Object.entries(kinds)) {
    const data = { path: 'a.b', expected: 'this', got: 'that' };
    relay.answer({ 'router.create': refusal(Number(code), 'no', data) });
    await assert.rejects(worker.createRouter(), (error) => {
      assert.equal(error.constructor, kind);
      assert.equal(error.name, kind.name);
      assert(error instanceof errors.RelayError && error instanceof errors.SluiceError);
      const { method, path, expected, got, message } = error;
      assert.deepEqual(
        { code: error.code, method, path, expected, got, message },
        { code: Number(code), method: 'router.create', ...data, message: 'router.create: no' },
      );
      return true;
    });
  }
});

test('lines arrive in pieces and several at a time, also inside a character', async (t) => {
  const { relay, worker } = await rig(t, {
    'router.create': (_params, peer, request) => {
      const result = { ...router, note: 'é'.repeat(10) };
      const line = Buffer.from(`${JSON.stringify({ jsonrpc: '2.0', id: request.id, result })}\n`);
      const cut = line.indexOf(Buffer.from('é')) + 1;
      peer.socket.write(line.subarray(0, cut));
      setTimeout(() => peer.socket.write(line.subarray(cut)), 20);
      return null;
    },
  });
  const made = await worker.createRouter({ id: 'r' });
  const seen = [];
  made.on('remoteclose', () => seen.push('remoteclose'));
  relay.raw(
    '{"jsonrpc":"2.0","method":"router.odd","params":{"routerId":"r"}}\n' +
      '{"jsonrpc":"2.0","method":"router.close","params":{"routerId":"r"}}\n',
  );
  await event(made, 'remoteclose');
  assert.deepEqual(seen, ['remoteclose']);
});

test('unknown notifications, objects, events and answers are passed over', async (t) => {
  const { relay, worker } = await rig(t);
  const made = await worker.createRouter();
  const logs = [];
  const log = (_namespace, text) => logs.push(text);
  setLogEventListeners({ ondebug: log, onwarn: log });
  t.after(() => setLogEventListeners());
  relay.notify('nonsense', {});
  relay.notify('planet.close', { planetId: 'x' });
  relay.notify('router.close', { routerId: 'other' });
  relay.notify('router.close', undefined);
  relay.notify('router.later', { routerId: made.id });
  relay.raw('{"jsonrpc":"2.0","id":99999,"result":{}}\n');
  await worker.createRouter();
  assert.equal(made.closed, false);
  assert.equal(logs.filter((line) => /no object of this worker/.test(line)).length, 4);
  assert(logs.some((line) => /unknown notification router.later/.test(line)));
  assert(logs.some((line) => /an answer to no request/.test(line)));
});

test('no answer in time: TimeoutError, and what may have been made is closed', async (t) => {
  const { relay, worker } = await rig(t, { 'router.create': null }, { requestTimeout: 500 });
  await assert.rejects(worker.createRouter(), errors.TimeoutError);
  const close = await relay.waitFor('router.close');
  assert.equal(close.params.routerId, relay.asked('router.create')[0].params.id);
});

test('an id of the application is not closed on suspicion', async (t) => {
  const { relay, worker } = await rig(t, { 'router.create': null }, { requestTimeout: 500 });
  await assert.rejects(worker.createRouter({ id: 'lobby' }), errors.TimeoutError);
  relay.answer({ 'router.create': router });
  await worker.createRouter();
  assert.equal(relay.asked('router.close').length, 0);
});

test('an answer that comes too late changes nothing', async (t) => {
  let late;
  const { relay, worker } = await rig(
    t,
    {
      'router.create': (_params, peer, request) => {
        late = () => peer.reply(request, router);
        return null;
      },
    },
    { requestTimeout: 500 },
  );
  let made = 0;
  worker.observer.on('newrouter', () => made++);
  await assert.rejects(worker.createRouter(), errors.TimeoutError);
  late();
  relay.answer({ 'router.create': router });
  await worker.createRouter();
  assert.equal(made, 1);
});

test('at most 256 requests are under way, the rest waits, and the queue is bounded', async (t) => {
  const held = [];
  const { relay, worker } = await rig(
    t,
    {
      'router.dump': (_params, peer, request) => {
        held.push(() => peer.reply(request, {}));
        return null;
      },
    },
    { maxPendingRequests: 300 },
  );
  const made = await worker.createRouter();
  const dumps = Array.from({ length: 300 }, () => made.dump());
  await assert.rejects(made.dump(), errors.QueueFullError);
  await until(() => held.length === 256, '256 requests');
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(held.length, 256);
  for (let i = 0; i < 300; i++) {
    await until(() => held.length > i, 'the next request');
    held[i]();
  }
  await Promise.all(dumps);
  const ids = relay.asked('router.dump').map((request) => request.id);
  assert.deepEqual(ids, [...ids].sort((a, b) => a - b));
});

test('a request over the relay’s line limit is not sent', async (t) => {
  const { relay, worker } = await rig(t);
  const mediaCodecs = [{ mimeType: 'x'.repeat(1024 * 1024) }];
  await assert.rejects(worker.createRouter({ mediaCodecs }), errors.RequestTooLargeError);
  assert.equal(relay.asked('router.create').length, 0);
});

for (const [what, bytes] of [
  ['a line without end', Buffer.alloc(5 * 1024 * 1024, 'x')],
  ['a line that is no JSON', 'hello\n'],
  ['a line that is no message', '[1]\n'],
  ['a line that is neither answer nor notification', '{"jsonrpc":"2.0"}\n'],
]) {
  test(`${what}: the connection is given up and made again`, async (t) => {
    const { relay, worker } = await rig(t, { 'router.dump': null });
    const made = await worker.createRouter();
    const dump = assert.rejects(made.dump(), (error) => {
      assert(error instanceof errors.ConnectionLostError);
      assert(error.cause.cause instanceof errors.ProtocolError, error.cause);
      return true;
    });
    await relay.waitFor('router.dump');
    relay.answer({ 'router.dump': {} });
    const again = event(worker, 'reconnected');
    relay.raw(bytes);
    await dump;
    await again;
    assert.equal(made.closed, false);
  });
}

test('a relay that breaks the protocol again and again is given up', async (t) => {
  const { relay, worker } = await rig(t, {}, { reconnectTimeout: 300 });
  worker.on('reconnected', () => relay.raw('hello\n'));
  relay.raw('hello\n');
  await event(worker, 'died');
});

test('close() ends what waits, closes what was made and is final', async (t) => {
  const { relay, worker } = await rig(t, { 'router.dump': null, 'webRtcServer.create': {} });
  const a = await worker.createRouter();
  const server = await worker.createWebRtcServer({ listenInfos: [] });
  const dump = a.dump();
  const ended = [];
  a.on('workerclose', () => ended.push('router'));
  server.on('workerclose', () => ended.push('server'));
  worker.observer.on('close', () => ended.push('worker'));
  worker.close();
  worker.close();
  await assert.rejects(dump, errors.WorkerClosedError);
  assert.deepEqual(ended, ['router', 'server', 'worker']);
  assert(worker.closed && !worker.died && a.closed && server.closed);
  await event(worker, 'subprocessclose');
  assert(worker.subprocessClosed);
  assert.equal((await relay.waitFor('router.close')).params.routerId, a.id);
  assert.equal((await relay.waitFor('webRtcServer.close')).params.webRtcServerId, server.id);
  await assert.rejects(worker.createRouter(), errors.WorkerClosedError);
  await assert.rejects(a.dump(), errors.WorkerClosedError);
});

test('close() undoes what is being made', async (t) => {
  const { relay, worker } = await rig(t, { 'router.create': null });
  const making = worker.createRouter();
  const { params } = await relay.waitFor('router.create');
  worker.close();
  await assert.rejects(making, errors.WorkerClosedError);
  assert.equal((await relay.waitFor('router.close')).params.routerId, params.id);
});

test('an id that is used again: the older room’s end is not the new one’s', async (t) => {
  const { relay, worker } = await rig(t);
  const older = await worker.createRouter({ id: 'r' });
  relay.answer({
    'router.create': (_params, peer, request) => {
      peer.send({ method: 'router.close', params: { routerId: 'r' } });
      peer.reply(request, router);
      return null;
    },
  });
  older.close();
  const newer = await worker.createRouter({ id: 'r' });
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(newer.closed, false);
  // A second room of that name is refused, and the first one still hears what it must.
  relay.answer({
    'router.create': (_params, peer, request) => {
      peer.send({ method: 'router.close', params: { routerId: 'r' } });
      peer.fail(request, { code: -32002, message: 'it exists' });
      return null;
    },
  });
  const closed = event(newer, 'remoteclose');
  await assert.rejects(worker.createRouter({ id: 'r' }), errors.ExistsError);
  await closed;
});

test('close() sends everything, also past the window', async (t) => {
  const { relay, worker } = await rig(t);
  const routers = await Promise.all(Array.from({ length: 600 }, () => worker.createRouter()));
  relay.answer({ 'router.close': null });
  worker.close();
  await relay.waitFor('router.close', routers.length);
});

test('what is told of an object before its request is answered is not lost', async (t) => {
  const { worker } = await rig(t, {
    'transport.createPlain': { tuple: {} },
    'transport.consume': (params, peer, request) => {
      const score = (n) => ({ score: n, producerScore: n, producerScores: [n] });
      const told = (n) =>
        peer.send({ method: 'consumer.score', params: { consumerId: params.id, score: score(n) } });
      told(3);
      peer.reply(request, { kind: 'audio', type: 'simple', score: score(0), rtpParameters: {} });
      told(5);
      return null;
    },
  });
  const room = await worker.createRouter();
  const transport = await room.createPlainTransport({ listenInfo: { ip: '127.0.0.1' } });
  const consumer = await transport.consume({ producerId: 'p', rtpCapabilities: {} });
  const scores = [];
  consumer.on('score', ({ score }) => scores.push(score));
  await until(() => scores.length === 2, 'two scores');
  assert.deepEqual(scores, [3, 5]);
  assert.equal(consumer.score.score, 5);
});

test('a parent that closes while a child is made', async (t) => {
  const { relay, worker } = await rig(t, { 'transport.createPlain': null });
  const room = await worker.createRouter();
  const making = room.createPlainTransport({ listenInfo: { ip: '127.0.0.1' } });
  await relay.waitFor('transport.createPlain');
  room.close();
  const [peer] = relay.connections;
  peer.reply(relay.asked('transport.createPlain')[0], { tuple: {} });
  await assert.rejects(making, errors.ParentClosedError);
  await relay.waitFor('transport.close');
});

test('a listener that throws harms nobody else', async (t) => {
  const { relay, worker } = await rig(t);
  const room = await worker.createRouter();
  room.on('remoteclose', () => {
    throw new Error('oops');
  });
  const failed = event(room, 'listenererror');
  relay.notify('router.close', { routerId: room.id });
  const [name, error] = await failed;
  assert.equal(name, 'remoteclose');
  assert.equal(error.message, 'oops');
  await worker.createRouter();
});
