// SPDX-License-Identifier: GPL-3.0-or-later
// What a promise of this library is rejected with. RelayError and its kinds are the relay's
// answers; the others arise here.

export class SluiceError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** The `error` of an answer, as the wire has it. */
export type WireError = {
  code: number;
  message: string;
  data?: { path?: string; expected?: string; got?: unknown };
};

/** The relay refused a request. */
export class RelayError extends SluiceError {
  readonly code: number;
  /** The request. */
  readonly method: string;
  /** The offending field of `params`, if there is one: `listenInfo.ip`. */
  readonly path: string | undefined;
  readonly expected: string | undefined;
  readonly got: unknown;

  constructor(method: string, { code, message, data }: WireError) {
    super(`${method}: ${message}`);
    this.code = code;
    this.method = method;
    this.path = data?.path;
    this.expected = data?.expected;
    this.got = data?.got;
  }
}

/** -32602: a parameter is missing or wrong. */
export class InvalidParamsError extends RelayError {}
/** -32001: no object has this id; what a method of an object that is gone ends with, too. */
export class NotFoundError extends RelayError {}
/** -32002: the id or address is in use. */
export class ExistsError extends RelayError {}
/** -32003: the object's state does not allow it. */
export class InvalidStateError extends RelayError {}
/** -32004: a limit is reached. */
export class LimitError extends RelayError {}
/** -32005: a method or option that a later version of the relay brings, or that it never has. */
export class UnsupportedError extends RelayError {}
/** -32006: the relay is draining and takes nothing new. */
export class DrainingError extends RelayError {}

const UNSUPPORTED = -32005;

const kinds = new Map<number, typeof RelayError>([
  [-32602, InvalidParamsError],
  [-32001, NotFoundError],
  [-32002, ExistsError],
  [-32003, InvalidStateError],
  [-32004, LimitError],
  [UNSUPPORTED, UnsupportedError],
  [-32006, DrainingError],
]);

export function relayError(method: string, error: WireError): RelayError {
  return new (kinds.get(error.code) ?? RelayError)(method, error);
}

/** For what mediasoup has and no relay does. */
export function unsupported(method: string, message: string): UnsupportedError {
  return new UnsupportedError(method, { code: UNSUPPORTED, message });
}

/** The relay could not be reached, or did not start. */
export class ConnectError extends SluiceError {}
/** The connection went away before the answer: the request may have been done, or not. */
export class ConnectionLostError extends SluiceError {}
/** No answer in time: the request may still be done. */
export class TimeoutError extends SluiceError {}
/** Too many requests wait already; this one was not sent. */
export class QueueFullError extends SluiceError {}
/** The request's line would be longer than the relay takes; it was not sent. */
export class RequestTooLargeError extends SluiceError {}
/** What came is not the protocol, or not this version of it. */
export class ProtocolError extends SluiceError {}
/** The worker was closed, or died. */
export class WorkerClosedError extends SluiceError {}
/** The parent of an object was closed while the object was being made. */
export class ParentClosedError extends SluiceError {}
