// SPDX-License-Identifier: GPL-3.0-or-later
// Messages that an endpoint sends. For a later version of the relay.
import type { AppData } from './app_data.js';
import type { Params } from './connection.js';
import { RelayObject, type ObjectEvents, type ObjectObserverEvents, type Place } from './object.js';
import type { SctpStreamParameters } from './sctp_parameters.js';

export type DataProducerOptions<A extends AppData = AppData> = {
  id?: string;
  sctpStreamParameters?: SctpStreamParameters;
  label?: string;
  protocol?: string;
  paused?: boolean;
  appData?: A;
};

export type DataProducerType = 'sctp' | 'direct';

export type DataProducerMade = {
  type: DataProducerType;
  sctpStreamParameters?: SctpStreamParameters;
  label: string;
  protocol: string;
  paused: boolean;
};

export type DataProducerDump = DataProducerMade & { id: string };

export type DataProducerStat = {
  type: string;
  timestamp: number;
  label: string;
  protocol: string;
  messagesReceived: number;
  bytesReceived: number;
};

export type DataProducerEvents = ObjectEvents & { transportclose: [] };
export type DataProducerObserverEvents = ObjectObserverEvents & { pause: []; resume: [] };
export type DataProducerObserver = DataProducer['observer'];

/** A message for the wire: bytes as base64, text as it is. */
export function messageForWire(message: string | Buffer): Params {
  return typeof message === 'string'
    ? { text: message }
    : { binary: message.toString('base64') };
}

export class DataProducer<A extends AppData = AppData> extends RelayObject<
  A,
  DataProducerEvents,
  DataProducerObserverEvents
> {
  readonly type: DataProducerType;
  readonly sctpStreamParameters: SctpStreamParameters | undefined;
  readonly label: string;
  readonly protocol: string;
  #paused: boolean;

  /** @internal */
  constructor(place: Place, made: DataProducerMade, appData: A | undefined) {
    super('dataProducer', place, appData);
    this.type = made.type;
    this.sctpStreamParameters = made.sctpStreamParameters;
    this.label = made.label;
    this.protocol = made.protocol;
    this.#paused = made.paused;
  }

  get paused(): boolean {
    return this.#paused;
  }

  dump(): Promise<DataProducerDump> {
    return this.request('dump');
  }

  getStats(): Promise<DataProducerStat[]> {
    return this.request('getStats');
  }

  pause(): Promise<void> {
    return this.change('pause', {}, () => this.#setPaused(true));
  }

  resume(): Promise<void> {
    return this.change('resume', {}, () => this.#setPaused(false));
  }

  /** A message of this process; only on a direct transport. */
  send(
    message: string | Buffer,
    ppid?: number,
    subchannels?: number[],
    requiredSubchannel?: number,
  ): void {
    this.channel.release('dataProducer.send', {
      dataProducerId: this.id,
      ...messageForWire(message),
      ppid,
      subchannels,
      requiredSubchannel,
    });
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
