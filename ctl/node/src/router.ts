// SPDX-License-Identifier: GPL-3.0-or-later
// A room.
import {
  ActiveSpeakerObserver,
  type ActiveSpeakerObserverOptions,
} from './active_speaker_observer.js';
import type { AppData } from './app_data.js';
import { AudioLevelObserver, type AudioLevelObserverOptions } from './audio_level_observer.js';
import { canConsume } from './codec_match.js';
import type { Params } from './connection.js';
import type { Consumer } from './consumer.js';
import type { DataConsumer } from './data_consumer.js';
import type { DataProducer } from './data_producer.js';
import { DirectTransport, type DirectTransportOptions } from './direct_transport.js';
import type { Emitter } from './emitter.js';
import { ProtocolError } from './errors.js';
import { Logger } from './logger.js';
import { RelayObject, type ObjectEvents, type ObjectObserverEvents, type Place } from './object.js';
import {
  PipeTransport,
  pipeTransportParams,
  type PipeTransportMade,
  type PipeTransportOptions,
} from './pipe_transport.js';
import {
  PlainTransport,
  plainTransportParams,
  type PlainTransportMade,
  type PlainTransportOptions,
} from './plain_transport.js';
import type { Producer, ProducerIndex } from './producer.js';
import type { RouterRtpCodecCapability, RtpCapabilities } from './rtp_parameters.js';
import type { RtpObserver } from './rtp_observer.js';
import type { Transport } from './transport.js';
import {
  WebRtcTransport,
  webRtcTransportParams,
  type WebRtcTransportMade,
  type WebRtcTransportOptions,
} from './webrtc_transport.js';

const logger = new Logger('Router');

export type RouterOptions<A extends AppData = AppData> = {
  mediaCodecs?: RouterRtpCodecCapability[];
  appData?: A;
  /** Beyond mediasoup: its id. */
  id?: string;
  /** Keep it on this thread of the relay with all its transports (default: the worker's; if that
   * has none either, the room may use all threads). */
  workerIndex?: number;
  /** It ends with the connection (default: the worker's). */
  tied?: boolean;
};

export type PipeToRouterOptions = {
  producerId?: string;
  dataProducerId?: string;
  router: Router;
  keepId?: boolean;
  enableRtx?: boolean;
  enableSrtp?: boolean;
  [option: string]: unknown;
};

export type PipeToRouterResult = {
  pipeConsumer?: Consumer;
  pipeProducer?: Producer;
  pipeDataConsumer?: DataConsumer;
  pipeDataProducer?: DataProducer;
};

export type RouterDump = {
  id: string;
  transportIds: string[];
  rtpObserverIds: string[];
  mapProducerIdConsumerIds: { key: string; values: string[] }[];
  mapConsumerIdProducerId: { key: string; value: string }[];
  mapProducerIdObserverIds: { key: string; values: string[] }[];
  mapDataProducerIdDataConsumerIds: { key: string; values: string[] }[];
  mapDataConsumerIdDataProducerId: { key: string; value: string }[];
};

export type RouterEvents = ObjectEvents & { workerclose: [] };

export type RouterObserverEvents = ObjectObserverEvents & {
  newtransport: [Transport];
  newrtpobserver: [RtpObserver];
};

export type RouterObserver = Router['observer'];

export type RouterMade = { workerIndex: number; rtpCapabilities: RtpCapabilities };

type CanConsume = { producerId: string; rtpCapabilities: RtpCapabilities };

/** A kind of transport: how the relay makes it, and what stands for it here. */
type TransportKind<M, T> = {
  method: string;
  id: string | undefined;
  params: Params;
  build: (place: Place, made: M) => T;
};

export class Router<A extends AppData = AppData> extends RelayObject<
  A,
  RouterEvents,
  RouterObserverEvents
> {
  /** The relay's thread where it was at home when it was made; its transports may be on others. */
  readonly workerIndex: number;
  readonly #producers: ProducerIndex = new Map();
  #rtpCapabilities: RtpCapabilities;

  /** @internal */
  constructor(place: Place, made: RouterMade, appData: A | undefined) {
    super('router', place, appData);
    this.workerIndex = made.workerIndex;
    this.#rtpCapabilities = made.rtpCapabilities;
  }

  /** Load them into mediasoup-client's Device. */
  get rtpCapabilities(): RtpCapabilities {
    return this.#rtpCapabilities;
  }

  dump(): Promise<RouterDump> {
    return this.request('dump');
  }

  /** Of producers to come. Unlike mediasoup's it takes a moment: await it. */
  updateMediaCodecs(mediaCodecs: RouterRtpCodecCapability[]): Promise<void> {
    type Result = { rtpCapabilities: RtpCapabilities };
    return this.change<Result>('updateMediaCodecs', { mediaCodecs }, ({ rtpCapabilities }) => {
      this.#rtpCapabilities = rtpCapabilities;
    });
  }

  /** Of the producers that this worker has made; false for all others. */
  canConsume({ producerId, rtpCapabilities }: CanConsume): boolean {
    const producer = this.#producers.get(producerId);
    if (!producer) {
      logger.error(`canConsume(): no producer here has the id ${producerId}`);
      return false;
    }
    return canConsume(producer.consumableRtpParameters, rtpCapabilities);
  }

  /** Beyond mediasoup: asks the relay, also about producers that another controller has made. */
  async queryCanConsume({ producerId, rtpCapabilities }: CanConsume): Promise<boolean> {
    const params = { producerId, rtpCapabilities };
    return (await this.request<{ canConsume: boolean }>('canConsume', params)).canConsume;
  }

  createWebRtcTransport<T extends AppData = AppData>(
    options: WebRtcTransportOptions<T>,
  ): Promise<WebRtcTransport<T>> {
    const { id, appData, webRtcServer } = options;
    return this.#createTransport<WebRtcTransportMade, WebRtcTransport<T>>({
      method: 'transport.createWebRtc',
      id,
      params: webRtcTransportParams(options),
      build: (place, made) =>
        new WebRtcTransport(place, made, appData, this.#producers, webRtcServer),
    });
  }

  createPlainTransport<T extends AppData = AppData>(
    options: PlainTransportOptions<T>,
  ): Promise<PlainTransport<T>> {
    return this.#createTransport<PlainTransportMade, PlainTransport<T>>({
      method: 'transport.createPlain',
      id: options.id,
      params: plainTransportParams(options),
      build: (place, made) => new PlainTransport(place, made, options.appData, this.#producers),
    });
  }

  createPipeTransport<T extends AppData = AppData>(
    options: PipeTransportOptions<T>,
  ): Promise<PipeTransport<T>> {
    return this.#createTransport<PipeTransportMade, PipeTransport<T>>({
      method: 'transport.createPipe',
      id: options.id,
      params: pipeTransportParams(options),
      build: (place, made) => new PipeTransport(place, made, options.appData, this.#producers),
    });
  }

  createDirectTransport<T extends AppData = AppData>(
    options: DirectTransportOptions<T> = {},
  ): Promise<DirectTransport<T>> {
    const { id, appData, ...params } = options;
    return this.#createTransport<unknown, DirectTransport<T>>({
      method: 'transport.createDirect',
      id,
      params,
      build: (place) => new DirectTransport(place, appData, this.#producers),
    });
  }

  /** A room spans the relay's workers, so that this is for rooms of other hosts. */
  async pipeToRouter({ router, ...options }: PipeToRouterOptions): Promise<PipeToRouterResult> {
    await this.request('pipeTo', { ...options, targetRouterId: router.id });
    throw new ProtocolError('router.pipeTo: this library does not know the answer yet');
  }

  createActiveSpeakerObserver<T extends AppData = AppData>(
    options: ActiveSpeakerObserverOptions<T> = {},
  ): Promise<ActiveSpeakerObserver<T>> {
    const { appData, ...params } = options;
    return this.make({
      method: 'router.createActiveSpeakerObserver',
      noun: 'rtpObserver',
      params,
      build: (_made, id) =>
        this.#observed(
          'newrtpobserver',
          new ActiveSpeakerObserver(this.place(id), appData, this.#producers),
        ),
    });
  }

  createAudioLevelObserver<T extends AppData = AppData>(
    options: AudioLevelObserverOptions<T> = {},
  ): Promise<AudioLevelObserver<T>> {
    const { appData, ...params } = options;
    return this.make({
      method: 'router.createAudioLevelObserver',
      noun: 'rtpObserver',
      params,
      build: (_made, id) =>
        this.#observed(
          'newrtpobserver',
          new AudioLevelObserver(this.place(id), appData, this.#producers),
        ),
    });
  }

  #createTransport<M, T>({ method, id, params, build }: TransportKind<M, T>): Promise<T> {
    return this.make<M, T>({
      method,
      noun: 'transport',
      id,
      params,
      build: (made, newId) => this.#observed('newtransport', build(this.place(newId), made)),
    });
  }

  #observed<T>(event: keyof RouterObserverEvents, object: T): T {
    (this.observer as unknown as Emitter).safeEmit(event, object);
    return object;
  }
}
