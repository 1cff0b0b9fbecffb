// SPDX-License-Identifier: GPL-3.0-or-later
// What happens when the connection or the relay goes away, against a relay by script.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWorker, errors } from 'sluice-client';
import { FakeRelay, refusal } from './fake_relay.js';
import { event, record, until } from './room.js';

const score = { score: 10, producerScore: 10, producerScores: [10] };
const ice = {
  iceRole: 'controlled',
  iceParameters: { usernameFragment: 'u', password: 'p' },
  iceCandidates: [],
  iceState: 'new',
  dtlsParameters: { fingerprints: [] },
  dtlsState: 'new',
};
const gone = refusal(-32001, 'no such object');

/** A room with a server, a transport, a producer and two consumers. */
async function rig(t, settings = {}) {
  const relay = await FakeRelay.start(t, {
    'router.create': { workerIndex: 0, rtpCapabilities: {} },
    'transport.createWebRtc': ice,
    'transport.produce': { kind: 'audio', type: 'simple', paused: false },
    'transport.consume': { producerId: 'p', paused: false, producerPaused: false, score },
    'webRtcServer.dump': {},
    'router.dump': {},
    'transport.dump': ice,
    'producer.dump': { paused: false },
    'consumer.dump': { paused: false, producerPaused: false, score },
  });
  const worker = await createWorker({ socketPath: relay.socketPath, ...settings });
  t.after(() => worker.close());
  const server = await worker.createWebRtcServer({ id: 's', listenInfos: [] });
  const router = await worker.createRouter({ id: 'r' });
  const transport = await router.createWebRtcTransport({ id: 't', webRtcServer: server });
  const producer = await transport.produce({ id: 'p', kind: 'audio', rtpParameters: {} });
  const options = { producerId: 'p', rtpCapabilities: {} };
  const consumer = await transport.consume({ id: 'c', ...options });
  const second = await transport.consume({ id: 'd', ...options });
  const seen = [];
  worker.on('died', () => seen.push('died'));
  record(seen, 'server', server, ['workerclose', 'remoteclose']);
  record(seen, 'router', router, ['workerclose', 'remoteclose']);
  record(seen, 'transport', transport, ['routerclose', 'listenserverclose', 'remoteclose']);
  record(seen, 'producer', producer, ['transportclose', 'remoteclose']);
  record(seen, 'consumer', consumer, ['transportclose', 'producerclose', 'remoteclose']);
  return { relay, worker, server, router, transport, producer, consumer, second, seen };
}

const cascade = [
  'producer transportclose',
  'producer observer close',
  'consumer transportclose',
  'consumer observer close',
  'transport routerclose',
  'transport observer close',
  'router workerclose',
  'router observer close',
  'server workerclose',
  'server observer close',
  'died',
];

test('the relay dies in the middle of a request', async (t) => {
  const { relay, worker, router, seen } = await rig(t);
  relay.answer({ 'router.dump': null });
  const dump = router.dump();
  await relay.waitFor('router.dump');
  const died = event(worker, 'died');
  void relay.stop();
  await assert.rejects(dump, errors.ConnectionLostError);
  const [error] = await died;
  assert(error instanceof errors.SluiceError);
  assert.deepEqual(seen, cascade);
  assert(worker.died && worker.closed && worker.subprocessClosed);
  await assert.rejects(worker.createRouter(), errors.WorkerClosedError);
  await relay.listen();
});

test('the relay says that it ends', async (t) => {
  const { relay, worker, seen } = await rig(t);
  const [seconds] = await Promise.all([
    event(worker, 'draining').then(([seconds]) => seconds),
    relay.notify('server.draining', { seconds: 30 }),
  ]);
  assert.equal(seconds, 30);
  assert.equal(worker.died, false);
  const undrained = event(worker, 'undrained');
  relay.notify('server.undrained', {});
  await undrained;
  const died = event(worker, 'died');
  relay.notify('server.shutdown', {});
  assert.match((await died)[0].message, /shut down/);
  assert.deepEqual(seen, cascade);
});

test('another relay at the same address is not the one that died', async (t) => {
  const { relay, worker, seen } = await rig(t);
  relay.info = { ...relay.info, startedAt: 2 };
  const died = event(worker, 'died');
  relay.cut();
  assert.match((await died)[0].message, /another relay/);
  assert.deepEqual(seen, cascade);
});

test('reconnectTimeout 0: a lost connection is the end', async (t) => {
  const { relay, worker } = await rig(t, { reconnectTimeout: 0 });
  const died = event(worker, 'died');
  relay.cut();
  await died;
});

test('a lost connection comes back, and nothing has ended', async (t) => {
  const { relay, worker, router, seen, ...objects } = await rig(t);
  const lost = event(worker, 'disconnected');
  const back = event(worker, 'reconnected');
  relay.cut();
  assert((await lost)[0] instanceof errors.ConnectionLostError);
  const dump = router.dump(); // waits
  await back;
  await dump;
  assert.deepEqual(seen, []);
  const subscribed = relay.asked('server.subscribe').find(({ params }) => params.ids);
  assert.deepEqual(subscribed.params.events, ['*']);
  assert.deepEqual(subscribed.params.ids.sort(), ['c', 'd', 'p', 'r', 's', 't']);
  relay.notify('consumer.producerpause', { consumerId: 'c' });
  await event(objects.consumer, 'producerpause');
  relay.cut();
  await event(worker, 'reconnected'); // and once more
});

test('more objects than a connection may name: all notifications', async (t) => {
  const { relay, worker, transport } = await rig(t);
  for (let i = 0; i < 4100; i += 100) {
    const some = Array.from({ length: 100 }, () =>
      transport.consume({ producerId: 'p', rtpCapabilities: {} }),
    );
    await Promise.all(some);
  }
  relay.cut();
  await event(worker, 'reconnected');
  assert(relay.asked('server.subscribe').some(({ params }) => params.events[0] === '*'));
  assert.equal(relay.asked('consumer.dump').length, 4102);
});

test('the relay is overloaded', async (t) => {
  const { relay, worker, consumer } = await rig(t);
  const stress = { workerIndex: 1, stress: 0.95, high: true };
  const heard = event(worker, 'stress');
  relay.notify('server.stress', stress);
  assert.deepEqual(await heard, [stress]);
  assert.equal(consumer.shed, false);
  const shed = event(consumer, 'shed');
  relay.notify('consumer.shed', { consumerId: 'c' });
  await shed;
  assert.equal(consumer.shed, true);
  assert.equal(consumer.paused, false);
  const unshed = event(consumer, 'unshed');
  relay.notify('consumer.unshed', { consumerId: 'c' });
  await unshed;
  assert.equal(consumer.shed, false);
});

test('what has changed meanwhile is told', async (t) => {
  const { relay, worker, transport, producer, consumer, seen } = await rig(t);
  const tuple = { localIp: '127.0.0.1', localPort: 1, protocol: 'udp' };
  const told = [];
  transport.on('icestatechange', (state) => told.push(`ice ${state}`));
  transport.on('iceselectedtuplechange', ({ localPort }) => told.push(`tuple ${localPort}`));
  transport.on('dtlsstatechange', (state) => told.push(`dtls ${state}`));
  producer.observer.on('pause', () => told.push('producer pause'));
  consumer.on('producerpause', () => told.push(`producerpause ${consumer.producerPaused}`));
  consumer.observer.on('pause', () => told.push('consumer pause'));
  consumer.on('shed', () => told.push(`shed ${consumer.shed}`));
  relay.answer({
    'transport.dump': {
      ...ice,
      iceState: 'completed',
      iceSelectedTuple: tuple,
      dtlsState: 'connected',
      dtlsRemoteCert: 'PEM',
    },
    'producer.dump': { paused: true },
    'consumer.dump': {
      paused: false,
      producerPaused: true,
      shed: true,
      score: { ...score, score: 4 },
    },
  });
  relay.cut();
  await event(worker, 'reconnected');
  assert.deepEqual(told, [
    'ice completed',
    'tuple 1',
    'dtls connected',
    'producer pause',
    'producerpause true',
    'consumer pause',
    'shed true',
  ]);
  assert.equal(transport.dtlsRemoteCert, 'PEM');
  assert.equal(consumer.score.score, 4);
  assert.deepEqual(seen, []);
});

test('what has ended meanwhile is told: the room', async (t) => {
  const { relay, worker, seen } = await rig(t);
  relay.answer({ 'router.dump': gone });
  relay.cut();
  await event(worker, 'reconnected');
  assert.deepEqual(seen, [...cascade.slice(0, 6), 'router remoteclose', 'router observer close']);
  assert.equal(worker.closed, false);
});

test('what has ended meanwhile is told: a producer', async (t) => {
  const { relay, worker, seen } = await rig(t);
  relay.answer({ 'producer.dump': gone, 'consumer.dump': gone });
  relay.cut();
  await event(worker, 'reconnected');
  assert.deepEqual(seen, [
    'producer remoteclose',
    'producer observer close',
    'consumer producerclose',
    'consumer observer close',
  ]);
});

test('what is closed while there is no connection is closed afterwards', async (t) => {
  const { relay, worker, transport } = await rig(t);
  relay.cut();
  await event(worker, 'disconnected');
  transport.close();
  await event(worker, 'reconnected');
  assert.equal((await relay.waitFor('transport.close')).params.transportId, 't');
});

test('a close whose answer was lost is repeated', async (t) => {
  const { relay, worker, transport } = await rig(t);
  relay.answer({ 'transport.close': null });
  transport.close();
  await relay.waitFor('transport.close');
  relay.answer({ 'transport.close': {} });
  relay.cut();
  await relay.waitFor('transport.close', 2);
  assert.equal(worker.closed, false);
});

test('what a lost request may have made is closed', async (t) => {
  const { relay, router } = await rig(t);
  relay.answer({ 'transport.createPlain': null });
  const making = router.createPlainTransport({ listenInfo: { ip: '127.0.0.1' } });
  const { params } = await relay.waitFor('transport.createPlain');
  relay.cut();
  await assert.rejects(making, errors.ConnectionLostError);
  assert.equal((await relay.waitFor('transport.close')).params.transportId, params.id);
});

test('an attempt that fails is followed by another, until the time is over', async (t) => {
  const { relay, worker } = await rig(t, { reconnectTimeout: 2000 });
  let attempts = 0;
  relay.answer({
    'server.info': (_params, peer) => {
      if (++attempts < 4) {
        peer.socket.destroy();
        return null;
      }
      return relay.info;
    },
  });
  relay.cut();
  await event(worker, 'reconnected');
  assert.equal(attempts, 4);

  attempts = -1000;
  const died = event(worker, 'died');
  await until(() => relay.connections.size === 1, 'the connection');
  relay.cut();
  await died;
  assert(attempts > -999);
});

test('close() while there is no connection', async (t) => {
  const { relay, worker, router } = await rig(t);
  relay.answer({ 'server.info': null });
  relay.cut();
  await event(worker, 'disconnected');
  const dump = router.dump();
  worker.close();
  await assert.rejects(dump, errors.WorkerClosedError);
  await event(worker, 'subprocessclose');
  assert.equal(worker.died, false);
});
