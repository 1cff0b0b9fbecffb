// SPDX-License-Identifier: GPL-3.0-or-later
// application/trickle-ice-sdpfrag (RFC 8840): candidates that a client has found later, or the
// credentials of an ICE restart; and the answer to the latter.
import { parse, write } from 'sdp-transform';
import { candidatesOf } from './candidates.js';
import { malformed } from './problem.js';

const LINES_MAX = 200;
const CANDIDATE = new RegExp(
  '^candidate:[A-Za-z0-9+/]{1,32} \\d{1,5} [A-Za-z]{2,16} \\d{1,10} ' +
    '\\S{1,255} \\d{1,5} typ \\S{1,16}( .*)?$',
);

/** RFC 8839 5.4: 4 to 256 and 22 to 256 ice-chars. */
const UFRAG = /^[A-Za-z0-9+/]{4,256}$/;
const PASSWORD = /^[A-Za-z0-9+/]{22,256}$/;

/**
 * @typedef {object} Fragment
 * @property {string} [usernameFragment]
 * @property {string} [password]
 * @property {number} candidates  how many there are
 */

/**
 * Checks ICE credentials wherever they stand; undefined where there are none.
 * @param {unknown} ufrag
 * @param {unknown} password
 */
export function readCredentials(ufrag, password) {
  if (ufrag === undefined && password === undefined) {
    return undefined;
  }
  const credentials = { usernameFragment: String(ufrag ?? ''), password: String(password ?? '') };
  if (!UFRAG.test(credentials.usernameFragment)) {
    throw malformed('a=ice-ufrag has 4 to 256 letters, digits, + or /, and comes with a=ice-pwd.');
  }
  if (!PASSWORD.test(credentials.password)) {
    throw malformed('a=ice-pwd has 22 to 256 letters, digits, + or /, and comes with a=ice-ufrag.');
  }
  return credentials;
}

/**
 * @param {string} text
 * @returns {Fragment}
 */
export function readFragment(text) {
  const lines = text.split(/\r\n|\n|\r/).filter((line) => line !== '');
  if (lines.length === 0 || lines.length > LINES_MAX) {
    throw malformed(`The fragment has ${lines.length} lines instead of 1 to ${LINES_MAX}.`);
  }
  let candidates = 0;
  for (const line of lines) {
    if (!/^[am]=\S/.test(line)) {
      throw malformed(`This is no line of a fragment: ${line.slice(0, 80)}`);
    }
    if (line.startsWith('a=candidate:')) {
      if (!CANDIDATE.test(line.slice(2))) {
        throw malformed(`This is no candidate: ${line.slice(0, 80)}`);
      }
      candidates++;
    }
  }
  const { media, iceUfrag, icePwd } = parse(text);
  const places = [{ iceUfrag, icePwd }, ...media];
  const all = places.map((place) => readCredentials(place.iceUfrag, place.icePwd));
  const given = all.filter((each) => each !== undefined);
  if (given.some((each) => each.usernameFragment !== given[0].usernameFragment)) {
    throw malformed('With BUNDLE there is one pair of ICE credentials.');
  }
  return { ...given[0], candidates };
}

/**
 * @param {import('sluice-client').types.WebRtcTransport} transport
 * @param {{ mids: string[], kind: string, payloads: string }} bundle  what was answered
 */
export function writeFragment({ iceParameters, iceCandidates }, { mids, kind, payloads }) {
  const description = {
    icelite: 'ice-lite',
    iceOptions: 'ice2',
    groups: [{ type: 'BUNDLE', mids: mids.join(' ') }],
    media: [
      {
        type: kind,
        port: 9,
        protocol: 'UDP/TLS/RTP/SAVPF',
        payloads,
        mid: mids[0],
        iceUfrag: iceParameters.usernameFragment,
        icePwd: iceParameters.password,
        candidates: candidatesOf(iceCandidates),
        endOfCandidates: 'end-of-candidates',
        rtp: [],
        fmtp: [],
      },
    ],
  };
  // A fragment has no v= and s=, which the library always writes.
  return write(/** @type {any} */ (description)).replace(/^[vs]=.*\r\n/gm, '');
}
