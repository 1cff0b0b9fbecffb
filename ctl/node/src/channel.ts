// SPDX-License-Identifier: GPL-3.0-or-later
// The requests of one worker, over as many connections as it takes: a bounded queue, a window of
// unanswered requests, time limits, and what happens when the connection is lost.
//
//   request:  queued --sent--> in flight --answer--> settled
//                ^                |
//                |   (lost)       |  kept ones go back, the others reject: ConnectionLostError
//                '----------------'
//   channel:  opening -> open <-> lost -> closed
import { Connection, type Params } from './connection.js';
import {
  ConnectionLostError,
  ProtocolError,
  QueueFullError,
  TimeoutError,
  WorkerClosedError,
  relayError,
  type WireError,
} from './errors.js';
import { Listeners, type Hear } from './held.js';
import { Logger } from './logger.js';
import { PendingRequest, lineOf, type RequestOptions } from './request.js';

const PROTOCOL_VERSION = 1;
/** The relay reads no further while this many of a connection's requests have no answer. */
const WINDOW = 256;
/** As many single objects may a connection subscribe to. */
const IDS_MAX = 4096;
const RETRY_MS_MIN = 20;
const RETRY_MS_MAX = 1000;
/** A connection that lasted as long as this ends a series of losses. */
const STABLE_MS = 1000;

const logger = new Logger('channel');

export type ServerInfo = {
  version: string;
  protocolVersion: number;
  pid: number;
  startedAt: number;
  state: 'running' | 'draining' | 'stopping';
  workers: { index: number; engine: string; alive: boolean; [field: string]: unknown }[];
  [field: string]: unknown;
};

export type ChannelOptions = {
  socketPath: string;
  connectTimeout: number;
  requestTimeout: number;
  reconnectTimeout: number;
  maxPendingRequests: number;
};

export type ChannelHooks = {
  /** A notification `server.*`. */
  onserver(event: string, params: Params): void;
  onlost(error: Error): void;
  /** The same relay again: compare what is here with what is there, by means of `call`. */
  reconcile(call: Call): Promise<void>;
  onreconnected(): void;
  /** The relay, or the way to it, is gone for good. */
  ondied(error: Error): void;
};

export type Call = <T>(method: string, params?: Params) => Promise<T>;

type State = 'opening' | 'open' | 'lost' | 'closed';

function noun(name: string): string {
  return name.slice(0, name.indexOf('.'));
}

/** Nobody listens at the address any more: the process has ended. */
function isGone(error: unknown): boolean {
  const code = ((error as Error).cause as NodeJS.ErrnoException | undefined)?.code;
  return code === 'ECONNREFUSED' || code === 'ENOENT';
}

export class Channel {
  readonly listeners = new Listeners();
  readonly #options: ChannelOptions;
  readonly #hooks: ChannelHooks;
  #state: State = 'opening';
  #connection: Connection | undefined;
  #info: ServerInfo | undefined;
  #queue: PendingRequest[] = [];
  #flight = new Map<number, PendingRequest>();
  #lastId = 0;
  #openedAt = 0;
  #lossesSince = 0;
  #wake: (() => void) | undefined; // ends the pause before the next attempt

  constructor(options: ChannelOptions, hooks: ChannelHooks) {
    this.#options = options;
    this.#hooks = hooks;
  }

  /** As the relay said when the connection was made. */
  get info(): ServerInfo {
    if (!this.#info) {
      throw new WorkerClosedError('the worker has no connection yet');
    }
    return this.#info;
  }

  /** The first connection. */
  async open(): Promise<void> {
    try {
      this.#info = await this.#dial();
    } catch (error) {
      this.close();
      throw error;
    }
    this.#opened();
  }

  async request<T, R = T>(
    method: string,
    params: Params = {},
    options: RequestOptions<T, R> = {},
  ): Promise<R> {
    if (this.#state === 'closed') {
      throw new WorkerClosedError(`${method}: the worker is closed`);
    }
    const limit = this.#options.maxPendingRequests;
    if (this.#queue.length + this.#flight.size >= limit && !options.keep) {
      throw new QueueFullError(`${method}: ${limit} requests wait already (maxPendingRequests)`);
    }
    return new Promise<R>((resolve, reject) => {
      this.#queue.push(this.#pending(method, params, options, resolve, reject));
      this.#pump();
    });
  }

  /** A request whose outcome does not matter, but which must reach the relay: a close. */
  release(method: string, params: Params): void {
    this.request(method, params, { keep: true }).catch((error: Error) => {
      // NotFoundError is as good as done; the rest is told, for there is nobody to throw it at.
      logger.debug(`${method}: ${error.message}`);
    });
  }

  listen(key: string, hear: Hear): void {
    this.listeners.add(key, hear);
  }

  /** Ends it; the relay does what was asked of it before. `onclosed`: the connection has ended. */
  close(onclosed: () => void = () => {}): void {
    if (this.#state === 'closed') {
      return;
    }
    if (this.#state === 'open') {
      this.#sendLast();
    }
    const ending = this.#connection;
    this.#end(new WorkerClosedError('the worker was closed'));
    if (ending) {
      ending.close(onclosed);
    } else {
      setImmediate(onclosed);
    }
  }

  /** What must reach the relay, past the window: nobody waits for answers any more. */
  #sendLast(): void {
    const closes = this.#queue.filter((request) => request.keep).map((request) => request.line);
    const undone = Array.from(this.#flight.values(), ({ undo }) => undo)
      .filter((undo) => undo !== undefined)
      .map(lineOf);
    for (const line of [...closes, ...undone]) {
      this.#connection?.send(line);
    }
  }

  /** The relay is known to have ended. */
  fail(error: Error): void {
    if (this.#state === 'closed') {
      return;
    }
    const connection = this.#connection;
    this.#end(new WorkerClosedError(`the relay has ended: ${error.message}`, { cause: error }));
    connection?.close(() => {});
    this.#hooks.ondied(error);
  }

  #end(error: Error): void {
    this.#state = 'closed';
    this.#connection = undefined;
    const requests = [...this.#flight.values(), ...this.#queue];
    this.#flight.clear();
    this.#queue = [];
    this.listeners.clear();
    for (const request of requests) {
      request.fail(error);
    }
    this.#wake?.();
  }

  #pending<T, R>(
    method: string,
    params: Params,
    options: RequestOptions<T, R>,
    resolve: (value: R) => void,
    reject: (error: Error) => void,
  ): PendingRequest {
    const { made } = options;
    const answered = (result: unknown): void =>
      resolve(made ? made(result as T) : (result as R));
    return new PendingRequest(++this.#lastId, method, params, options, answered, reject, {
      ms: this.#options.requestTimeout,
      call: (request) => this.#timeout(request),
    });
  }

  #timeout(request: PendingRequest): void {
    const ms = this.#options.requestTimeout;
    const sent = this.#flight.has(request.id);
    const what = sent ? 'no answer' : 'it could not be sent';
    request.fail(new TimeoutError(`${request.method}: ${what} within ${ms} ms`));
    // One that was sent keeps its place in the window until its answer comes: the relay counts it.
    if (sent) {
      this.#undo(request);
    } else {
      this.#queue.splice(this.#queue.indexOf(request), 1);
    }
  }

  #undo(request: PendingRequest): void {
    const { undo } = request;
    request.undo = undefined;
    if (undo && this.#state !== 'closed') {
      this.release(undo.method, undo.params);
    }
  }

  #pump(): void {
    while (this.#state === 'open' && this.#flight.size < WINDOW) {
      const request = this.#queue.shift();
      if (!request) {
        return;
      }
      this.#send(request);
    }
  }

  #send(request: PendingRequest): void {
    this.#flight.set(request.id, request);
    this.#connection?.send(request.line);
  }

  /** Past the queue, while a connection is being made. */
  readonly #call: Call = (method, params = {}) =>
    new Promise((resolve, reject) => {
      if (!this.#connection) {
        throw new ConnectionLostError(`${method}: there is no connection`);
      }
      this.#send(this.#pending(method, params, {}, resolve, reject));
    });

  async #dial(): Promise<ServerInfo> {
    const { socketPath, connectTimeout } = this.#options;
    // What an old connection still has to say does not concern the new one.
    const connection: Connection = await Connection.open(socketPath, connectTimeout, {
      onanswer: (id, result, error) => {
        if (connection === this.#connection) {
          this.#answer(id, result, error);
        }
      },
      onnotification: (name, params) => {
        if (connection === this.#connection) {
          this.#notification(name, params);
        }
      },
      onlost: (error) => {
        if (connection === this.#connection) {
          this.#lost(error);
        }
      },
    });
    if (this.#state === 'closed') {
      connection.close(() => {});
      throw new WorkerClosedError('the worker was closed');
    }
    this.#connection = connection;
    const info = await this.#call<ServerInfo>('server.info');
    if (info.protocolVersion !== PROTOCOL_VERSION) {
      const versions = `${info.protocolVersion}, this library speaks ${PROTOCOL_VERSION}`;
      throw new ProtocolError(`the relay speaks version ${versions}`);
    }
    await this.#call('server.subscribe', { events: ['server.*'] });
    return info;
  }

  #opened(): void {
    this.#state = 'open';
    this.#openedAt = Date.now();
    this.#pump();
  }

  #answer(id: number, result: unknown, error: WireError | undefined): void {
    const request = this.#flight.get(id);
    if (!request) {
      logger.warn(`an answer to no request: ${id}`);
      return;
    }
    this.#flight.delete(id);
    if (error) {
      request.fail(relayError(request.method, error));
    } else if (!request.answer(result)) {
      this.#undo(request); // it is there and nobody has it
    }
    this.#pump();
  }

  #notification(name: string, params: Params): void {
    const kind = noun(name);
    const event = name.slice(kind.length + 1);
    if (kind === 'server') {
      this.#hooks.onserver(event, params);
    } else if (!this.listeners.tell(`${kind}:${String(params[`${kind}Id`])}`, event, params)) {
      logger.debug(`${name} is about no object of this worker`);
    }
  }

  #lost(error: Error): void {
    const wasOpen = this.#state === 'open';
    this.#connection = undefined;
    if (wasOpen) {
      this.#state = 'lost'; // what follows queues requests, which must wait
    }
    this.#abandonFlight(error);
    if (!wasOpen) {
      return; // an attempt has failed; who makes it knows from its request
    }
    if (Date.now() - this.#openedAt > STABLE_MS || this.#lossesSince === 0) {
      this.#lossesSince = Date.now();
    }
    this.#hooks.onlost(error);
    void this.#recover(error);
  }

  /** Nothing that was sent will be answered. */
  #abandonFlight(error: Error): void {
    const flight = [...this.#flight.values()];
    this.#flight.clear();
    this.#queue.unshift(...flight.filter((request) => request.keep));
    for (const request of flight.filter((request) => !request.keep)) {
      this.#undo(request);
      const message = `${request.method}: ${error.message}`;
      request.fail(new ConnectionLostError(message, { cause: error }));
    }
  }

  async #recover(cause: Error): Promise<void> {
    const until = this.#lossesSince + this.#options.reconnectTimeout;
    for (let pause = 0; ; pause = Math.min(Math.max(2 * pause, RETRY_MS_MIN), RETRY_MS_MAX)) {
      await this.#sleep(pause);
      if (this.#state === 'closed') {
        return;
      }
      if (Date.now() >= until) {
        this.fail(cause);
        return;
      }
      try {
        await this.#resume();
        return;
      } catch (error) {
        logger.warn(`reconnecting: ${(error as Error).message}`);
        if (isGone(error) || error instanceof ProtocolError) {
          this.fail(error as Error);
          return;
        }
        this.#hangUp();
      }
    }
  }

  async #resume(): Promise<void> {
    const info = await this.#dial();
    if (info.pid !== this.info.pid || info.startedAt !== this.info.startedAt) {
      this.fail(new ConnectionLostError('another relay has taken its place'));
      return;
    }
    this.#info = info;
    await this.#subscribe();
    await this.#hooks.reconcile(this.#call);
    if (this.#state === 'lost') {
      this.#opened();
      this.#hooks.onreconnected();
    }
  }

  /** The new connection made none of the objects, so it has to ask for their notifications. */
  async #subscribe(): Promise<void> {
    const ids = this.listeners.ids();
    if (ids.length > IDS_MAX) {
      await this.#call('server.subscribe', { events: ['*'] });
    } else if (ids.length > 0) {
      await this.#call('server.subscribe', { events: ['*'], ids });
    }
  }

  /** An attempt that got as far as a connection and no further. */
  #hangUp(): void {
    const connection = this.#connection;
    if (connection) {
      this.#lost(new ConnectionLostError('the attempt has failed'));
      connection.close(() => {});
    }
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
