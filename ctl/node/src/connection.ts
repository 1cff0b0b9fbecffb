// SPDX-License-Identifier: GPL-3.0-or-later
// One connection to the control socket, from its start to its end: messages in, messages out.
// Who asks what, and what happens afterwards, is the channel's (channel.ts).
import { createConnection, type Socket } from 'node:net';
import { ConnectError, ConnectionLostError, ProtocolError, type WireError } from './errors.js';
import { LineSplitter } from './lines.js';

/** The relay's answers have at most 2 MiB. */
const LINE_BYTES_MAX = 4 * 1024 * 1024;
const CLOSE_MS = 5000;

export type Params = Record<string, unknown>;

export type ConnectionListener = {
  onanswer(id: number, result: unknown, error: WireError | undefined): void;
  onnotification(name: string, params: Params): void;
  /** Once, after the last message. Not after close(). */
  onlost(error: Error): void;
};

type Message = {
  id?: unknown;
  method?: unknown;
  params?: Params;
  result?: unknown;
  error?: WireError;
};

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export class Connection {
  readonly #socket: Socket;
  readonly #listener: ConnectionListener;
  readonly #lines = new LineSplitter(LINE_BYTES_MAX);
  #reason: Error | undefined; // why the relay is about to end it, where it has said so
  #over = false;

  /** Rejects with ConnectError, whose cause has the system's code. */
  static open(path: string, timeoutMs: number, listener: ConnectionListener): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = createConnection({ path });
      const fail = (error: Error): void => {
        clearTimeout(timer);
        socket.destroy();
        const hint = 'is sluiced running, and may this user open its socket?';
        const message = `no relay at ${path} (${error.message}); ${hint}`;
        reject(new ConnectError(message, { cause: error }));
      };
      const timer = setTimeout(() => fail(new Error('it does not accept')), timeoutMs);
      socket.once('error', fail);
      socket.once('connect', () => {
        clearTimeout(timer);
        socket.off('error', fail);
        resolve(new Connection(socket, listener));
      });
    });
  }

  private constructor(socket: Socket, listener: ConnectionListener) {
    this.#socket = socket;
    this.#listener = listener;
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', (error) => {
      this.#reason ??= error;
    });
    socket.on('close', () => this.#lost());
  }

  send(line: string): void {
    this.#socket.write(line);
  }

  /** What has been sent still arrives; nothing more is heard. */
  close(onclosed: () => void): void {
    this.#over = true;
    this.#socket.once('close', onclosed);
    this.#socket.end(); // the relay ends its side when it has read everything
    setTimeout(() => this.#socket.destroy(), CLOSE_MS).unref(); // ... if it still reads
  }

  #receive(chunk: Buffer): void {
    if (this.#over) {
      return;
    }
    try {
      for (const line of this.#lines.push(chunk)) {
        this.#read(line);
        if (this.#over) {
          return;
        }
      }
    } catch (error) {
      // Whoever breaks the protocol once is not to be trusted with the next line.
      this.#reason = error as Error;
      this.#socket.destroy();
      this.#lost();
    }
  }

  #read(line: string): void {
    let message: Message;
    try {
      message = JSON.parse(line) as Message;
    } catch (error) {
      throw new ProtocolError('the relay sent a line that is no JSON', { cause: error });
    }
    if (!isObject(message)) {
      throw new ProtocolError('the relay sent JSON that is no message');
    }
    if (typeof message.method === 'string') {
      this.#listener.onnotification(message.method, isObject(message.params) ? message.params : {});
    } else if (typeof message.id === 'number' && ('result' in message || isObject(message.error))) {
      this.#listener.onanswer(message.id, message.result, message.error);
    } else if (message.id === null && isObject(message.error)) {
      this.#reason = new ProtocolError(`the relay says: ${message.error.message}`);
    } else {
      throw new ProtocolError('the relay sent JSON that is neither answer nor notification');
    }
  }

  #lost(): void {
    if (this.#over) {
      return;
    }
    this.#over = true;
    const cause = this.#reason;
    const why = cause ? `: ${cause.message}` : '';
    this.#listener.onlost(
      new ConnectionLostError(`the connection to the relay is lost${why}`, { cause }),
    );
  }
}

/** Whether someone listens there. */
export function canConnect(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ path });
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}
