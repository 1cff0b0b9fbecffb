// SPDX-License-Identifier: GPL-3.0-or-later
// An EventEmitter that knows its events' names and arguments.
import { EventEmitter } from 'node:events';

/** What every emitter has: a listener threw. The rest of the library goes on. */
type BuiltIn = { listenererror: [event: string, error: Error] };
type Arguments<E, K> = K extends keyof E ? (E[K] extends unknown[] ? E[K] : never) : never;
type Names<E> = keyof (E & BuiltIn) & string;
type Listener<E, K> = (...args: Arguments<E & BuiltIn, K>) => void;
type AnyListener = (...args: unknown[]) => void;

export class Emitter<E = Record<string, unknown[]>> extends EventEmitter {
  constructor() {
    super();
    this.setMaxListeners(Infinity); // as many as an application has consumers
  }

  /** As emit(), but a listener's exception becomes the event `listenererror`. */
  safeEmit<K extends Names<E>>(event: K, ...args: Arguments<E & BuiltIn, K>): boolean {
    try {
      return super.emit(event, ...args);
    } catch (error) {
      super.emit('listenererror', event, error);
      return true;
    }
  }

  override emit<K extends Names<E>>(event: K, ...args: Arguments<E & BuiltIn, K>): boolean {
    return super.emit(event, ...args);
  }

  override on<K extends Names<E>>(event: K, listener: Listener<E, K>): this {
    return super.on(event, listener as AnyListener);
  }

  override once<K extends Names<E>>(event: K, listener: Listener<E, K>): this {
    return super.once(event, listener as AnyListener);
  }

  override off<K extends Names<E>>(event: K, listener: Listener<E, K>): this {
    return super.off(event, listener as AnyListener);
  }

  override addListener<K extends Names<E>>(event: K, listener: Listener<E, K>): this {
    return super.addListener(event, listener as AnyListener);
  }

  override prependListener<K extends Names<E>>(event: K, listener: Listener<E, K>): this {
    return super.prependListener(event, listener as AnyListener);
  }

  override prependOnceListener<K extends Names<E>>(event: K, listener: Listener<E, K>): this {
    return super.prependOnceListener(event, listener as AnyListener);
  }

  override removeListener<K extends Names<E>>(event: K, listener: Listener<E, K>): this {
    return super.removeListener(event, listener as AnyListener);
  }

  override removeAllListeners<K extends Names<E>>(event?: K): this {
    return event === undefined ? super.removeAllListeners() : super.removeAllListeners(event);
  }

  override listenerCount<K extends Names<E>>(event: K): number {
    return super.listenerCount(event);
  }
}
