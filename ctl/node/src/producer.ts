// SPDX-License-Identifier: GPL-3.0-or-later
// A stream that an endpoint sends.
import type { AppData } from './app_data.js';
import type { Params } from './connection.js';
import { RelayObject, type ObjectEvents, type ObjectObserverEvents, type Place } from './object.js';
import type { MediaKind, RtpParameters } from './rtp_parameters.js';
import type { RtpStreamRecvStats } from './rtp_stream_stats.js';

export type ProducerOptions<A extends AppData = AppData> = {
  id?: string;
  kind: MediaKind;
  rtpParameters: RtpParameters;
  paused?: boolean;
  /** Milliseconds in which key frame requests are merged into one. */
  keyFrameRequestDelay?: number;
  enableMediasoupPacketIdHeaderExtension?: boolean;
  appData?: A;
};

export type ProducerType = 'simple' | 'simulcast' | 'svc';
export type ProducerScore = { encodingIdx: number; ssrc: number; rid?: string; score: number };
export type ProducerVideoOrientation = { camera: boolean; flip: boolean; rotation: number };
export type ProducerTraceEventType = 'rtp' | 'keyframe' | 'nack' | 'pli' | 'fir' | 'sr';

export type ProducerTraceEventData = {
  type: ProducerTraceEventType;
  timestamp: number;
  direction: 'in' | 'out';
  info: Record<string, unknown>;
};

export type ProducerDump = {
  id: string;
  workerIndex: number;
  mirrorWorkerIndices: number[];
  kind: string;
  type: ProducerType;
  rtpParameters: RtpParameters;
  rtpMapping: unknown;
  rtpStreams: unknown;
  traceEventTypes: string[];
  paused: boolean;
};

export type ProducerStat = RtpStreamRecvStats;

type Changes = {
  score: [ProducerScore[]];
  videoorientationchange: [ProducerVideoOrientation];
  trace: [ProducerTraceEventData];
};

export type ProducerEvents = ObjectEvents & Changes & { transportclose: [] };
export type ProducerObserverEvents = ObjectObserverEvents &
  Changes & { pause: []; resume: [] };
export type ProducerObserver = Producer['observer'];

/** What the relay says of a producer that it has made. */
export type ProducerMade = {
  kind: MediaKind;
  type: ProducerType;
  paused: boolean;
  rtpParameters: RtpParameters;
  consumableRtpParameters: RtpParameters;
};

/** The producers of a router that this worker has made. */
export type ProducerIndex = Map<string, Producer>;

export class Producer<A extends AppData = AppData> extends RelayObject<
  A,
  ProducerEvents,
  ProducerObserverEvents
> {
  readonly kind: MediaKind;
  readonly type: ProducerType;
  readonly rtpParameters: RtpParameters;
  /** What consumers of it are made from. */
  readonly consumableRtpParameters: RtpParameters;
  readonly #index: ProducerIndex;
  #paused: boolean;
  #score: ProducerScore[] = [];

  /** @internal */
  constructor(place: Place, made: ProducerMade, appData: A | undefined, index: ProducerIndex) {
    super('producer', place, appData);
    this.kind = made.kind;
    this.type = made.type;
    this.rtpParameters = made.rtpParameters;
    this.consumableRtpParameters = made.consumableRtpParameters;
    this.#paused = made.paused;
    this.#index = index;
    index.set(this.id, this as unknown as Producer);
  }

  get paused(): boolean {
    return this.#paused;
  }

  get score(): ProducerScore[] {
    return this.#score;
  }

  dump(): Promise<ProducerDump> {
    return this.request('dump');
  }

  /** One entry for each stream that has come. */
  getStats(): Promise<ProducerStat[]> {
    return this.request('getStats');
  }

  pause(): Promise<void> {
    return this.change('pause', {}, () => this.#setPaused(true));
  }

  resume(): Promise<void> {
    return this.change('resume', {}, () => this.#setPaused(false));
  }

  async enableTraceEvent(types: ProducerTraceEventType[] = []): Promise<void> {
    await this.request('enableTraceEvent', { types });
  }

  /** An RTP packet of this process; only on a direct transport. */
  send(rtpPacket: Buffer): void {
    this.channel.release('producer.send', {
      producerId: this.id,
      packet: rtpPacket.toString('base64'),
    });
  }

  protected override ended(): void {
    this.#index.delete(this.id);
  }

  protected override heard(event: string, params: Params): boolean {
    switch (event) {
      case 'score':
        this.#score = params['score'] as ProducerScore[];
        this.emitBoth('score', this.#score);
        return true;
      case 'videoorientationchange':
        this.emitBoth('videoorientationchange', params['videoOrientation']);
        return true;
      case 'trace':
        this.emitBoth('trace', params['trace']);
        return true;
      default:
        return false;
    }
  }

  protected override refresh(dump: Params): void {
    this.#setPaused(dump['paused'] as boolean);
  }

  #setPaused(paused: boolean): void {
    if (this.#paused !== paused) {
      this.#paused = paused;
      this.observer.safeEmit(paused ? 'pause' : 'resume');
    }
  }
}
