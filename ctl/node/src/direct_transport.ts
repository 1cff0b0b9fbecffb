// SPDX-License-Identifier: GPL-3.0-or-later
// Media and data of this very process. For a later version of the relay.
import type { AppData } from './app_data.js';
import type { Params } from './connection.js';
import type { Place } from './object.js';
import type { ProducerIndex } from './producer.js';
import {
  Transport,
  type BaseTransportDump,
  type BaseTransportStats,
  type TransportEvents,
  type TransportObserverEvents,
} from './transport.js';

export type DirectTransportOptions<A extends AppData = AppData> = {
  id?: string;
  maxSendMessageSize?: number;
  maxReceiveMessageSize?: number;
  appData?: A;
};

export type DirectTransportDump = BaseTransportDump;
export type DirectTransportStat = BaseTransportStats & { type: string };
export type DirectTransportEvents = TransportEvents & { rtcp: [Buffer] };
export type DirectTransportObserverEvents = TransportObserverEvents & { rtcp: [Buffer] };
export type DirectTransportObserver = DirectTransport['observer'];

export class DirectTransport<A extends AppData = AppData> extends Transport<
  A,
  DirectTransportEvents,
  DirectTransportObserverEvents
> {
  override readonly type = 'direct';

  /** @internal */
  constructor(place: Place, appData: A | undefined, producers: ProducerIndex) {
    super(place, {}, appData, producers);
  }

  override dump(): Promise<DirectTransportDump> {
    return this.request('dump');
  }

  override getStats(): Promise<DirectTransportStat[]> {
    return this.request('getStats');
  }

  /** It is connected from the start. */
  override async connect(): Promise<void> {}

  sendRtcp(rtcpPacket: Buffer): void {
    this.channel.release('transport.sendRtcp', {
      transportId: this.id,
      packet: rtcpPacket.toString('base64'),
    });
  }

  protected override heard(event: string, params: Params): boolean {
    if (event !== 'rtcp') {
      return super.heard(event, params);
    }
    this.emitBoth('rtcp', Buffer.from(params['packet'] as string, 'base64'));
    return true;
  }
}
