// SPDX-License-Identifier: GPL-3.0-or-later
// What the kinds of transport have in common.
import type { AppData } from './app_data.js';
import type { Params } from './connection.js';
import { Consumer, type ConsumerMade, type ConsumerOptions } from './consumer.js';
import { DataConsumer, type DataConsumerMade, type DataConsumerOptions } from './data_consumer.js';
import { DataProducer, type DataProducerMade, type DataProducerOptions } from './data_producer.js';
import type { Emitter } from './emitter.js';
import { RelayObject, type ObjectEvents, type ObjectObserverEvents, type Place } from './object.js';
import {
  Producer,
  type ProducerIndex,
  type ProducerMade,
  type ProducerOptions,
} from './producer.js';
import type { SctpNegotiatedCapabilities, SctpParameters, SctpState } from './sctp_parameters.js';

export type TransportType = 'webrtc' | 'plain' | 'pipe' | 'direct';
export type TransportTraceEventType = 'probation' | 'bwe';

export type TransportTraceEventData = {
  type: TransportTraceEventType;
  timestamp: number;
  direction: 'in' | 'out';
  info: unknown;
};

type KeyValue<K> = { key: K; value: string };

export type RecvRtpHeaderExtensions = {
  mid?: number;
  rid?: number;
  rrid?: number;
  absSendTime?: number;
  transportWideCc01?: number;
};

export type RtpListenerDump = {
  ssrcTable: KeyValue<number>[];
  midTable: KeyValue<string>[];
  ridTable: KeyValue<string>[];
};

export type SctpListenerDump = { streamIdTable: KeyValue<number>[] };

export type BaseTransportDump = {
  id: string;
  workerIndex?: number;
  producerIds: string[];
  consumerIds: string[];
  mapSsrcConsumerId: KeyValue<number>[];
  mapRtxSsrcConsumerId: KeyValue<number>[];
  recvRtpHeaderExtensions: RecvRtpHeaderExtensions;
  rtpListener: RtpListenerDump;
  maxSendMessageSize: number;
  maxReceiveMessageSize: number;
  dataProducerIds: string[];
  dataConsumerIds: string[];
  sctpParameters?: SctpParameters;
  sctpState?: SctpState;
  sctpNegotiatedCapabilities?: SctpNegotiatedCapabilities;
  sctpListener?: SctpListenerDump;
  traceEventTypes?: string[];
};

/** Counters that this version of the relay does not have yet are not there. */
export type BaseTransportStats = {
  transportId: string;
  timestamp: number;
  sctpState?: SctpState;
  bytesReceived: number;
  recvBitrate: number;
  bytesSent: number;
  sendBitrate: number;
  rtpBytesReceived?: number;
  rtpRecvBitrate?: number;
  rtpBytesSent?: number;
  rtpSendBitrate?: number;
  rtxBytesReceived?: number;
  rtxRecvBitrate?: number;
  rtxBytesSent?: number;
  rtxSendBitrate?: number;
  probationBytesSent?: number;
  probationSendBitrate?: number;
  availableOutgoingBitrate?: number;
  availableIncomingBitrate?: number;
  maxIncomingBitrate?: number;
  maxOutgoingBitrate?: number;
  minOutgoingBitrate?: number;
  rtpPacketLossReceived?: number;
  rtpPacketLossSent?: number;
};

export type TransportEvents = ObjectEvents & {
  routerclose: [];
  listenserverclose: [];
  /** Beyond mediasoup: its thread of the relay has stopped by itself; the router goes on. */
  workerclose: [];
  trace: [TransportTraceEventData];
  /** Beyond mediasoup: its socket receives no more; close it and make another. */
  socketdead: [];
};

export type TransportObserverEvents = ObjectObserverEvents & {
  newproducer: [Producer];
  newconsumer: [Consumer];
  newdataproducer: [DataProducer];
  newdataconsumer: [DataConsumer];
  trace: [TransportTraceEventData];
};

export type TransportObserver = Emitter<TransportObserverEvents>;

/** What the relay says of a transport of any kind: its thread, and SCTP as it was made. */
export type TransportMade = {
  workerIndex?: number;
  sctpParameters?: SctpParameters;
  sctpState?: SctpState;
  sctpNegotiatedCapabilities?: SctpNegotiatedCapabilities;
};

export abstract class Transport<
  A extends AppData = AppData,
  E extends TransportEvents = TransportEvents,
  O extends TransportObserverEvents = TransportObserverEvents,
> extends RelayObject<A, E, O> {
  abstract readonly type: TransportType;
  /** Beyond mediasoup: the relay's thread that has it. */
  readonly workerIndex: number | undefined;
  readonly sctpParameters: SctpParameters | undefined;
  readonly #producers: ProducerIndex;
  #sctpState: SctpState | undefined;
  #sctpNegotiatedCapabilities: SctpNegotiatedCapabilities | undefined;

  protected constructor(
    place: Place,
    made: TransportMade,
    appData: A | undefined,
    producers: ProducerIndex,
  ) {
    super('transport', place, appData);
    this.workerIndex = made.workerIndex;
    this.sctpParameters = made.sctpParameters;
    this.#sctpState = made.sctpState;
    this.#producers = producers;
  }

  get sctpState(): SctpState | undefined {
    return this.#sctpState;
  }

  get sctpNegotiatedCapabilities(): SctpNegotiatedCapabilities | undefined {
    return this.#sctpNegotiatedCapabilities;
  }

  abstract dump(): Promise<BaseTransportDump>;
  abstract getStats(): Promise<BaseTransportStats[]>;
  abstract connect(params: unknown): Promise<void>;

  /** Bits a second; 0: no limit. */
  async setMaxIncomingBitrate(bitrate: number): Promise<void> {
    await this.request('setMaxIncomingBitrate', { bitrate });
  }

  async setMaxOutgoingBitrate(bitrate: number): Promise<void> {
    await this.request('setMaxOutgoingBitrate', { bitrate });
  }

  async setMinOutgoingBitrate(bitrate: number): Promise<void> {
    await this.request('setMinOutgoingBitrate', { bitrate });
  }

  async enableTraceEvent(types: TransportTraceEventType[] = []): Promise<void> {
    await this.request('enableTraceEvent', { types });
  }

  produce<P extends AppData = AppData>(options: ProducerOptions<P>): Promise<Producer<P>> {
    const { id, appData, ...params } = options;
    return this.make<ProducerMade, Producer<P>>({
      method: 'transport.produce',
      noun: 'producer',
      id,
      params,
      build: (made, id) => {
        const producer = new Producer(this.place(id), made, appData, this.#producers);
        this.#observed('newproducer', producer);
        return producer;
      },
    });
  }

  consume<C extends AppData = AppData>(options: ConsumerOptions<C>): Promise<Consumer<C>> {
    const { id, appData, ...params } = options;
    return this.make<ConsumerMade, Consumer<C>>({
      method: 'transport.consume',
      noun: 'consumer',
      id,
      params,
      build: (made, id) => {
        const consumer = new Consumer(this.place(id), made, appData);
        this.#observed('newconsumer', consumer);
        return consumer;
      },
    });
  }

  produceData<D extends AppData = AppData>(
    options: DataProducerOptions<D> = {},
  ): Promise<DataProducer<D>> {
    const { id, appData, ...params } = options;
    return this.make<DataProducerMade, DataProducer<D>>({
      method: 'transport.produceData',
      noun: 'dataProducer',
      id,
      params,
      build: (made, id) => {
        const dataProducer = new DataProducer(this.place(id), made, appData);
        this.#observed('newdataproducer', dataProducer);
        return dataProducer;
      },
    });
  }

  consumeData<D extends AppData = AppData>(
    options: DataConsumerOptions<D>,
  ): Promise<DataConsumer<D>> {
    const { appData, ...params } = options;
    return this.make<DataConsumerMade, DataConsumer<D>>({
      method: 'transport.consumeData',
      noun: 'dataConsumer',
      params,
      build: (made, id) => {
        const dataConsumer = new DataConsumer(this.place(id), made, appData);
        this.#observed('newdataconsumer', dataConsumer);
        return dataConsumer;
      },
    });
  }

  protected override heard(event: string, params: Params): boolean {
    switch (event) {
      case 'trace':
        this.emitBoth('trace', params['trace']);
        return true;
      case 'socketdead':
        (this as unknown as Emitter<TransportEvents>).safeEmit('socketdead');
        return true;
      case 'sctpstatechange':
        this.#sctpState = params['sctpState'] as SctpState;
        this.#sctpNegotiatedCapabilities = params['sctpNegotiatedCapabilities'] as
          | SctpNegotiatedCapabilities
          | undefined;
        this.emitBoth('sctpstatechange', this.#sctpState);
        return true;
      default:
        return false;
    }
  }

  /** An event that was missed, if the field differs from what is known. */
  protected missed(event: string, field: string, was: unknown, dump: Params): void {
    if (dump[field] !== undefined && JSON.stringify(dump[field]) !== JSON.stringify(was)) {
      this.heard(event, dump);
    }
  }

  #observed(event: keyof TransportObserverEvents, object: unknown): void {
    (this.observer as unknown as Emitter).safeEmit(event, object);
  }
}
