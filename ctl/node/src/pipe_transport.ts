// SPDX-License-Identifier: GPL-3.0-or-later
// All of a router's streams on their way to another router. For a later version of the relay.
import type { AppData, Either } from './app_data.js';
import type { Params } from './connection.js';
import type { Consumer, ConsumerOptions } from './consumer.js';
import {
  listenInfoOfIp,
  type TransportListenInfo,
  type TransportListenIp,
  type TransportTuple,
} from './listen_info.js';
import type { Place } from './object.js';
import type { ProducerIndex } from './producer.js';
import { sctpForWire, type SctpOptions, type SctpState } from './sctp_parameters.js';
import type { SrtpParameters } from './srtp_parameters.js';
import {
  Transport,
  type BaseTransportDump,
  type BaseTransportStats,
  type TransportEvents,
  type TransportMade,
  type TransportObserverEvents,
} from './transport.js';

export type PipeTransportOptions<A extends AppData = AppData> = SctpOptions & {
  id?: string;
  enableRtx?: boolean;
  enableSrtp?: boolean;
  appData?: A;
} & Either<
    { listenInfo: TransportListenInfo },
    { listenIp: TransportListenIp | string; port?: number }
  >;

/** All of the producer's streams, so there is nothing to choose. */
export type PipeConsumerOptions<A extends AppData = AppData> = {
  id?: string;
  producerId: string;
  appData?: A;
};

type Ends = { tuple: TransportTuple; srtpParameters?: SrtpParameters };
export type PipeTransportMade = Ends & TransportMade;
export type PipeTransportDump = BaseTransportDump & Ends & { rtx: boolean };
export type PipeTransportStat = BaseTransportStats & { type: string; tuple: TransportTuple };
export type PipeTransportEvents = TransportEvents & { sctpstatechange: [SctpState] };
export type PipeTransportObserverEvents = TransportObserverEvents & {
  sctpstatechange: [SctpState];
};
export type PipeTransportObserver = PipeTransport['observer'];

/** The options as the wire has them. */
export function pipeTransportParams(options: PipeTransportOptions): Params {
  const { id: _id, appData: _appData, listenIp, port, ...rest } = options;
  const params: Params = sctpForWire(rest);
  if (listenIp !== undefined) {
    params['listenInfo'] = listenInfoOfIp(listenIp, 'udp', port);
  }
  return params;
}

export class PipeTransport<A extends AppData = AppData> extends Transport<
  A,
  PipeTransportEvents,
  PipeTransportObserverEvents
> {
  override readonly type = 'pipe';
  readonly srtpParameters: SrtpParameters | undefined;
  #tuple: TransportTuple;

  /** @internal */
  constructor(
    place: Place,
    made: PipeTransportMade,
    appData: A | undefined,
    producers: ProducerIndex,
  ) {
    super(place, made, appData, producers);
    this.#tuple = made.tuple;
    this.srtpParameters = made.srtpParameters;
  }

  get tuple(): TransportTuple {
    return this.#tuple;
  }

  override dump(): Promise<PipeTransportDump> {
    return this.request('dump');
  }

  override getStats(): Promise<PipeTransportStat[]> {
    return this.request('getStats');
  }

  override consume<C extends AppData = AppData>(
    options: PipeConsumerOptions<C>,
  ): Promise<Consumer<C>> {
    return super.consume(options as ConsumerOptions<C>);
  }

  override connect(params: {
    ip: string;
    port: number;
    srtpParameters?: SrtpParameters;
  }): Promise<void> {
    return this.change<{ tuple: TransportTuple }>('connect', params, ({ tuple }) => {
      this.#tuple = tuple;
    });
  }
}
