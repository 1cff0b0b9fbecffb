// SPDX-License-Identifier: GPL-3.0-or-later
// What watches producers of a router. For a later version of the relay.
import type { AppData } from './app_data.js';
import type { Params } from './connection.js';
import type { Emitter } from './emitter.js';
import { RelayObject, type ObjectEvents, type ObjectObserverEvents, type Place } from './object.js';
import type { Producer, ProducerIndex } from './producer.js';

export type RtpObserverType = 'audiolevel' | 'activespeaker';
export type RtpObserverEvents = ObjectEvents & { routerclose: [] };

export type RtpObserverObserverEvents = ObjectObserverEvents & {
  pause: [];
  resume: [];
  addproducer: [Producer];
  removeproducer: [Producer];
};

export type RtpObserverObserver = RtpObserver['observer'];

export abstract class RtpObserver<
  A extends AppData = AppData,
  E extends RtpObserverEvents = RtpObserverEvents,
  O extends RtpObserverObserverEvents = RtpObserverObserverEvents,
> extends RelayObject<A, E, O> {
  abstract readonly type: RtpObserverType;
  readonly #producers: ProducerIndex;
  #paused = false;

  protected constructor(place: Place, appData: A | undefined, producers: ProducerIndex) {
    super('rtpObserver', place, appData);
    this.#producers = producers;
  }

  get paused(): boolean {
    return this.#paused;
  }

  pause(): Promise<void> {
    return this.change('pause', {}, () => this.#setPaused(true));
  }

  resume(): Promise<void> {
    return this.change('resume', {}, () => this.#setPaused(false));
  }

  addProducer({ producerId }: { producerId: string }): Promise<void> {
    return this.#list('addProducer', producerId, 'addproducer');
  }

  removeProducer({ producerId }: { producerId: string }): Promise<void> {
    return this.#list('removeProducer', producerId, 'removeproducer');
  }

  /** A producer of this worker; undefined: another controller's, or one that has just ended. */
  protected producer(id: unknown): Producer | undefined {
    return this.#producers.get(id as string);
  }

  protected override refresh(dump: Params): void {
    this.#setPaused(dump['paused'] as boolean);
  }

  #list(verb: string, producerId: string, event: 'addproducer' | 'removeproducer'): Promise<void> {
    return this.change(verb, { producerId }, () => {
      const producer = this.producer(producerId);
      if (producer) {
        (this.observer as unknown as Emitter<RtpObserverObserverEvents>).safeEmit(event, producer);
      }
    });
  }

  #setPaused(paused: boolean): void {
    if (this.#paused !== paused) {
      this.#paused = paused;
      const observer = this.observer as unknown as Emitter<RtpObserverObserverEvents>;
      observer.safeEmit(paused ? 'pause' : 'resume');
    }
  }
}
