// SPDX-License-Identifier: GPL-3.0-or-later
// WebRTC transports: what is asked of a relay by script and what becomes of its answers, then the
// real relay, if it has them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWorker, errors } from 'sluice-client';
import { FakeRelay } from './fake_relay.js';
import { isEmpty, needsRelay, startPair } from './real_relay.js';
import { audio, event, mediaCodecs, record, until } from './room.js';

const fingerprints = [{ algorithm: 'sha-256', value: Array(32).fill('AB').join(':') }];
const tuple = {
  localIp: '127.0.0.1',
  localAddress: '127.0.0.1',
  localPort: 1,
  remoteIp: '127.0.0.1',
  remotePort: 2,
  protocol: 'udp',
};
const made = {
  iceRole: 'controlled',
  iceParameters: { usernameFragment: 'u1', password: 'p1', iceLite: true },
  iceCandidates: [{ foundation: 'udpcandidate', protocol: 'udp', port: 1 }],
  iceState: 'new',
  dtlsParameters: { role: 'auto', fingerprints },
  dtlsState: 'new',
};

async function rig(t) {
  const relay = await FakeRelay.start(t, {
    'router.create': { workerIndex: 0, rtpCapabilities: {} },
    'transport.createWebRtc': made,
    'transport.connect': { dtlsLocalRole: 'server' },
    'transport.restartIce': {
      iceParameters: { usernameFragment: 'u2', password: 'p2', iceLite: true },
    },
  });
  const worker = await createWorker({ socketPath: relay.socketPath });
  t.after(() => worker.close());
  const router = await worker.createRouter();
  return { relay, worker, router };
}

test('what is asked for a server and its transports', async (t) => {
  const { relay, worker, router } = await rig(t);
  const listenInfos = [{ protocol: 'udp', ip: '0.0.0.0', announcedAddress: 'a.example', port: 4 }];
  const servers = [];
  worker.observer.on('newwebrtcserver', (server) => servers.push(server));
  const webRtcServer = await worker.createWebRtcServer({ listenInfos, appData: { x: 1 } });
  assert.deepEqual(servers, [webRtcServer]);
  assert.deepEqual(webRtcServer.appData, { x: 1 });
  assert.deepEqual(relay.asked('webRtcServer.create')[0].params, {
    id: webRtcServer.id,
    listenInfos,
  });
  const handled = [];
  webRtcServer.observer.on('webrtctransporthandled', ({ id }) => handled.push(id));
  webRtcServer.observer.on('webrtctransportunhandled', ({ id }) => handled.push(`-${id}`));
  const transport = await router.createWebRtcTransport({
    webRtcServer,
    enableTcp: true,
    preferUdp: true,
    iceConsentTimeout: 20,
    initialAvailableOutgoingBitrate: 1e6,
    enableSctp: false,
    maxSendMessageSize: 262144,
    appData: { y: 1 },
  });
  assert.deepEqual(relay.asked('transport.createWebRtc')[0].params, {
    id: transport.id,
    routerId: router.id,
    webRtcServerId: webRtcServer.id,
    enableTcp: true,
    preferUdp: true,
    iceConsentTimeout: 20,
    initialAvailableOutgoingBitrate: 1e6,
  });
  assert.equal(transport.type, 'webrtc');
  assert.equal(transport.iceRole, 'controlled');
  assert.deepEqual(transport.iceCandidates, made.iceCandidates);
  assert.deepEqual(transport.dtlsParameters, made.dtlsParameters);
  assert.equal(transport.sctpParameters, undefined);
  transport.close();
  assert.deepEqual(handled, [transport.id, `-${transport.id}`]);
});

test('the older ways to say where to listen', async (t) => {
  const { relay, router } = await rig(t);
  const listenIps = ['127.0.0.1', { ip: '0.0.0.0', announcedIp: '192.0.2.1' }];
  await router.createWebRtcTransport({ listenIps, enableTcp: true, port: 9 });
  const [{ params }] = relay.asked('transport.createWebRtc');
  assert.deepEqual(params.listenInfos, [
    { protocol: 'udp', ip: '127.0.0.1', port: 9 },
    { protocol: 'tcp', ip: '127.0.0.1', port: 9 },
    { protocol: 'udp', ip: '0.0.0.0', announcedAddress: '192.0.2.1', port: 9 },
    { protocol: 'tcp', ip: '0.0.0.0', announcedAddress: '192.0.2.1', port: 9 },
  ]);
  assert(!('listenIps' in params) && !('port' in params));
  await router.createWebRtcTransport({ listenIps: ['::1'] });
  assert.deepEqual(relay.asked('transport.createWebRtc')[1].params.listenInfos, [
    { protocol: 'udp', ip: '::1' },
  ]);
});

test('connect, restartIce, bit rates', async (t) => {
  const { relay, router } = await rig(t);
  const listenInfos = [{ protocol: 'udp', ip: '127.0.0.1' }];
  const transport = await router.createWebRtcTransport({ listenInfos });
  const dtlsParameters = { role: 'client', fingerprints };
  assert.equal(await transport.connect({ dtlsParameters }), undefined);
  assert.deepEqual(relay.asked('transport.connect')[0].params, {
    transportId: transport.id,
    dtlsParameters,
  });
  assert.equal(transport.dtlsParameters.role, 'server');
  const iceParameters = await transport.restartIce();
  assert.equal(iceParameters.usernameFragment, 'u2');
  assert.deepEqual(transport.iceParameters, iceParameters);
  await transport.setMaxIncomingBitrate(1);
  await transport.setMaxOutgoingBitrate(2);
  await transport.setMinOutgoingBitrate(3);
  for (const [i, which] of ['MaxIncoming', 'MaxOutgoing', 'MinOutgoing'].entries()) {
    assert.deepEqual(relay.asked(`transport.set${which}Bitrate`)[0].params, {
      transportId: transport.id,
      bitrate: i + 1,
    });
  }
});

test('states and events', async (t) => {
  const { relay, router } = await rig(t);
  const listenInfos = [{ protocol: 'udp', ip: '127.0.0.1' }];
  const transport = await router.createWebRtcTransport({ listenInfos });
  const { id: transportId } = transport;
  const seen = [];
  for (const emitter of [transport, transport.observer]) {
    for (const name of ['icestatechange', 'iceselectedtuplechange', 'dtlsstatechange', 'trace']) {
      emitter.on(name, (value) => seen.push([name, value]));
    }
  }
  relay.notify('transport.icestatechange', { transportId, iceState: 'connected' });
  relay.notify('transport.iceselectedtuplechange', { transportId, iceSelectedTuple: tuple });
  relay.notify('transport.dtlsstatechange', { transportId, dtlsState: 'connecting' });
  relay.notify('transport.dtlsstatechange', {
    transportId,
    dtlsState: 'connected',
    dtlsRemoteCert: 'PEM',
  });
  relay.notify('transport.trace', { transportId, trace: { type: 'bwe' } });
  await until(() => seen.length === 10, 'ten events');
  const expected = [
    ['icestatechange', 'connected'],
    ['iceselectedtuplechange', tuple],
    ['dtlsstatechange', 'connecting'],
    ['dtlsstatechange', 'connected'],
    ['trace', { type: 'bwe' }],
  ];
  assert.deepEqual(seen, expected.flatMap((one) => [one, one]));
  assert.equal(transport.iceState, 'connected');
  assert.deepEqual(transport.iceSelectedTuple, tuple);
  assert.equal(transport.dtlsState, 'connected');
  assert.equal(transport.dtlsRemoteCert, 'PEM');
  transport.close();
  assert.equal(transport.iceState, 'closed');
  assert.equal(transport.iceSelectedTuple, undefined);
  assert.equal(transport.dtlsState, 'closed');
});

for (const [what, close] of [
  ['here', ({ webRtcServer }) => webRtcServer.close()],
  ['by another controller', ({ relay, webRtcServer }) =>
    relay.notify('webRtcServer.close', { webRtcServerId: webRtcServer.id })],
  ['by another controller, the transport first', ({ relay, transport }) =>
    relay.notify('transport.listenserverclose', { transportId: transport.id })],
]) {
  test(`a server that is closed ${what} closes its transports`, async (t) => {
    const { relay, worker, router } = await rig(t);
    const webRtcServer = await worker.createWebRtcServer({ listenInfos: [] });
    const transport = await router.createWebRtcTransport({ webRtcServer });
    const seen = [];
    record(seen, 'transport', transport, ['listenserverclose', 'routerclose', 'remoteclose']);
    const closed = event(transport, 'listenserverclose');
    close({ relay, webRtcServer, transport });
    await closed;
    assert.deepEqual(seen, ['transport listenserverclose', 'transport observer close']);
    router.close();
    assert.equal(seen.length, 2);
  });
}

// What later versions of the relay make has its place already.
test('data, pipe, direct, observers: by script', async (t) => {
  const { relay, router } = await rig(t);
  const data = { type: 'sctp', label: 'chat', protocol: '', paused: false };
  relay.answer({
    'transport.createDirect': {},
    'transport.createPipe': { tuple },
    'transport.produceData': data,
    'transport.consumeData': { ...data, dataProducerPaused: false, subchannels: [] },
    'dataConsumer.send': { bufferedAmount: 5 },
    'dataConsumer.setSubchannels': ({ subchannels }) => ({ subchannels }),
    'router.createActiveSpeakerObserver': {},
    'router.createAudioLevelObserver': {},
    'transport.produce': { kind: 'audio', type: 'simple', paused: false },
  });
  const seen = [];
  const direct = await router.createDirectTransport();
  const pipe = await router.createPipeTransport({ listenIp: '127.0.0.1' });
  assert.deepEqual([direct.type, pipe.type, pipe.tuple], ['direct', 'pipe', tuple]);
  const producer = await direct.produce(audio(1));
  const dataProducer = await direct.produceData({ label: 'chat' });
  const dataConsumer = await pipe.consumeData({ dataProducerId: dataProducer.id });
  dataConsumer.on('message', (message, ppid) => seen.push(`${message} ${ppid}`));
  dataConsumer.on('dataproducerpause', () => seen.push('dataproducerpause'));
  dataConsumer.on('dataproducerclose', () => seen.push('dataproducerclose'));
  const { id: dataConsumerId } = dataConsumer;
  relay.notify('dataConsumer.message', { dataConsumerId, text: 'hello', ppid: 51 });
  relay.notify('dataConsumer.message', { dataConsumerId, binary: 'aGk=', ppid: 53 });
  relay.notify('dataConsumer.dataproducerpause', { dataConsumerId });
  assert.equal(await dataConsumer.send('x'), 5);
  await dataConsumer.setSubchannels([1, 2]);
  assert.deepEqual(dataConsumer.subchannels, [1, 2]);
  await dataProducer.pause();
  assert(dataProducer.paused && dataConsumer.dataProducerPaused && !dataConsumer.paused);
  relay.notify('dataConsumer.dataproducerclose', { dataConsumerId });
  await until(() => dataConsumer.closed, 'the end');
  assert.deepEqual(seen, ['hello 51', 'hi 53', 'dataproducerpause', 'dataproducerclose']);

  const speaker = await router.createActiveSpeakerObserver();
  const level = await router.createAudioLevelObserver({ interval: 500 });
  const { id: producerId } = producer;
  await speaker.addProducer({ producerId });
  const dominant = event(speaker, 'dominantspeaker');
  const volumes = event(level, 'volumes');
  relay.notify('rtpObserver.dominantspeaker', { rtpObserverId: speaker.id, producerId });
  relay.notify('rtpObserver.volumes', {
    rtpObserverId: level.id,
    volumes: [{ producerId, volume: -40 }, { producerId: 'unknown', volume: -50 }],
  });
  assert.equal((await dominant)[0].producer, producer);
  assert.deepEqual((await volumes)[0], [{ producer, volume: -40 }]);
  const closed = event(level, 'routerclose');
  router.close();
  await closed;
});

// ---- the real relay

async function hasWebRtc(worker) {
  const { methods } = await worker.request('server.methods');
  return methods.some(({ name }) => name === 'transport.createWebRtc');
}

test('a relay without WebRTC says so', needsRelay, async (t) => {
  const { worker } = await startPair(t);
  if (await hasWebRtc(worker)) {
    t.skip('this one has it');
    return;
  }
  const listenInfos = [{ protocol: 'udp', ip: '127.0.0.1' }];
  const router = await worker.createRouter({ mediaCodecs });
  await assert.rejects(worker.createWebRtcServer({ listenInfos }), errors.UnsupportedError);
  await assert.rejects(router.createWebRtcTransport({ listenInfos }), errors.UnsupportedError);
});

test('WebRTC transports of the real relay', needsRelay, async (t) => {
  const { worker, other } = await startPair(t);
  if (!(await hasWebRtc(worker))) {
    t.skip('this relay has none');
    return;
  }
  const listenInfos = ['udp', 'tcp'].map((protocol) => ({ protocol, ip: '127.0.0.1' }));
  const webRtcServer = await worker.createWebRtcServer({ listenInfos });
  const router = await worker.createRouter({ mediaCodecs });
  for (const listen of [{ webRtcServer, enableTcp: true }, { listenInfos, enableTcp: true }]) {
    const transport = await router.createWebRtcTransport({
      ...listen,
      preferUdp: true,
      iceConsentTimeout: 20,
      initialAvailableOutgoingBitrate: 1e6,
      enableSctp: false,
    });
    const { usernameFragment } = transport.iceParameters;
    assert.equal(transport.iceParameters.iceLite, true);
    assert.equal(transport.iceState, 'new');
    assert.equal(transport.dtlsState, 'new');
    assert.deepEqual(transport.iceCandidates.map(({ protocol }) => protocol).sort(), [
      'tcp',
      'udp',
    ]);
    assert(transport.dtlsParameters.fingerprints.some(({ algorithm }) => algorithm === 'sha-256'));
    await transport.setMaxIncomingBitrate(1_000_000);
    await transport.setMaxOutgoingBitrate(1_000_000);
    await transport.setMinOutgoingBitrate(100_000);
    assert.notEqual((await transport.restartIce()).usernameFragment, usernameFragment);
    await transport.connect({ dtlsParameters: { role: 'client', fingerprints } });
    assert.equal(transport.dtlsParameters.role, 'server');
    await assert.rejects(
      transport.connect({ dtlsParameters: { fingerprints } }),
      errors.InvalidStateError,
    );
    const dump = await transport.dump();
    assert.equal(dump.iceState, transport.iceState);
    assert.deepEqual(dump.iceParameters, transport.iceParameters);
    assert.equal((await transport.getStats())[0].type, 'webrtc-transport');
    const producer = await transport.produce(audio(1234 + dump.iceCandidates[0].port));
    assert.equal(producer.kind, 'audio');
    if (listen.webRtcServer) {
      assert.deepEqual((await webRtcServer.dump()).webRtcTransportIds, [transport.id]);
      const closed = event(transport, 'listenserverclose');
      await other.request('webRtcServer.close', { webRtcServerId: webRtcServer.id });
      await closed;
      assert(webRtcServer.closed);
    }
  }
  router.close();
  await until(() => isEmpty(other), 'an empty relay');
});
