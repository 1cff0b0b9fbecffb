// SPDX-License-Identifier: GPL-3.0-or-later
// A request that is not done, as HTTP says it: a status and a problem statement (RFC 9457).
import { STATUS_CODES } from 'node:http';
import { errors } from 'sluice-client';

const RETRY_SECONDS = 5;

export class Problem extends Error {
  /**
   * @param {number} status
   * @param {string} detail  for people
   * @param {Record<string, string>} [headers]
   */
  constructor(status, detail, headers = {}) {
    super(detail);
    this.name = 'Problem';
    this.status = status;
    this.headers = headers;
  }

  get body() {
    const { status, message: detail } = this;
    return `${JSON.stringify({ title: STATUS_CODES[status], status, detail })}\n`;
  }
}

/** @param {string} detail */
export const malformed = (detail) => new Problem(400, detail);

/** @param {string} detail */
export const unprocessable = (detail) => new Problem(422, detail);

/**
 * @param {string} detail
 * @param {number} [seconds]
 */
export const unavailable = (detail, seconds = RETRY_SECONDS) =>
  new Problem(503, detail, { 'retry-after': String(seconds) });

const REFUSALS = new Map([
  ['bad-request', 400],
  ['not-found', 404],
  ['wrong-state', 409],
  ['too-fast', 429],
  ['full', 503],
  ['relay-away', 503],
]);

/**
 * What the rooms and the relay's client throw, as a problem; undefined for what is nobody's doing
 * but ours.
 * @param {unknown} error
 * @returns {Problem | undefined}
 */
export function problemOf(error) {
  if (error instanceof Problem) {
    return error;
  }
  if (!(error instanceof Error)) {
    return undefined;
  }
  if (error.name === 'Refusal' && 'code' in error) {
    return refused(REFUSALS.get(String(error.code)) ?? 400, error.message);
  }
  if (
    error instanceof errors.InvalidParamsError ||
    error instanceof errors.UnsupportedError ||
    error instanceof errors.ExistsError // an SSRC that two streams of the offer have
  ) {
    const wanted = error.expected ? ` (${error.path}: ${error.expected})` : '';
    return unprocessable(`The relay cannot do what the offer asks for: ${error.message}${wanted}.`);
  }
  if (error instanceof errors.LimitError || error instanceof errors.QueueFullError) {
    return unavailable('The relay is full.');
  }
  if (error instanceof errors.DrainingError) {
    return unavailable('The relay is about to stop.');
  }
  if (
    error instanceof errors.NotFoundError ||
    error instanceof errors.ParentClosedError ||
    error instanceof errors.InvalidStateError
  ) {
    return new Problem(409, 'The room or stream has just gone.', retryAfter(1));
  }
  if (
    error instanceof errors.ConnectionLostError ||
    error instanceof errors.WorkerClosedError ||
    error instanceof errors.TimeoutError ||
    error instanceof errors.ConnectError
  ) {
    return unavailable('The relay is not reachable at the moment.');
  }
  return undefined;
}

/** @param {number} seconds */
const retryAfter = (seconds) => ({ 'retry-after': String(seconds) });

/**
 * @param {number} status
 * @param {string} detail
 */
function refused(status, detail) {
  const later = status === 429 || status === 503;
  return new Problem(status, detail, later ? retryAfter(RETRY_SECONDS) : {});
}
