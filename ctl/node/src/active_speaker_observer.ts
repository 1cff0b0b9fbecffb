// SPDX-License-Identifier: GPL-3.0-or-later
// Who is speaking. For a later version of the relay.
import type { AppData } from './app_data.js';
import type { Params } from './connection.js';
import type { Place } from './object.js';
import type { Producer, ProducerIndex } from './producer.js';
import {
  RtpObserver,
  type RtpObserverEvents,
  type RtpObserverObserverEvents,
} from './rtp_observer.js';

export type ActiveSpeakerObserverOptions<A extends AppData = AppData> = {
  interval?: number;
  appData?: A;
};

export type ActiveSpeakerObserverDominantSpeaker = { producer: Producer };
type Changes = { dominantspeaker: [ActiveSpeakerObserverDominantSpeaker] };
export type ActiveSpeakerObserverEvents = RtpObserverEvents & Changes;
export type ActiveSpeakerObserverObserverEvents = RtpObserverObserverEvents & Changes;
export type ActiveSpeakerObserverObserver = ActiveSpeakerObserver['observer'];

export class ActiveSpeakerObserver<A extends AppData = AppData> extends RtpObserver<
  A,
  ActiveSpeakerObserverEvents,
  ActiveSpeakerObserverObserverEvents
> {
  override readonly type = 'activespeaker';

  /** @internal */
  constructor(place: Place, appData: A | undefined, producers: ProducerIndex) {
    super(place, appData, producers);
  }

  protected override heard(event: string, params: Params): boolean {
    const producer = this.producer(params['producerId']);
    if (event !== 'dominantspeaker') {
      return super.heard(event, params);
    }
    if (producer) {
      this.emitBoth('dominantspeaker', { producer });
    }
    return true;
  }
}
