// SPDX-License-Identifier: GPL-3.0-or-later
// What all objects of the relay have in common: an id, a life that ends once, parents and
// children, and their part of the wire: methods `noun.verb` and notifications `noun.event` with
// the field `nounId`. A new kind of object is a class with heard(), refresh() and its methods, and
// a create method in its parent that calls make().
import { randomUUID } from 'node:crypto';
import type { AppData } from './app_data.js';
import type { Call, Channel } from './channel.js';
import type { Params } from './connection.js';
import { Emitter } from './emitter.js';
import { NotFoundError, ParentClosedError } from './errors.js';
import { Logger } from './logger.js';

const logger = new Logger('object');

/** What every object emits beyond mediasoup's events. */
export type ObjectEvents = {
  /** Someone else closed it: another controller, or sluicectl. Its children's events follow. */
  remoteclose: [];
};

export type ObjectObserverEvents = { close: [] };

/** How objects end: the notifications that say so. */
const ends = new Map([
  ['close', 'remoteclose'],
  ['workerclose', 'workerclose'],
  ['routerclose', 'routerclose'],
  ['transportclose', 'transportclose'],
  ['producerclose', 'producerclose'],
  ['dataproducerclose', 'dataproducerclose'],
  ['listenserverclose', 'listenserverclose'],
]);

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- whatever its events are
export type AnyObject = RelayObject<any, any, any>;
export type Children = Set<AnyObject>;

/** Where an object stands. */
export type Place = { channel: Channel; siblings: Children; id: string };

/** A wish to have an object made. */
export type Making<T, R> = {
  channel: Channel;
  method: string;
  noun: string;
  /** The field in which the request has the new object's id. */
  idField?: string;
  /** Chosen by the application; else a random one. */
  id?: string | undefined;
  params: Params;
  isClosed: () => boolean;
  build: (result: T, id: string) => R;
};

/** The id is chosen here, so that a request whose answer is lost can be undone. */
export async function make<T, R>(making: Making<T, R>): Promise<R> {
  const { channel, method, noun, idField = 'id', params, isClosed, build } = making;
  const id = making.id ?? randomUUID();
  const key = `${noun}:${id}`;
  const made = (result: T): R => {
    if (isClosed()) {
      throw new ParentClosedError(`${method}: its parent was closed meanwhile`);
    }
    return build(result, id);
  };
  // An id that the application chose may be someone else's object: not to be closed on suspicion.
  const undo = { method: `${noun}.close`, params: { [`${noun}Id`]: id } };
  channel.listeners.expect(key, making.id === undefined);
  try {
    const options = making.id === undefined ? { made, undo } : { made };
    return await channel.request<T, R>(method, { ...params, [idField]: id }, options);
  } catch (error) {
    channel.listeners.forget(key);
    throw error;
  }
}

export abstract class RelayObject<
  A extends AppData,
  E extends ObjectEvents,
  O extends ObjectObserverEvents,
> extends Emitter<E> {
  readonly id: string;
  appData: A;
  readonly observer = new Emitter<O>();
  protected readonly channel: Channel;
  protected readonly children: Children = new Set();
  readonly #noun: string;
  readonly #siblings: Children;
  #closed = false;

  protected constructor(noun: string, place: Place, appData: A | undefined) {
    super();
    this.id = place.id;
    this.appData = appData ?? ({} as A);
    this.channel = place.channel;
    this.#noun = noun;
    this.#siblings = place.siblings;
    this.#siblings.add(this);
    this.channel.listen(`${noun}:${this.id}`, (event, params) => this.#hear(event, params));
    this.#untyped.on('listenererror', (event: unknown, error: unknown) => {
      logger.error(`a listener of ${noun} ${this.id} for ${String(event)} threw`, error as Error);
    });
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Closes it and what hangs on it. The relay does it later: failures are not told. */
  close(): void {
    if (!this.#closed) {
      this.channel.release(`${this.#noun}.close`, { [`${this.#noun}Id`]: this.id });
      this.end();
    }
  }

  /** @internal It has ended in the relay. */
  end(event?: string): void {
    if (this.#closed) {
      return;
    }
    this.#closed = true;
    this.channel.listeners.delete(`${this.#noun}:${this.id}`);
    this.#siblings.delete(this);
    for (const child of [...this.children]) {
      child.end(this.childEnd);
    }
    this.ended();
    if (event !== undefined) {
      this.#untyped.safeEmit(event);
    }
    (this.observer as unknown as Emitter).safeEmit('close');
  }

  /** @internal After a reconnect: is it still there, and what has changed meanwhile? */
  async reconcile(call: Call): Promise<void> {
    try {
      this.refresh(await call<Params>(`${this.#noun}.dump`, { [`${this.#noun}Id`]: this.id }));
    } catch (error) {
      if (!(error instanceof NotFoundError)) {
        throw error;
      }
      this.end(await this.missingEnd(call));
      return;
    }
    await Promise.all(Array.from(this.children, (child) => child.reconcile(call)));
  }

  /** The event of its children when it ends. */
  protected get childEnd(): string {
    return `${this.#noun}close`;
  }

  /** The event of an object that is missing after a reconnect. */
  protected async missingEnd(_call: Call): Promise<string> {
    return 'remoteclose';
  }

  /** A notification that does not end it. False: not known. */
  protected heard(_event: string, _params: Params): boolean {
    return false;
  }

  /** Takes over what its dump says, with the events that were missed. */
  protected refresh(_dump: Params): void {}

  protected ended(): void {}

  protected request<T = void>(verb: string, params: Params = {}): Promise<T> {
    return this.channel.request<T>(`${this.#noun}.${verb}`, {
      [`${this.#noun}Id`]: this.id,
      ...params,
    });
  }

  /** As request(); the object changes before any later notification is looked at. */
  protected change<T>(verb: string, params: Params, made: (result: T) => void): Promise<void> {
    const all = { [`${this.#noun}Id`]: this.id, ...params };
    return this.channel.request<T, void>(`${this.#noun}.${verb}`, all, { made });
  }

  protected make<T, R>(
    making: Omit<Making<T, R>, 'channel' | 'isClosed'>,
  ): Promise<R> {
    return make({
      ...making,
      channel: this.channel,
      params: { [`${this.#noun}Id`]: this.id, ...making.params },
      isClosed: () => this.#closed,
    });
  }

  protected place(id: string): Place {
    return { channel: this.channel, siblings: this.children, id };
  }

  /** To the object's listeners and the observer's. */
  protected emitBoth(event: string, ...args: unknown[]): void {
    this.#untyped.safeEmit(event, ...args);
    (this.observer as unknown as Emitter).safeEmit(event, ...args);
  }

  get #untyped(): Emitter {
    return this as unknown as Emitter;
  }

  #hear(event: string, params: Params): void {
    const end = ends.get(event);
    if (end !== undefined) {
      this.end(end);
    } else if (!this.heard(event, params)) {
      logger.debug(`unknown notification ${this.#noun}.${event}`);
    }
  }
}
