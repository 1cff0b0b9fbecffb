// SPDX-License-Identifier: GPL-3.0-or-later
// Rooms in the real relay.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { test } from 'node:test';
import { createWorker, errors, observer } from 'sluice-client';
import { isEmpty, needsRelay, sluiced, startPair, startProxy, startRelay } from './real_relay.js';
import { audio, event, listenInfo, mediaCodecs, record, until, video } from './room.js';

const comedia = { listenInfo, comedia: true };

/** A room with a publisher of audio and a subscriber. */
async function makeRoom(worker) {
  const router = await worker.createRouter({ mediaCodecs });
  const up = await router.createPlainTransport(comedia);
  const down = await router.createPlainTransport({ listenInfo });
  const producer = await up.produce({ ...audio(1111), appData: { who: 'ann' } });
  const { id: producerId } = producer;
  const consumer = await down.consume({ producerId, rtpCapabilities: router.rtpCapabilities });
  return { router, up, down, producer, consumer };
}

test('a room, from its start to its end', needsRelay, async (t) => {
  const { worker } = await startPair(t);
  const made = [];
  worker.observer.on('newrouter', (router) => {
    made.push('router');
    router.observer.on('newtransport', (transport) => {
      made.push(`transport ${transport.type}`);
      transport.observer.on('newproducer', ({ kind }) => made.push(`producer ${kind}`));
      transport.observer.on('newconsumer', ({ kind }) => made.push(`consumer ${kind}`));
    });
  });
  const { router, up, down, producer, consumer } = await makeRoom(worker);
  assert.deepEqual(made, [
    'router',
    'transport plain',
    'transport plain',
    'producer audio',
    'consumer audio',
  ]);
  assert.equal(router.rtpCapabilities.codecs[0].mimeType, 'audio/opus');
  assert.equal(up.tuple.localIp, '127.0.0.1');
  assert.equal(up.rtcpTuple, undefined);
  assert.equal(producer.kind, 'audio');
  assert.equal(producer.type, 'simple');
  assert.equal(producer.rtpParameters.encodings[0].ssrc, 1111);
  assert.deepEqual(producer.appData, { who: 'ann' });
  assert.deepEqual(consumer.appData, {});
  assert.equal(consumer.producerId, producer.id);
  assert.equal(consumer.kind, 'audio');
  assert.equal(typeof consumer.score.score, 'number');
  assert.equal(consumer.priority, 1);
  assert.equal(consumer.preferredLayers, undefined);

  assert.deepEqual((await worker.dump()).routerIds, [router.id]);
  assert.deepEqual((await router.dump()).transportIds.sort(), [up.id, down.id].sort());
  assert.deepEqual((await up.dump()).producerIds, [producer.id]);
  assert.deepEqual((await down.dump()).consumerIds, [consumer.id]);
  assert.equal((await producer.dump()).id, producer.id);
  assert.equal((await consumer.dump()).producerId, producer.id);
  assert.equal((await up.getStats())[0].type, 'plain-rtp-transport');
  assert.equal((await producer.getStats())[0].type, 'inbound-rtp');
  assert.equal((await consumer.getStats())[0].type, 'outbound-rtp');

  await consumer.setPriority(7);
  assert.equal(consumer.priority, 7);
  await consumer.unsetPriority();
  assert.equal(consumer.priority, 1);
  await consumer.requestKeyFrame();
  await producer.enableTraceEvent(['rtp', 'nack']);
  await consumer.enableTraceEvent(['nack']);
  assert.deepEqual((await producer.dump()).traceEventTypes.sort(), ['nack', 'rtp']);
  await up.enableTraceEvent();

  await router.updateMediaCodecs([mediaCodecs[1]]);
  assert(router.rtpCapabilities.codecs.every(({ kind }) => kind === 'video'));
  await assert.rejects(up.produce(audio(2222)), errors.RelayError);

  router.close();
  await until(() => isEmpty(worker), 'an empty relay');
  await assert.rejects(router.dump(), errors.NotFoundError);
});

test('pauses of a producer and a consumer', needsRelay, async (t) => {
  const { worker } = await startPair(t);
  const { producer, consumer } = await makeRoom(worker);
  const seen = [];
  consumer.on('producerpause', () => seen.push(`producerpause ${consumer.producerPaused}`));
  consumer.on('producerresume', () => seen.push(`producerresume ${consumer.producerPaused}`));
  for (const name of ['pause', 'resume']) {
    producer.observer.on(name, () => seen.push(`producer ${name}`));
    consumer.observer.on(name, () => seen.push(`consumer ${name}`));
  }
  const step = async (what, ...expected) => {
    await what();
    await until(() => seen.length >= expected.length, expected);
    assert.deepEqual(seen.splice(0).sort(), expected.sort());
  };
  await step(() => producer.pause(), 'producer pause', 'producerpause true', 'consumer pause');
  assert(producer.paused && consumer.producerPaused && !consumer.paused);
  await step(() => producer.pause());
  await step(() => consumer.pause());
  await step(() => producer.resume(), 'producer resume', 'producerresume false');
  await step(() => consumer.resume(), 'consumer resume');
});

for (const [what, close, expected] of [
  [
    'a consumer',
    ({ consumer }) => consumer.close(),
    ['consumer observer close'],
  ],
  [
    'a producer',
    ({ producer }) => producer.close(),
    ['producer observer close', 'consumer producerclose', 'consumer observer close'],
  ],
  [
    'the publisher’s transport',
    ({ up }) => up.close(),
    [
      'producer transportclose',
      'producer observer close',
      'up observer close',
      'consumer producerclose',
      'consumer observer close',
    ],
  ],
  [
    'the room',
    ({ router }) => router.close(),
    [
      'producer transportclose',
      'producer observer close',
      'up routerclose',
      'up observer close',
      'consumer transportclose',
      'consumer observer close',
      'down routerclose',
      'down observer close',
      'router observer close',
    ],
  ],
  [
    'the worker',
    ({ worker }) => worker.close(),
    [
      'producer transportclose',
      'producer observer close',
      'up routerclose',
      'up observer close',
      'consumer transportclose',
      'consumer observer close',
      'down routerclose',
      'down observer close',
      'router workerclose',
      'router observer close',
    ],
  ],
  [
    'the room, by another controller',
    ({ other, router }) => other.request('router.close', { routerId: router.id }),
    [
      'producer transportclose',
      'producer observer close',
      'up routerclose',
      'up observer close',
      'consumer transportclose',
      'consumer observer close',
      'down routerclose',
      'down observer close',
      'router remoteclose',
      'router observer close',
    ],
  ],
  [
    'a producer, by another controller',
    ({ other, producer }) => other.request('producer.close', { producerId: producer.id }),
    [
      'consumer producerclose',
      'consumer observer close',
      'producer remoteclose',
      'producer observer close',
    ],
  ],
]) {
  test(`closing ${what}`, needsRelay, async (t) => {
    const { worker, other } = await startPair(t);
    const room = await makeRoom(worker);
    const seen = [];
    record(seen, 'router', room.router, ['workerclose', 'remoteclose']);
    record(seen, 'up', room.up, ['routerclose', 'remoteclose']);
    record(seen, 'down', room.down, ['routerclose', 'remoteclose']);
    record(seen, 'producer', room.producer, ['transportclose', 'remoteclose']);
    record(seen, 'consumer', room.consumer, ['transportclose', 'producerclose', 'remoteclose']);
    await close({ worker, other, ...room });
    await until(() => seen.length >= expected.length, expected.join());
    // Who else is told is the relay's order, what follows in one object's family is ours.
    const sort = /another/.test(what) ? (list) => [...list].sort() : (list) => list;
    assert.deepEqual(sort(seen), sort(expected));
    if (!room.router.closed) {
      room.router.close();
    }
    await until(() => isEmpty(other), 'an empty relay');
  });
}

test('comedia: the peer’s address is told, and packets are traced', needsRelay, async (t) => {
  const { worker } = await startPair(t);
  const { up, producer, consumer } = await makeRoom(worker);
  const socket = createSocket('udp4');
  t.after(() => socket.close());
  let sequence = 0;
  const packet = () => {
    const bytes = Buffer.alloc(100);
    bytes.writeUInt16BE(0x806f, 0);
    bytes.writeUInt16BE(++sequence, 2);
    bytes.writeUInt32BE(sequence * 960, 4);
    bytes.writeUInt32BE(1111, 8);
    return bytes;
  };
  const timer = setInterval(() => socket.send(packet(), up.tuple.localPort, '127.0.0.1'), 20);
  t.after(() => clearInterval(timer));
  await producer.enableTraceEvent(['rtp']);
  const traced = event(producer, 'trace');
  const [tuple] = await event(up, 'tuple');
  assert.equal(tuple.remotePort, socket.address().port);
  assert.deepEqual(up.tuple, tuple);
  const [trace] = await traced;
  assert.equal(trace.type, 'rtp');
  assert.equal(trace.direction, 'in');
  await producer.enableTraceEvent();
  assert.equal((await producer.getStats())[0].ssrc, 1111);
  assert.equal(consumer.closed, false);
});

test('plain transports: connect, SRTP, an RTCP port, older options', needsRelay, async (t) => {
  const { worker } = await startPair(t);
  const router = await worker.createRouter({ mediaCodecs });
  const transport = await router.createPlainTransport({
    listenIp: { ip: '127.0.0.1', announcedIp: '192.0.2.1' },
    rtcpMux: false,
    enableSrtp: true,
    srtpCryptoSuite: 'AEAD_AES_128_GCM',
    enableSctp: false,
    maxSendMessageSize: 1000,
  });
  assert.equal(transport.tuple.localAddress, '192.0.2.1');
  assert.equal(transport.srtpParameters.cryptoSuite, 'AEAD_AES_128_GCM');
  assert(transport.rtcpTuple.localPort > 0);
  const { srtpParameters } = transport;
  await transport.connect({ ip: '127.0.0.1', port: 4000, rtcpPort: 4001, srtpParameters });
  assert.equal(transport.tuple.remotePort, 4000);
  assert.equal(transport.rtcpTuple.remotePort, 4001);
  assert.equal(transport.srtpParameters.keyBase64, srtpParameters.keyBase64);
  await assert.rejects(
    transport.connect({ ip: '127.0.0.1', port: 4000, rtcpPort: 4001, srtpParameters }),
    errors.InvalidStateError,
  );
  const byName = await router.createPlainTransport({ listenIp: '127.0.0.1' });
  assert.equal(byName.tuple.localIp, '127.0.0.1');
});

test('the relay’s errors arrive as they are', needsRelay, async (t) => {
  const { worker } = await startPair(t);
  const router = await worker.createRouter({ id: 'hall', mediaCodecs });
  await assert.rejects(worker.createRouter({ id: 'hall' }), errors.ExistsError);
  assert.equal(router.closed, false);
  await assert.rejects(router.createPlainTransport({ listenInfo: { ip: 'x' } }), (error) => {
    assert(error instanceof errors.InvalidParamsError);
    assert.equal(error.code, -32602);
    assert.equal(error.path, 'listenInfo.ip');
    assert.match(error.got, /x/);
    assert(error.expected);
    return true;
  });
  const down = await router.createPlainTransport({ listenInfo });
  await assert.rejects(
    down.consume({ producerId: 'nobody', rtpCapabilities: {} }),
    errors.NotFoundError,
  );
  await assert.rejects(worker.request('server.nonsense'), { code: -32601 });
});

test('ids are free at once', needsRelay, async (t) => {
  const { worker, other } = await startPair(t);
  for (let i = 0; i < 20; i++) {
    const router = await worker.createRouter({ id: 'hall', mediaCodecs });
    await router.createPlainTransport({ id: 'in', listenInfo });
    router.close();
    const next = await worker.createRouter({ id: 'hall', mediaCodecs });
    const transport = await next.createPlainTransport({ id: 'in', listenInfo });
    await worker.request('server.info');
    assert(!next.closed && !transport.closed);
    next.close();
  }
  await until(() => isEmpty(other), 'an empty relay');
});

test('what a later relay brings is UnsupportedError now', needsRelay, async (t) => {
  const { worker } = await startPair(t);
  const router = await worker.createRouter({ mediaCodecs });
  const transport = await router.createPlainTransport({ listenInfo });
  for (const attempt of [
    () => router.createPipeTransport({ listenInfo }),
    () => router.createDirectTransport(),
    () => router.createActiveSpeakerObserver(),
    () => router.createAudioLevelObserver({ interval: 800 }),
    () => router.pipeToRouter({ producerId: 'p', router }),
    () => transport.produceData({ label: 'chat' }),
    () => transport.consumeData({ dataProducerId: 'd' }),
    () => worker.getResourceUsage(),
  ]) {
    await assert.rejects(attempt(), errors.UnsupportedError, String(attempt));
  }
  await assert.rejects(router.createPlainTransport({ listenInfo, enableSctp: true }), {
    path: 'enableSctp',
  });
});

test('settings of the worker: a thread, a log level, who is told', needsRelay, async (t) => {
  const relay = await startRelay(t);
  const seen = [];
  const onworker = (worker) => seen.push(worker);
  observer.on('newworker', onworker);
  t.after(() => observer.off('newworker', onworker));
  const settings = { socketPath: relay.socketPath, workerIndex: 1, appData: { n: 1 } };
  const worker = await createWorker(settings);
  t.after(() => worker.close());
  assert.deepEqual(seen, [worker]);
  assert.equal(worker.pid, relay.child.pid);
  assert.deepEqual(worker.appData, { n: 1 });
  const routers = await Promise.all([1, 2, 3].map(() => worker.createRouter()));
  assert(routers.every(({ workerIndex }) => workerIndex === 1));
  const other = await worker.createRouter({ workerIndex: 0 });
  assert.equal(other.workerIndex, 0);
  assert.equal((await worker.dump()).routerIds.length, 3);
  await worker.updateSettings({ logLevel: 'error' });
  assert.equal((await worker.request('server.setLog', {})).level, 'error');
});

test('transports of a room on several threads, unless it is kept on one', needsRelay, async (t) => {
  const { worker } = await startPair(t);
  const server = await worker.createWebRtcServer({ listenInfos: [listenInfo] });
  const router = await worker.createRouter({ mediaCodecs });
  for (const workerIndex of [0, 1]) {
    const plain = await router.createPlainTransport({ listenInfo, workerIndex });
    const webRtc = await router.createWebRtcTransport({ webRtcServer: server, workerIndex });
    for (const transport of [plain, webRtc]) {
      assert.equal(transport.workerIndex, workerIndex);
      assert.equal((await transport.dump()).workerIndex, workerIndex);
    }
    const producer = await plain.produce(audio(1));
    const { workerIndex: at, mirrorWorkerIndices } = await producer.dump();
    assert.deepEqual([at, mirrorWorkerIndices], [workerIndex, []]);
  }
  const [up, down] = await Promise.all(
    [0, 1].map((workerIndex) => router.createPlainTransport({ listenInfo, workerIndex })),
  );
  const producer = await up.produce(audio(2));
  const { id: producerId } = producer;
  const { rtpCapabilities } = router;
  const consumer = await down.consume({ producerId, rtpCapabilities });
  assert.deepEqual((await producer.dump()).mirrorWorkerIndices, [1]);
  consumer.close();
  const mirrors = async () => (await worker.request('server.census')).mirrors;
  await until(async () => (await mirrors()) === 0, 'the end of the mirror');
  const chosen = await router.createPlainTransport({ listenInfo });
  assert.equal(chosen.workerIndex, router.workerIndex);
  const kept = await worker.createRouter({ mediaCodecs, workerIndex: 1 });
  assert.equal((await kept.createPlainTransport({ listenInfo })).workerIndex, 1);
  await assert.rejects(kept.createPlainTransport({ listenInfo, workerIndex: 0 }), (error) => {
    assert(error instanceof errors.InvalidStateError);
    assert.equal(error.path, 'workerIndex');
    return true;
  });
  await assert.rejects(router.createPlainTransport({ listenInfo, workerIndex: 2 }), {
    path: 'workerIndex',
  });
});

test('tied rooms end with the connection, others do not', needsRelay, async (t) => {
  const { relay, other } = await startPair(t);
  for (const [tied, left] of [
    [true, 0],
    [false, 1],
  ]) {
    const proxy = await startProxy(t, relay);
    const worker = await createWorker({ ...proxy, tied, reconnectTimeout: 0 });
    await worker.createRouter();
    const died = event(worker, 'died');
    proxy.cut();
    await died;
    const rooms = async () => (await other.request('server.census')).routers;
    await until(async () => (await rooms()) === left, `${left} rooms`);
  }
});

test('the real relay after a lost connection', needsRelay, async (t) => {
  const { relay, other } = await startPair(t);
  const proxy = await startProxy(t, relay);
  const worker = await createWorker({ socketPath: proxy.socketPath });
  t.after(() => worker.close());
  const { router, up, down, producer, consumer } = await makeRoom(worker);
  const extra = await up.produce(video(3333));
  worker.once('disconnected', () => {
    void other.request('producer.pause', { producerId: producer.id });
    void other.request('producer.close', { producerId: extra.id });
    void other.request('transport.close', { transportId: down.id });
  });
  const ended = [event(extra, 'remoteclose'), event(consumer, 'transportclose')];
  proxy.cut();
  await Promise.all([event(worker, 'reconnected'), ...ended]);
  assert(down.closed && consumer.closed && extra.closed);
  assert(!router.closed && !up.closed && !producer.closed);
  assert.equal(producer.paused, true);
  // Notifications come on the new connection, too.
  const gone = event(router, 'remoteclose');
  await other.request('router.close', { routerId: router.id });
  await gone;
  await until(() => isEmpty(other), 'an empty relay');
});

test('the real relay is killed', needsRelay, async (t) => {
  const { relay, worker } = await startPair(t);
  const { router, consumer } = await makeRoom(worker);
  const died = event(worker, 'died');
  const closed = event(consumer, 'transportclose');
  relay.child.kill('SIGKILL');
  await Promise.all([died, closed]);
  assert(router.closed && worker.died);
});

test('the real relay drains and ends', needsRelay, async (t) => {
  const { relay, worker } = await startPair(t);
  const router = await worker.createRouter();
  const draining = event(worker, 'draining');
  const died = event(worker, 'died');
  relay.child.kill('SIGTERM');
  assert.equal(typeof (await draining)[0], 'number');
  await assert.rejects(worker.createRouter(), errors.DrainingError);
  router.close(); // the last one
  await died;
});

test('a relay of one’s own', needsRelay, async () => {
  const ports = { rtcMinPort: 41000, rtcMaxPort: 41100 };
  const worker = await createWorker({ workerBin: sluiced, logLevel: 'warn', ...ports });
  const { up } = await makeRoom(worker);
  assert(up.tuple.localPort >= 41000 && up.tuple.localPort <= 41100);
  const { pid } = worker;
  const closed = event(worker, 'subprocessclose');
  worker.close();
  await closed;
  assert(worker.subprocessClosed && !worker.died);
  assert.throws(() => process.kill(pid, 0));
});

test('a relay of one’s own that dies, and one that does not start', needsRelay, async () => {
  const worker = await createWorker({ workerBin: sluiced });
  const router = await worker.createRouter();
  const died = event(worker, 'died');
  const closed = event(worker, 'subprocessclose');
  process.kill(worker.pid, 'SIGKILL');
  await died;
  await closed;
  assert(router.closed && worker.died);

  await assert.rejects(
    createWorker({ workerBin: sluiced, workerArgs: ['--nonsense'] }),
    /sluiced ended with exit status 2: .*nonsense/s,
  );
  await assert.rejects(createWorker({ workerBin: '/nonexistent' }), /does not start.*ENOENT/);
});
