// SPDX-License-Identifier: GPL-3.0-or-later
// How loud producers are. For a later version of the relay.
import type { AppData } from './app_data.js';
import type { Params } from './connection.js';
import type { Place } from './object.js';
import type { Producer, ProducerIndex } from './producer.js';
import {
  RtpObserver,
  type RtpObserverEvents,
  type RtpObserverObserverEvents,
} from './rtp_observer.js';

export type AudioLevelObserverOptions<A extends AppData = AppData> = {
  maxEntries?: number;
  /** dBvo, -127 to 0. */
  threshold?: number;
  interval?: number;
  appData?: A;
};

export type AudioLevelObserverVolume = { producer: Producer; volume: number };
type Changes = { volumes: [AudioLevelObserverVolume[]]; silence: [] };
export type AudioLevelObserverEvents = RtpObserverEvents & Changes;
export type AudioLevelObserverObserverEvents = RtpObserverObserverEvents & Changes;
export type AudioLevelObserverObserver = AudioLevelObserver['observer'];

export class AudioLevelObserver<A extends AppData = AppData> extends RtpObserver<
  A,
  AudioLevelObserverEvents,
  AudioLevelObserverObserverEvents
> {
  override readonly type = 'audiolevel';

  /** @internal */
  constructor(place: Place, appData: A | undefined, producers: ProducerIndex) {
    super(place, appData, producers);
  }

  protected override heard(event: string, params: Params): boolean {
    switch (event) {
      case 'volumes': {
        const volumes = (params['volumes'] as { producerId: string; volume: number }[]).flatMap(
          ({ producerId, volume }) => {
            const producer = this.producer(producerId);
            return producer ? [{ producer, volume }] : [];
          },
        );
        if (volumes.length > 0) {
          this.emitBoth('volumes', volumes);
        }
        return true;
      }
      case 'silence':
        this.emitBoth('silence');
        return true;
      default:
        return super.heard(event, params);
    }
  }
}
