// SPDX-License-Identifier: GPL-3.0-or-later
// A data producer's messages on their way to an endpoint. For a later version of the relay.
import type { AppData } from './app_data.js';
import type { Params } from './connection.js';
import { messageForWire } from './data_producer.js';
import { RelayObject, type ObjectEvents, type ObjectObserverEvents, type Place } from './object.js';
import type { SctpStreamParameters } from './sctp_parameters.js';

export type DataConsumerOptions<A extends AppData = AppData> = {
  dataProducerId: string;
  ordered?: boolean;
  maxPacketLifeTime?: number;
  maxRetransmits?: number;
  paused?: boolean;
  subchannels?: number[];
  appData?: A;
};

export type DataConsumerType = 'sctp' | 'direct';

export type DataConsumerMade = {
  dataProducerId: string;
  type: DataConsumerType;
  sctpStreamParameters?: SctpStreamParameters;
  label: string;
  protocol: string;
  paused: boolean;
  dataProducerPaused: boolean;
  subchannels: number[];
};

export type DataConsumerDump = DataConsumerMade & {
  id: string;
  bufferedAmount: number;
  bufferedAmountLowThreshold: number;
};

export type DataConsumerStat = {
  type: string;
  timestamp: number;
  label: string;
  protocol: string;
  messagesSent: number;
  bytesSent: number;
  bufferedAmount: number;
};

export type DataConsumerEvents = ObjectEvents & {
  transportclose: [];
  dataproducerclose: [];
  dataproducerpause: [];
  dataproducerresume: [];
  message: [message: Buffer, ppid: number];
  sctpsendbufferfull: [];
  bufferedamountlow: [bufferedAmount: number];
};

export type DataConsumerObserverEvents = ObjectObserverEvents & { pause: []; resume: [] };
export type DataConsumerObserver = DataConsumer['observer'];

export class DataConsumer<A extends AppData = AppData> extends RelayObject<
  A,
  DataConsumerEvents,
  DataConsumerObserverEvents
> {
  readonly dataProducerId: string;
  readonly type: DataConsumerType;
  readonly sctpStreamParameters: SctpStreamParameters | undefined;
  readonly label: string;
  readonly protocol: string;
  #paused: boolean;
  #dataProducerPaused: boolean;
  #subchannels: number[];

  /** @internal */
  constructor(place: Place, made: DataConsumerMade, appData: A | undefined) {
    super('dataConsumer', place, appData);
    this.dataProducerId = made.dataProducerId;
    this.type = made.type;
    this.sctpStreamParameters = made.sctpStreamParameters;
    this.label = made.label;
    this.protocol = made.protocol;
    this.#paused = made.paused;
    this.#dataProducerPaused = made.dataProducerPaused;
    this.#subchannels = made.subchannels;
  }

  get paused(): boolean {
    return this.#paused;
  }

  get dataProducerPaused(): boolean {
    return this.#dataProducerPaused;
  }

  get subchannels(): number[] {
    return this.#subchannels;
  }

  dump(): Promise<DataConsumerDump> {
    return this.request('dump');
  }

  getStats(): Promise<DataConsumerStat[]> {
    return this.request('getStats');
  }

  pause(): Promise<void> {
    return this.change('pause', {}, () => this.#setPaused(true));
  }

  resume(): Promise<void> {
    return this.change('resume', {}, () => this.#setPaused(false));
  }

  async setBufferedAmountLowThreshold(threshold: number): Promise<void> {
    await this.request('setBufferedAmountLowThreshold', { threshold });
  }

  async getBufferedAmount(): Promise<number> {
    return (await this.request<{ bufferedAmount: number }>('getBufferedAmount')).bufferedAmount;
  }

  /** Returns the bytes that wait. */
  async send(message: string | Buffer, ppid?: number): Promise<number> {
    const params = { ...messageForWire(message), ppid };
    return (await this.request<{ bufferedAmount: number }>('send', params)).bufferedAmount;
  }

  setSubchannels(subchannels: number[]): Promise<void> {
    return this.#changeSubchannels('setSubchannels', { subchannels });
  }

  addSubchannel(subchannel: number): Promise<void> {
    return this.#changeSubchannels('addSubchannel', { subchannel });
  }

  removeSubchannel(subchannel: number): Promise<void> {
    return this.#changeSubchannels('removeSubchannel', { subchannel });
  }

  protected override heard(event: string, params: Params): boolean {
    switch (event) {
      case 'dataproducerpause':
      case 'dataproducerresume':
        this.#setDataProducerPaused(event === 'dataproducerpause');
        return true;
      case 'message':
        this.safeEmit(
          'message',
          typeof params['text'] === 'string'
            ? Buffer.from(params['text'])
            : Buffer.from(params['binary'] as string, 'base64'),
          params['ppid'] as number,
        );
        return true;
      case 'sctpsendbufferfull':
        this.safeEmit('sctpsendbufferfull');
        return true;
      case 'bufferedamountlow':
        this.safeEmit('bufferedamountlow', params['bufferedAmount'] as number);
        return true;
      default:
        return false;
    }
  }

  protected override refresh(dump: Params): void {
    this.#setPaused(dump['paused'] as boolean);
    this.#setDataProducerPaused(dump['dataProducerPaused'] as boolean);
  }

  #changeSubchannels(verb: string, params: Params): Promise<void> {
    return this.change<{ subchannels: number[] }>(verb, params, ({ subchannels }) => {
      this.#subchannels = subchannels;
    });
  }

  #setDataProducerPaused(dataProducerPaused: boolean): void {
    if (this.#dataProducerPaused !== dataProducerPaused) {
      this.#dataProducerPaused = dataProducerPaused;
      this.safeEmit(dataProducerPaused ? 'dataproducerpause' : 'dataproducerresume');
      if (!this.#paused) {
        this.observer.safeEmit(dataProducerPaused ? 'pause' : 'resume');
      }
    }
  }

  #setPaused(paused: boolean): void {
    if (this.#paused !== paused) {
      this.#paused = paused;
      if (!this.#dataProducerPaused) {
        this.observer.safeEmit(paused ? 'pause' : 'resume');
      }
    }
  }
}
