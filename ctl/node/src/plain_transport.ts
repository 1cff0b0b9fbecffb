// SPDX-License-Identifier: GPL-3.0-or-later
// RTP or SRTP over UDP, without ICE and DTLS.
import type { AppData, Either } from './app_data.js';
import type { Params } from './connection.js';
import {
  listenInfoOfIp,
  type TransportListenInfo,
  type TransportListenIp,
  type TransportTuple,
} from './listen_info.js';
import type { Place } from './object.js';
import type { ProducerIndex } from './producer.js';
import { sctpForWire, type SctpOptions, type SctpState } from './sctp_parameters.js';
import type { SrtpCryptoSuite, SrtpParameters } from './srtp_parameters.js';
import {
  Transport,
  type BaseTransportDump,
  type BaseTransportStats,
  type TransportEvents,
  type TransportMade,
  type TransportObserverEvents,
} from './transport.js';

export type PlainTransportOptions<A extends AppData = AppData> = SctpOptions & {
  /** Beyond mediasoup: its id. */
  id?: string;
  rtcpMux?: boolean;
  /** Learn the peer's address from its first valid packet. */
  comedia?: boolean;
  enableSrtp?: boolean;
  srtpCryptoSuite?: SrtpCryptoSuite;
  /** The relay's thread (default: the relay chooses). A router that was made for one has it. */
  workerIndex?: number;
  appData?: A;
} & Either<
    { listenInfo: TransportListenInfo; rtcpListenInfo?: TransportListenInfo },
    { listenIp: TransportListenIp | string; port?: number }
  >;

type Addresses = { tuple: TransportTuple; rtcpTuple?: TransportTuple };
type Way = Addresses & { rtcpMux: boolean; comedia: boolean };

export type PlainTransportDump = BaseTransportDump & Way & { srtpParameters?: SrtpParameters };
export type PlainTransportStat = BaseTransportStats & Way & { type: string };

type Changes = {
  tuple: [TransportTuple];
  rtcptuple: [TransportTuple];
  sctpstatechange: [SctpState];
};

export type PlainTransportEvents = TransportEvents & Changes;
export type PlainTransportObserverEvents = TransportObserverEvents & Changes;
export type PlainTransportObserver = PlainTransport['observer'];

type Ends = Addresses & { srtpParameters?: SrtpParameters };
/** What the relay says of a plain transport that it has made. */
export type PlainTransportMade = Ends & TransportMade;

/** The options as the wire has them. */
export function plainTransportParams(options: PlainTransportOptions): Params {
  const { id: _id, appData: _appData, listenIp, port, ...rest } = options;
  const params: Params = sctpForWire(rest);
  if (listenIp !== undefined) {
    params['listenInfo'] = listenInfoOfIp(listenIp, 'udp', port);
  }
  return params;
}

export class PlainTransport<A extends AppData = AppData> extends Transport<
  A,
  PlainTransportEvents,
  PlainTransportObserverEvents
> {
  override readonly type = 'plain';
  #tuple: TransportTuple;
  #rtcpTuple: TransportTuple | undefined;
  #srtpParameters: SrtpParameters | undefined;

  /** @internal */
  constructor(
    place: Place,
    made: PlainTransportMade,
    appData: A | undefined,
    producers: ProducerIndex,
  ) {
    super(place, made, appData, producers);
    this.#tuple = made.tuple;
    this.#rtcpTuple = made.rtcpTuple;
    this.#srtpParameters = made.srtpParameters;
  }

  get tuple(): TransportTuple {
    return this.#tuple;
  }

  get rtcpTuple(): TransportTuple | undefined {
    return this.#rtcpTuple;
  }

  /** Our key, with SRTP. */
  get srtpParameters(): SrtpParameters | undefined {
    return this.#srtpParameters;
  }

  override dump(): Promise<PlainTransportDump> {
    return this.request('dump');
  }

  override getStats(): Promise<PlainTransportStat[]> {
    return this.request('getStats');
  }

  override connect(params: {
    ip?: string;
    port?: number;
    rtcpPort?: number;
    srtpParameters?: SrtpParameters;
  }): Promise<void> {
    return this.change<Ends>('connect', params, (result) => {
      this.#tuple = result.tuple;
      this.#rtcpTuple = result.rtcpTuple;
      this.#srtpParameters = result.srtpParameters ?? this.#srtpParameters;
    });
  }

  protected override heard(event: string, params: Params): boolean {
    switch (event) {
      case 'tuple':
        this.#tuple = params['tuple'] as TransportTuple;
        this.emitBoth(event, this.#tuple);
        return true;
      case 'rtcptuple':
        this.#rtcpTuple = params['rtcpTuple'] as TransportTuple;
        this.emitBoth(event, this.#rtcpTuple);
        return true;
      default:
        return super.heard(event, params);
    }
  }

  protected override refresh(dump: Params): void {
    this.missed('tuple', 'tuple', this.#tuple, dump);
    this.missed('rtcptuple', 'rtcpTuple', this.#rtcpTuple, dump);
  }
}
