// SPDX-License-Identifier: GPL-3.0-or-later
// A producer's stream on its way to an endpoint.
import type { AppData } from './app_data.js';
import type { Call } from './channel.js';
import type { Params } from './connection.js';
import { NotFoundError } from './errors.js';
import { RelayObject, type ObjectEvents, type ObjectObserverEvents, type Place } from './object.js';
import type { ProducerStat } from './producer.js';
import type {
  MediaKind,
  RtpCapabilities,
  RtpEncodingParameters,
  RtpParameters,
} from './rtp_parameters.js';
import type { RtpStreamSendStats } from './rtp_stream_stats.js';

export type ConsumerLayers = { spatialLayer: number; temporalLayer?: number };

export type ConsumerOptions<A extends AppData = AppData> = {
  /** Beyond mediasoup: its id. */
  id?: string;
  producerId: string;
  /** Needed, unless rtpParameters is there. */
  rtpCapabilities?: RtpCapabilities;
  paused?: boolean;
  mid?: string;
  preferredLayers?: ConsumerLayers;
  enableRtx?: boolean;
  ignoreDtx?: boolean;
  pipe?: boolean;
  /**
   * Beyond mediasoup: final parameters, of who has negotiated by himself, used as they are;
   * rtpCapabilities is not needed then.
   */
  rtpParameters?: RtpParameters;
  /** Beyond mediasoup, with rtpParameters: from the producer's mapped payload types to its own. */
  rtpMapping?: { codecs: { payloadType: number; mappedPayloadType: number }[] };
  appData?: A;
};

export type ConsumerType = 'simple' | 'simulcast' | 'svc' | 'pipe';
export type ConsumerScore = { score: number; producerScore: number; producerScores: number[] };
export type ConsumerTraceEventType = 'rtp' | 'keyframe' | 'nack' | 'pli' | 'fir';

export type ConsumerTraceEventData = {
  type: ConsumerTraceEventType;
  timestamp: number;
  direction: 'in' | 'out';
  info: Record<string, unknown>;
};

export type RtpStreamParametersDump = {
  encodingIdx: number;
  ssrc: number;
  payloadType: number;
  mimeType: string;
  clockRate: number;
  rid?: string;
  cname: string;
  rtxSsrc?: number;
  rtxPayloadType?: number;
  useNack: boolean;
  usePli: boolean;
  useFir: boolean;
  useInBandFec: boolean;
  useDtx: boolean;
  spatialLayers: number;
  temporalLayers: number;
};

export type RtxStreamParameters = {
  ssrc: number;
  payloadType: number;
  mimeType: string;
  clockRate: number;
  rrid?: string;
  cname: string;
};

export type RtxStreamDump = { params: RtxStreamParameters };

export type RtpStreamDump = {
  params: RtpStreamParametersDump;
  score: number;
  rtxStream?: RtxStreamDump;
};

export type BaseConsumerDump = {
  id: string;
  producerId: string;
  kind: MediaKind;
  rtpParameters: RtpParameters;
  consumableRtpEncodings?: RtpEncodingParameters[];
  supportedCodecPayloadTypes: number[];
  traceEventTypes: string[];
  paused: boolean;
  producerPaused: boolean;
  shed: boolean;
  priority: number;
};

export type SimpleConsumerDump = BaseConsumerDump & { type: string; rtpStream: RtpStreamDump };

export type SimulcastConsumerDump = SimpleConsumerDump & {
  preferredSpatialLayer: number;
  targetSpatialLayer: number;
  currentSpatialLayer: number;
  preferredTemporalLayer: number;
  targetTemporalLayer: number;
  currentTemporalLayer: number;
};

export type SvcConsumerDump = SimulcastConsumerDump;
export type PipeConsumerDump = BaseConsumerDump & { type: string; rtpStreams: RtpStreamDump[] };
export type ConsumerDump =
  | SimpleConsumerDump
  | SimulcastConsumerDump
  | SvcConsumerDump
  | PipeConsumerDump;

export type ConsumerStat = RtpStreamSendStats;

type Changes = {
  score: [ConsumerScore];
  layerschange: [ConsumerLayers?];
  trace: [ConsumerTraceEventData];
};

export type ConsumerEvents = ObjectEvents &
  Changes & {
    transportclose: [];
    producerclose: [];
    producerpause: [];
    producerresume: [];
    /** Beyond mediasoup: the relay is overloaded and forwards nothing to it for now. */
    shed: [];
    /** ... and does again. */
    unshed: [];
    /** An RTP packet for this process; only on a direct transport. */
    rtp: [Buffer];
  };

/** `pause` and `resume` say whether media flows: it and its producer taken together. */
export type ConsumerObserverEvents = ObjectObserverEvents &
  Changes & { pause: []; resume: [] };
export type ConsumerObserver = Consumer['observer'];

/** What the relay says of a consumer that it has made. */
export type ConsumerMade = {
  producerId: string;
  kind: MediaKind;
  type: ConsumerType;
  rtpParameters: RtpParameters;
  paused: boolean;
  producerPaused: boolean;
  score: ConsumerScore;
  preferredLayers?: ConsumerLayers;
};

export class Consumer<A extends AppData = AppData> extends RelayObject<
  A,
  ConsumerEvents,
  ConsumerObserverEvents
> {
  readonly producerId: string;
  readonly kind: MediaKind;
  readonly type: ConsumerType;
  readonly rtpParameters: RtpParameters;
  #paused: boolean;
  #producerPaused: boolean;
  #shed = false;
  #priority = 1;
  #score: ConsumerScore;
  #preferredLayers: ConsumerLayers | undefined;
  #currentLayers: ConsumerLayers | undefined;

  /** @internal */
  constructor(place: Place, made: ConsumerMade, appData: A | undefined) {
    super('consumer', place, appData);
    this.producerId = made.producerId;
    this.kind = made.kind;
    this.type = made.type;
    this.rtpParameters = made.rtpParameters;
    this.#paused = made.paused;
    this.#producerPaused = made.producerPaused;
    this.#score = made.score;
    this.#preferredLayers = made.preferredLayers;
  }

  get paused(): boolean {
    return this.#paused;
  }

  get producerPaused(): boolean {
    return this.#producerPaused;
  }

  /** Beyond mediasoup: the relay has shed it for want of capacity. Low priorities go first. */
  get shed(): boolean {
    return this.#shed;
  }

  get priority(): number {
    return this.#priority;
  }

  get score(): ConsumerScore {
    return this.#score;
  }

  get preferredLayers(): ConsumerLayers | undefined {
    return this.#preferredLayers;
  }

  get currentLayers(): ConsumerLayers | undefined {
    return this.#currentLayers;
  }

  dump(): Promise<ConsumerDump> {
    return this.request('dump');
  }

  /** Its own stream, then the producer's. */
  getStats(): Promise<(ConsumerStat | ProducerStat)[]> {
    return this.request('getStats');
  }

  pause(): Promise<void> {
    return this.change('pause', {}, () => this.#setPaused(true));
  }

  resume(): Promise<void> {
    return this.change('resume', {}, () => this.#setPaused(false));
  }

  setPreferredLayers({ spatialLayer, temporalLayer }: ConsumerLayers): Promise<void> {
    const params = { spatialLayer, temporalLayer };
    type Result = { preferredLayers?: ConsumerLayers };
    return this.change<Result>('setPreferredLayers', params, ({ preferredLayers }) => {
      this.#preferredLayers = preferredLayers; // as the relay took them; none without layers
    });
  }

  /** 1 to 255. */
  setPriority(priority: number): Promise<void> {
    return this.change<{ priority: number }>('setPriority', { priority }, (result) => {
      this.#priority = result.priority;
    });
  }

  unsetPriority(): Promise<void> {
    return this.setPriority(1);
  }

  async requestKeyFrame(): Promise<void> {
    await this.request('requestKeyFrame');
  }

  async enableTraceEvent(types: ConsumerTraceEventType[] = []): Promise<void> {
    await this.request('enableTraceEvent', { types });
  }

  protected override heard(event: string, params: Params): boolean {
    switch (event) {
      case 'producerpause':
      case 'producerresume':
        this.#setProducerPaused(event === 'producerpause');
        return true;
      case 'shed':
      case 'unshed':
        this.#setShed(event === 'shed');
        return true;
      case 'score':
        this.#score = params['score'] as ConsumerScore;
        this.emitBoth('score', this.#score);
        return true;
      case 'layerschange':
        this.#currentLayers = params['layers'] as ConsumerLayers | undefined;
        this.emitBoth('layerschange', this.#currentLayers);
        return true;
      case 'trace':
        this.emitBoth('trace', params['trace']);
        return true;
      case 'rtp':
        this.safeEmit('rtp', Buffer.from(params['packet'] as string, 'base64'));
        return true;
      default:
        return false;
    }
  }

  protected override refresh(dump: Params): void {
    this.#setPaused(dump['paused'] as boolean);
    this.#setProducerPaused(dump['producerPaused'] as boolean);
    this.#setShed(dump['shed'] === true);
    this.#score = (dump['score'] as ConsumerScore | undefined) ?? this.#score;
  }

  protected override async missingEnd(call: Call): Promise<string> {
    try {
      await call('producer.dump', { producerId: this.producerId });
      return 'remoteclose';
    } catch (error) {
      if (error instanceof NotFoundError) {
        return 'producerclose';
      }
      throw error;
    }
  }

  #setProducerPaused(producerPaused: boolean): void {
    if (this.#producerPaused !== producerPaused) {
      this.#producerPaused = producerPaused;
      this.safeEmit(producerPaused ? 'producerpause' : 'producerresume');
      if (!this.#paused) {
        this.observer.safeEmit(producerPaused ? 'pause' : 'resume');
      }
    }
  }

  #setShed(shed: boolean): void {
    if (this.#shed !== shed) {
      this.#shed = shed;
      this.safeEmit(shed ? 'shed' : 'unshed');
    }
  }

  #setPaused(paused: boolean): void {
    if (this.#paused !== paused) {
      this.#paused = paused;
      if (!this.#producerPaused) {
        this.observer.safeEmit(paused ? 'pause' : 'resume');
      }
    }
  }
}
