// SPDX-License-Identifier: GPL-3.0-or-later
// A browser's transport: ICE and DTLS.
import type { AppData, Either } from './app_data.js';
import type { Params } from './connection.js';
import {
  listenInfoOfIp,
  type TransportListenInfo,
  type TransportListenIp,
  type TransportProtocol,
  type TransportTuple,
} from './listen_info.js';
import type { Place } from './object.js';
import type { ProducerIndex } from './producer.js';
import { sctpForWire, type SctpOptions, type SctpState } from './sctp_parameters.js';
import {
  Transport,
  type BaseTransportDump,
  type BaseTransportStats,
  type TransportEvents,
  type TransportMade,
  type TransportObserverEvents,
} from './transport.js';
import type { WebRtcServer } from './webrtc_server.js';

type Listen = Either<
  Either<
    { listenInfos: TransportListenInfo[] },
    { listenIps: (TransportListenIp | string)[]; port?: number }
  >,
  { webRtcServer: WebRtcServer }
>;

export type WebRtcTransportOptions<A extends AppData = AppData> = SctpOptions & {
  /** Beyond mediasoup: its id. */
  id?: string;
  enableUdp?: boolean;
  enableTcp?: boolean;
  preferUdp?: boolean;
  preferTcp?: boolean;
  /** Seconds; 0: never. */
  iceConsentTimeout?: number;
  /** The relay's thread (default: the relay chooses). A router that was made for one has it. */
  workerIndex?: number;
  initialAvailableOutgoingBitrate?: number;
  appData?: A;
} & Listen;

export type IceRole = 'controlled' | 'controlling';
export type IceState = 'new' | 'connected' | 'completed' | 'disconnected' | 'closed';
export type IceCandidateType = 'host';
export type IceCandidateTcpType = 'passive';
export type IceParameters = { usernameFragment: string; password: string; iceLite?: boolean };

export type IceCandidate = {
  foundation: string;
  priority: number;
  ip: string;
  address: string;
  protocol: TransportProtocol;
  port: number;
  type: IceCandidateType;
  tcpType?: IceCandidateTcpType;
};

export type DtlsRole = 'auto' | 'client' | 'server';
export type DtlsState = 'new' | 'connecting' | 'connected' | 'failed' | 'closed';
export type FingerprintAlgorithm = 'sha-1' | 'sha-224' | 'sha-256' | 'sha-384' | 'sha-512';
export type DtlsFingerprint = { algorithm: FingerprintAlgorithm; value: string };
export type DtlsParameters = { role?: DtlsRole; fingerprints: DtlsFingerprint[] };

type Ice = { iceRole: 'controlled'; iceParameters: IceParameters; iceCandidates: IceCandidate[] };
type States = { iceState: IceState; dtlsState: DtlsState; iceSelectedTuple?: TransportTuple };

export type WebRtcTransportDump = BaseTransportDump &
  Ice &
  States & { dtlsParameters: DtlsParameters; dtlsRemoteCert?: string };

export type WebRtcTransportStat = BaseTransportStats & States & { type: string; iceRole: string };

type Changes = {
  icestatechange: [IceState];
  iceselectedtuplechange: [TransportTuple];
  dtlsstatechange: [DtlsState];
  sctpstatechange: [SctpState];
};

export type WebRtcTransportEvents = TransportEvents & Changes;
export type WebRtcTransportObserverEvents = TransportObserverEvents & Changes;
export type WebRtcTransportObserver = WebRtcTransport['observer'];

/** What the relay says of a WebRTC transport that it has made. */
export type WebRtcTransportMade = Ice & States & TransportMade & { dtlsParameters: DtlsParameters };

/** The options as the wire has them. */
export function webRtcTransportParams(options: WebRtcTransportOptions): Params {
  const { id: _id, appData: _appData, webRtcServer, listenIps, port, ...rest } = options;
  const params: Params = sctpForWire(rest);
  if (webRtcServer) {
    params['webRtcServerId'] = webRtcServer.id;
  } else if (listenIps) {
    const protocols: TransportProtocol[] = [];
    if (options.enableUdp ?? true) {
      protocols.push('udp');
    }
    if (options.enableTcp ?? false) {
      protocols.push('tcp');
    }
    params['listenInfos'] = listenIps.flatMap((listenIp) =>
      protocols.map((protocol) => listenInfoOfIp(listenIp, protocol, port)),
    );
  }
  return params;
}

export class WebRtcTransport<A extends AppData = AppData> extends Transport<
  A,
  WebRtcTransportEvents,
  WebRtcTransportObserverEvents
> {
  override readonly type = 'webrtc';
  readonly iceRole: 'controlled';
  readonly iceCandidates: IceCandidate[];
  readonly #server: WebRtcServer | undefined;
  #iceParameters: IceParameters;
  #iceState: IceState;
  #iceSelectedTuple: TransportTuple | undefined;
  #dtlsParameters: DtlsParameters;
  #dtlsState: DtlsState;
  #dtlsRemoteCert: string | undefined;

  /** @internal */
  constructor(
    place: Place,
    made: WebRtcTransportMade,
    appData: A | undefined,
    producers: ProducerIndex,
    server: WebRtcServer | undefined,
  ) {
    super(place, made, appData, producers);
    this.iceRole = made.iceRole;
    this.iceCandidates = made.iceCandidates;
    this.#iceParameters = made.iceParameters;
    this.#iceState = made.iceState;
    this.#iceSelectedTuple = made.iceSelectedTuple;
    this.#dtlsParameters = made.dtlsParameters;
    this.#dtlsState = made.dtlsState;
    this.#server = server;
    server?.handles(this as unknown as WebRtcTransport);
  }

  get iceParameters(): IceParameters {
    return this.#iceParameters;
  }

  get iceState(): IceState {
    return this.#iceState;
  }

  get iceSelectedTuple(): TransportTuple | undefined {
    return this.#iceSelectedTuple;
  }

  get dtlsParameters(): DtlsParameters {
    return this.#dtlsParameters;
  }

  get dtlsState(): DtlsState {
    return this.#dtlsState;
  }

  /** PEM, once connected. */
  get dtlsRemoteCert(): string | undefined {
    return this.#dtlsRemoteCert;
  }

  override dump(): Promise<WebRtcTransportDump> {
    return this.request('dump');
  }

  override getStats(): Promise<WebRtcTransportStat[]> {
    return this.request('getStats');
  }

  override connect({ dtlsParameters }: { dtlsParameters: DtlsParameters }): Promise<void> {
    type Result = { dtlsLocalRole: DtlsRole };
    return this.change<Result>('connect', { dtlsParameters }, ({ dtlsLocalRole }) => {
      this.#dtlsParameters = { ...this.#dtlsParameters, role: dtlsLocalRole };
    });
  }

  async restartIce(): Promise<IceParameters> {
    await this.change<{ iceParameters: IceParameters }>('restartIce', {}, ({ iceParameters }) => {
      this.#iceParameters = iceParameters;
    });
    return this.#iceParameters;
  }

  protected override ended(): void {
    this.#iceState = 'closed';
    this.#iceSelectedTuple = undefined;
    this.#dtlsState = 'closed';
    this.#server?.handlesNoMore(this as unknown as WebRtcTransport);
  }

  protected override heard(event: string, params: Params): boolean {
    switch (event) {
      case 'icestatechange':
        this.#iceState = params['iceState'] as IceState;
        this.emitBoth(event, this.#iceState);
        return true;
      case 'iceselectedtuplechange':
        this.#iceSelectedTuple = params['iceSelectedTuple'] as TransportTuple;
        this.emitBoth(event, this.#iceSelectedTuple);
        return true;
      case 'dtlsstatechange':
        this.#dtlsState = params['dtlsState'] as DtlsState;
        if (params['dtlsRemoteCert'] !== undefined) {
          this.#dtlsRemoteCert = params['dtlsRemoteCert'] as string;
        }
        this.emitBoth(event, this.#dtlsState);
        return true;
      default:
        return super.heard(event, params);
    }
  }

  protected override refresh(dump: Params): void {
    const iceParameters = dump['iceParameters'] as IceParameters | undefined;
    this.#iceParameters = iceParameters ?? this.#iceParameters;
    this.missed('icestatechange', 'iceState', this.#iceState, dump);
    this.missed('iceselectedtuplechange', 'iceSelectedTuple', this.#iceSelectedTuple, dump);
    this.missed('dtlsstatechange', 'dtlsState', this.#dtlsState, dump);
  }
}
