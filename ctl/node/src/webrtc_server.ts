// SPDX-License-Identifier: GPL-3.0-or-later
// Ports that many WebRTC transports share.
import type { AppData } from './app_data.js';
import type { Params } from './connection.js';
import type { TransportListenInfo } from './listen_info.js';
import { RelayObject, type ObjectEvents, type ObjectObserverEvents, type Place } from './object.js';
import type { WebRtcTransport } from './webrtc_transport.js';

export type WebRtcServerListenInfo = TransportListenInfo;

export type WebRtcServerOptions<A extends AppData = AppData> = {
  /** Beyond mediasoup: its id. */
  id?: string;
  listenInfos: WebRtcServerListenInfo[];
  appData?: A;
  /** Only on this thread of the relay (default: the worker's, else on every one). */
  workerIndex?: number;
  /** It ends with the connection (default: the worker's). */
  tied?: boolean;
};

export type IpPort = { ip: string; port: number };
export type IceUserNameFragment = { localIceUsernameFragment: string; webRtcTransportId: string };

export type WebRtcServerDump = {
  id: string;
  udpSockets: IpPort[];
  tcpServers: IpPort[];
  webRtcTransportIds: string[];
  localIceUsernameFragments: IceUserNameFragment[];
};

export type WebRtcServerEvents = ObjectEvents & {
  workerclose: [];
  /** Beyond mediasoup: a socket receives no more; close the server and make another. */
  socketdead: [];
};

export type WebRtcServerObserverEvents = ObjectObserverEvents & {
  webrtctransporthandled: [WebRtcTransport];
  webrtctransportunhandled: [WebRtcTransport];
};

export type WebRtcServerObserver = WebRtcServer['observer'];

export class WebRtcServer<A extends AppData = AppData> extends RelayObject<
  A,
  WebRtcServerEvents,
  WebRtcServerObserverEvents
> {
  // Its transports; they are their routers' children.
  readonly #transports = new Set<WebRtcTransport>();

  /** @internal */
  constructor(place: Place, appData: A | undefined) {
    super('webRtcServer', place, appData);
  }

  dump(): Promise<WebRtcServerDump> {
    return this.request('dump');
  }

  /** @internal */
  handles(transport: WebRtcTransport): void {
    this.#transports.add(transport);
    this.observer.safeEmit('webrtctransporthandled', transport);
  }

  /** @internal */
  handlesNoMore(transport: WebRtcTransport): void {
    if (this.#transports.delete(transport)) {
      this.observer.safeEmit('webrtctransportunhandled', transport);
    }
  }

  protected override heard(event: string, _params: Params): boolean {
    if (event !== 'socketdead') {
      return false;
    }
    this.safeEmit('socketdead');
    return true;
  }

  protected override ended(): void {
    for (const transport of [...this.#transports]) {
      transport.end('listenserverclose');
    }
  }
}
