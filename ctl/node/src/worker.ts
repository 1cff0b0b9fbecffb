// SPDX-License-Identifier: GPL-3.0-or-later
// A relay as an application sees it: a connection to a running sluiced, or a sluiced of its own.
import { setTimeout as sleep } from 'node:timers/promises';
import type { AppData } from './app_data.js';
import { Channel, type Call, type ChannelHooks, type ServerInfo } from './channel.js';
import { canConnect, type Params } from './connection.js';
import { Emitter } from './emitter.js';
import { ConnectError, ConnectionLostError, unsupported } from './errors.js';
import { Logger } from './logger.js';
import { make, type AnyObject, type Children, type Place } from './object.js';
import { Router, type RouterMade, type RouterOptions } from './router.js';
import { OwnRelay } from './spawn.js';
import { WebRtcServer, type WebRtcServerOptions } from './webrtc_server.js';

const logger = new Logger('Worker');
const SOCKET_PATH = '/run/sluice/sluice.sock';
const SPAWN_POLL_MS = 20;

export type WorkerLogLevel = 'debug' | 'info' | 'warn' | 'error' | 'none';
export type WorkerLogTag =
  | 'info' | 'ice' | 'dtls' | 'rtp' | 'srtp' | 'rtcp' | 'rtx'
  | 'bwe' | 'score' | 'simulcast' | 'svc' | 'sctp' | 'message';

/** README.md says what each of mediasoup's settings means here. */
export type WorkerSettings<A extends AppData = AppData> = {
  logLevel?: WorkerLogLevel;
  logTags?: WorkerLogTag[];
  rtcMinPort?: number;
  rtcMaxPort?: number;
  dtlsCertificateFile?: string;
  dtlsPrivateKeyFile?: string;
  libwebrtcFieldTrials?: string;
  /** Start this sluiced instead of connecting to one. */
  workerBin?: string;
  appData?: A;

  /** More options for the sluiced that is started. */
  workerArgs?: string[];
  /** The running relay's socket (default: SLUICE_SOCKET, else /run/sluice/sluice.sock). */
  socketPath?: string;
  /** Make everything on this thread of the relay, and keep it there (default: on all of them). */
  workerIndex?: number;
  /** What it makes ends with the connection: nothing is left if this process dies (false). */
  tied?: boolean;
  /** Milliseconds for making a connection, or for a relay to start (5,000). */
  connectTimeout?: number;
  /** Milliseconds for an answer, waiting in the queue included (15,000). */
  requestTimeout?: number;
  /** Milliseconds for getting a lost connection back; 0: never try (10,000). */
  reconnectTimeout?: number;
  /** Requests that may wait, sent or not (4,096). */
  maxPendingRequests?: number;
};

export type WorkerUpdateableSettings = Pick<WorkerSettings, 'logLevel' | 'logTags'>;

export type WorkerDump = {
  pid: number;
  webRtcServerIds: string[];
  routerIds: string[];
  channelMessageHandlers: {
    channelRequestHandlers: string[];
    channelNotificationHandlers: string[];
  };
};

export type WorkerResourceUsage = Record<`ru_${string}`, number>;

export type WorkerEvents = {
  /** The relay, or the way to it, is gone; all its objects have ended. */
  died: [Error];
  /** After close(): the connection, or the relay that was started, has ended. */
  subprocessclose: [];
  /** Beyond mediasoup: the connection is lost and is being made again. Objects live. */
  disconnected: [Error];
  /** ... and is there again; events that were missed have been emitted. */
  reconnected: [];
  /** The relay takes no new rooms and ends in so many seconds. */
  draining: [seconds: number];
};

export type WorkerObserverEvents = {
  close: [];
  newwebrtcserver: [WebRtcServer];
  newrouter: [Router];
};

export type WorkerObserver = Worker['observer'];

type ServerDump = {
  workers: { index: number; routerIds: string[] }[];
  webRtcServers?: { id: string; workerIndex?: number }[];
};

export class Worker<A extends AppData = AppData> extends Emitter<WorkerEvents> {
  appData: A;
  readonly observer = new Emitter<WorkerObserverEvents>();
  readonly #settings: WorkerSettings<A>;
  readonly #relay: OwnRelay | undefined;
  readonly #channel: Channel;
  readonly #routers: Children = new Set();
  readonly #webRtcServers: Children = new Set();
  #closed = false;
  #died = false;
  #subprocessClosed = false;

  /** @internal */
  static async create<A extends AppData>(settings: WorkerSettings<A>): Promise<Worker<A>> {
    const relay = settings.workerBin === undefined ? undefined : await startRelay(settings);
    const worker = new Worker(settings, relay);
    try {
      await worker.#open();
    } catch (error) {
      relay?.stop();
      throw error;
    }
    return worker;
  }

  private constructor(settings: WorkerSettings<A>, relay: OwnRelay | undefined) {
    super();
    this.appData = settings.appData ?? ({} as A);
    this.#settings = settings;
    this.#relay = relay;
    this.#channel = new Channel(
      {
        socketPath:
          relay?.socketPath ??
          settings.socketPath ??
          process.env['SLUICE_SOCKET'] ??
          SOCKET_PATH,
        connectTimeout: settings.connectTimeout ?? 5000,
        requestTimeout: settings.requestTimeout ?? 15_000,
        reconnectTimeout: settings.reconnectTimeout ?? 10_000,
        maxPendingRequests: settings.maxPendingRequests ?? 4096,
      },
      this.#hooks(),
    );
    this.on('listenererror', (event, error) => {
      logger.error(`a listener for ${event} threw`, error);
    });
  }

  /** The relay's process. */
  get pid(): number {
    return this.#channel.info.pid;
  }

  /** What the relay said about itself when the connection was made. */
  get info(): ServerInfo {
    return this.#channel.info;
  }

  get closed(): boolean {
    return this.#closed;
  }

  get died(): boolean {
    return this.#died;
  }

  get subprocessClosed(): boolean {
    return this.#subprocessClosed;
  }

  /** Closes what it has made and ends the connection, and the relay if it was started here. */
  close(): void {
    if (this.#closed) {
      return;
    }
    this.#closed = true;
    const objects: [string, Children][] = [
      ['router', this.#routers],
      ['webRtcServer', this.#webRtcServers],
    ];
    for (const [noun, all] of objects) {
      for (const { id } of all) {
        this.#channel.release(`${noun}.close`, { [`${noun}Id`]: id });
      }
    }
    this.#endAll();
    this.#channel.close(() => {
      if (!this.#relay) {
        this.#subprocessEnded();
      }
    });
    this.#relay?.stop();
    this.observer.safeEmit('close');
  }

  async dump(): Promise<WorkerDump> {
    const { workers, webRtcServers = [] } = await this.#channel.request<ServerDump>('server.dump');
    // A WebRTC server without an index is on every thread.
    const isMine = (index = this.#settings.workerIndex): boolean =>
      index === (this.#settings.workerIndex ?? index);
    return {
      pid: this.pid,
      webRtcServerIds: webRtcServers
        .filter(({ workerIndex }) => isMine(workerIndex))
        .map(({ id }) => id),
      routerIds: workers
        .filter(({ index }) => isMine(index))
        .flatMap(({ routerIds }) => routerIds),
      channelMessageHandlers: { channelRequestHandlers: [], channelNotificationHandlers: [] },
    };
  }

  /** The relay counts otherwise: request('server.stats') and request('server.census'). */
  async getResourceUsage(): Promise<WorkerResourceUsage> {
    throw unsupported('getResourceUsage', 'the relay has server.stats and server.census instead');
  }

  /** The log of the whole relay. It has no tags. */
  async updateSettings({ logLevel }: WorkerUpdateableSettings = {}): Promise<void> {
    if (logLevel !== undefined) {
      await this.#channel.request('server.setLog', { level: logLevel });
    }
  }

  /** Any method of PROTOCOL.md. */
  request<T = unknown>(method: string, params?: Params): Promise<T> {
    return this.#channel.request<T>(method, params);
  }

  createWebRtcServer<S extends AppData = AppData>(
    options: WebRtcServerOptions<S>,
  ): Promise<WebRtcServer<S>> {
    const { id, appData, ...params } = options;
    const { workerIndex, tied } = this.#settings;
    return make<unknown, WebRtcServer<S>>({
      channel: this.#channel,
      method: 'webRtcServer.create',
      noun: 'webRtcServer',
      id,
      params: { workerIndex, tied, ...params },
      isClosed: () => this.#closed,
      build: (_made, newId) => {
        const server = new WebRtcServer(this.#place(newId, this.#webRtcServers), appData);
        this.observer.safeEmit('newwebrtcserver', server as unknown as WebRtcServer);
        return server;
      },
    });
  }

  createRouter<R extends AppData = AppData>(options: RouterOptions<R> = {}): Promise<Router<R>> {
    const { id, appData, ...params } = options;
    const { workerIndex, tied } = this.#settings;
    return make<RouterMade, Router<R>>({
      channel: this.#channel,
      method: 'router.create',
      noun: 'router',
      id,
      params: { workerIndex, tied, ...params },
      isClosed: () => this.#closed,
      build: (made, newId) => {
        const router = new Router(this.#place(newId, this.#routers), made, appData);
        this.observer.safeEmit('newrouter', router as unknown as Router);
        return router;
      },
    });
  }

  async #open(): Promise<void> {
    const relay = this.#relay;
    if (!relay) {
      await this.#channel.open();
      return;
    }
    void relay.ended.then((error) => this.#relayEnded(error));
    await this.#channel.open();
  }

  #relayEnded(error: Error): void {
    if (!this.#closed) {
      this.#channel.fail(error);
    }
    this.#subprocessEnded();
  }

  #subprocessEnded(): void {
    if (!this.#subprocessClosed) {
      this.#subprocessClosed = true;
      this.safeEmit('subprocessclose');
    }
  }

  #hooks(): ChannelHooks {
    return {
      onserver: (event, params) => {
        if (event === 'draining') {
          this.safeEmit('draining', params['seconds'] as number);
        } else if (event === 'shutdown') {
          this.#channel.fail(new ConnectionLostError('the relay was shut down'));
        }
      },
      onlost: (error) => {
        this.safeEmit('disconnected', error);
      },
      reconcile: (call) => this.#reconcile(call),
      onreconnected: () => {
        this.safeEmit('reconnected');
      },
      ondied: (error) => this.#die(error),
    };
  }

  async #reconcile(call: Call): Promise<void> {
    const objects: AnyObject[] = [...this.#webRtcServers, ...this.#routers];
    await Promise.all(objects.map((object) => object.reconcile(call)));
  }

  #die(error: Error): void {
    if (this.#closed) {
      return;
    }
    this.#closed = true;
    this.#died = true;
    logger.error('the worker died', error);
    this.#endAll();
    this.safeEmit('died', error);
    this.observer.safeEmit('close');
    if (!this.#relay) {
      this.#subprocessEnded();
    }
  }

  #endAll(): void {
    for (const object of [...this.#routers, ...this.#webRtcServers]) {
      object.end('workerclose');
    }
  }

  #place(id: string, siblings: Children): Place {
    return { channel: this.#channel, siblings, id };
  }
}

/** Starts the relay and waits until its socket is there. */
async function startRelay(settings: WorkerSettings): Promise<OwnRelay> {
  const { rtcMinPort, rtcMaxPort, dtlsCertificateFile, dtlsPrivateKeyFile } = settings;
  const portRange =
    rtcMinPort === undefined || rtcMaxPort === undefined
      ? undefined
      : { min: rtcMinPort, max: rtcMaxPort };
  const relay = await OwnRelay.start({
    workerBin: settings.workerBin!,
    workerArgs: settings.workerArgs ?? [],
    logLevel: settings.logLevel ?? 'error',
    config: { portRange, dtlsCertificateFile, dtlsPrivateKeyFile },
  });
  const until = Date.now() + (settings.connectTimeout ?? 5000);
  while (!(await listens(relay))) {
    if (Date.now() > until) {
      relay.stop();
      throw new ConnectError(`sluiced does not listen at ${relay.socketPath}`);
    }
  }
  return relay;
}

/** False: not yet. Throws if it has ended. */
async function listens(relay: OwnRelay): Promise<boolean> {
  const error = await Promise.race([relay.ended, sleep(SPAWN_POLL_MS, undefined)]);
  if (error) {
    throw error;
  }
  return canConnect(relay.socketPath);
}
