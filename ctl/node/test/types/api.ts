// SPDX-License-Identifier: GPL-3.0-or-later
// Type tests: what must compile, and after @ts-expect-error what must not. Never run.
import {
  createWorker,
  errors,
  observer,
  parseScalabilityMode,
  setLogEventListeners,
  version,
  type types,
} from 'sluice-client';

type Probe<A> = <T>() => T extends A ? 1 : 2;
type Same<A, B> = Probe<A> extends Probe<B> ? true : false;
function same<A, B>(_is: Same<A, B>): void {}

type Mine = { name: string };
declare const rtpParameters: types.RtpParameters;
declare const rtpCapabilities: types.RtpCapabilities;

export async function all(): Promise<void> {
  const plain = await createWorker();
  same<typeof plain, types.Worker>(true);
  const worker = await createWorker<Mine>({ appData: { name: 'w' }, socketPath: '/s' });
  same<typeof worker.appData, Mine>(true);
  // @ts-expect-error -- no such setting
  await createWorker({ logLevels: 'debug' });
  // @ts-expect-error -- appData has a type
  await createWorker<Mine>({ appData: { name: 1 } });

  worker.on('died', (error) => same<typeof error, Error>(true));
  worker.on('draining', (seconds) => same<typeof seconds, number>(true));
  worker.observer.on('newrouter', (router) => same<typeof router, types.Router>(true));
  // @ts-expect-error -- no such event
  worker.on('dead', () => {});
  observer.on('newworker', (w) => same<typeof w, types.Worker>(true));

  const router = await worker.createRouter<Mine>({ appData: { name: 'r' }, mediaCodecs: [] });
  same<typeof router, types.Router<Mine>>(true);
  const someRouter: types.Router = router;
  router.on('workerclose', () => {});
  router.observer.on('newtransport', (transport) => {
    same<typeof transport, types.Transport>(true);
    transport.on('routerclose', () => {});
    transport.on('workerclose', () => {});
    same<typeof transport.workerIndex, number | undefined>(true);
  });
  await router.createPlainTransport({ listenInfo: { protocol: 'udp', ip: '::' }, workerIndex: 1 });
  const can: boolean = router.canConsume({ producerId: 'p', rtpCapabilities });
  // @ts-expect-error -- one must say where to listen
  await router.createWebRtcTransport({});
  const webRtcServer = await worker.createWebRtcServer({ listenInfos: [] });
  const both = { webRtcServer, listenInfos: [] };
  // @ts-expect-error -- and only once
  await router.createWebRtcTransport(both);
  await router.createWebRtcTransport({ listenIps: ['::'], port: 1 });
  await router.createWebRtcTransport({ listenInfos: [{ protocol: 'tcp', ip: '::' }] });

  const transport = await router.createWebRtcTransport<Mine>({ webRtcServer });
  same<typeof transport.type, 'webrtc'>(true);
  const anyTransport: types.Transport = transport;
  transport.on('icestatechange', (state) => same<typeof state, types.IceState>(true));
  transport.observer.on('dtlsstatechange', (state) => same<typeof state, types.DtlsState>(true));
  transport.on('listenserverclose', () => {});
  same<Awaited<ReturnType<typeof transport.connect>>, void>(true);
  same<Awaited<ReturnType<typeof transport.restartIce>>, types.IceParameters>(true);
  // @ts-expect-error -- of a plain transport
  await transport.connect({ ip: '::1', port: 1 });

  const listenInfo: types.TransportListenInfo = { protocol: 'udp', ip: '::' };
  const plainTransport = await router.createPlainTransport({ listenInfo });
  await plainTransport.connect({ ip: '::1', port: 1, rtcpPort: 2 });
  plainTransport.on('tuple', ({ remotePort }) => same<typeof remotePort, number | undefined>(true));
  same<typeof plainTransport.srtpParameters, types.SrtpParameters | undefined>(true);

  const producer = await transport.produce<Mine>({ kind: 'audio', rtpParameters });
  same<typeof producer.appData, Mine>(true);
  const someProducer: types.Producer = producer;
  producer.on('score', (scores) => same<typeof scores, types.ProducerScore[]>(true));
  producer.observer.once('pause', () => {});
  // @ts-expect-error -- no such kind
  await transport.produce({ kind: 'smell', rtpParameters });

  const consumer = await transport.consume({ producerId: producer.id, rtpCapabilities });
  same<typeof consumer, types.Consumer>(true);
  consumer.on('layerschange', (l) => same<typeof l, types.ConsumerLayers | undefined>(true));
  consumer.on('rtp', (packet) => same<typeof packet, Buffer>(true));
  await consumer.setPreferredLayers({ spatialLayer: 1 });
  // @ts-expect-error -- read only
  consumer.id = 'x';

  const direct = await router.createDirectTransport();
  direct.on('rtcp', (packet) => direct.sendRtcp(packet));
  const data = await transport.consumeData({ dataProducerId: 'd' });
  data.on('message', (message, ppid) => {
    same<typeof message, Buffer>(true);
    same<typeof ppid, number>(true);
  });
  const level = await router.createAudioLevelObserver({ interval: 800 });
  level.on('volumes', (volumes) => same<typeof volumes, types.AudioLevelObserverVolume[]>(true));
  const rtpObserver: types.RtpObserver = level;

  try {
    await transport.produceData();
  } catch (error) {
    if (error instanceof errors.UnsupportedError) {
      same<typeof error.code, number>(true);
      same<typeof error.path, string | undefined>(true);
    }
  }
  setLogEventListeners({ onwarn: (namespace, log) => console.warn(namespace, log) });
  same<ReturnType<typeof parseScalabilityMode>, types.ScalabilityMode>(true);
  void [plain, someRouter, can, anyTransport, someProducer, rtpObserver, version];
}
