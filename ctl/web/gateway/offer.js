// SPDX-License-Identifier: GPL-3.0-or-later
// An SDP offer, read and checked as far as publishing and playing have in common. What it cannot be
// understood for is a 400, what it asks for and cannot have a 422.
import { parse } from 'sdp-transform';
import { readCredentials } from './fragment.js';
import { malformed, unprocessable } from './problem.js';

const LINES_MAX = 2000;
const MID_BYTES_MAX = 32; // RFC 8843 15: one that fits a header extension
const FINGERPRINT_BYTES = new Map([
  ['sha-1', 20],
  ['sha-224', 28],
  ['sha-256', 32],
  ['sha-384', 48],
  ['sha-512', 64],
]);

/** @typedef {import('sdp-transform').MediaDescription} Section */
/** @typedef {import('sluice-client').types.DtlsParameters} DtlsParameters */

/**
 * @typedef {object} OfferMedia
 * @property {string} kind  audio, video, application ...
 * @property {string} mid
 * @property {string} direction
 * @property {boolean} offered  false: its port is 0
 * @property {Section} section
 */

/**
 * @typedef {object} Offer
 * @property {OfferMedia[]} media
 * @property {{ usernameFragment: string, password: string }} ice
 * @property {DtlsParameters} dtlsParameters
 * @property {'active' | 'passive'} setup  ours, for the answer
 * @property {boolean} mixedExtensions
 */

/**
 * @param {string} text
 * @param {{ sections: number }} limits
 * @returns {Offer}
 */
export function readOffer(text, { sections }) {
  checkLines(text);
  const session = parse(text);
  if (session.media.length === 0) {
    throw unprocessable('The offer has no m= section: there is no media in it.');
  }
  if (session.media.length > sections) {
    throw unprocessable(`The offer has more than ${sections} m= sections.`);
  }
  const media = session.media.map((section) => readSection(section, session));
  checkMids(media);
  checkBundle(session, media);
  const tagged = media.find(({ offered }) => offered)?.section;
  if (!tagged) {
    throw unprocessable('All m= sections of the offer have port 0.');
  }
  const ice = readCredentials(
    tagged.iceUfrag ?? session.iceUfrag,
    tagged.icePwd ?? session.icePwd,
  );
  if (!ice) {
    throw unprocessable('The offer has no a=ice-ufrag and a=ice-pwd.');
  }
  if (session.icelite) {
    throw unprocessable('The offer says a=ice-lite, and so is this side: one has to be full ICE.');
  }
  return {
    media,
    ice,
    ...readDtls(tagged, session),
    mixedExtensions: [session, ...session.media].some(
      (place) => /** @type {any} */ (place).extmapAllowMixed !== undefined,
    ),
  };
}

/** @param {string} text */
function checkLines(text) {
  const lines = text.split(/\r\n|\n|\r/);
  while (lines.at(-1) === '') {
    lines.pop();
  }
  if (lines.length > LINES_MAX) {
    throw malformed(`The offer has more than ${LINES_MAX} lines.`);
  }
  if (lines[0]?.trimEnd() !== 'v=0') {
    throw malformed('This is no session description: it does not begin with v=0.');
  }
  const wrong = lines.findIndex((line) => !/^[a-z]=/.test(line));
  if (wrong >= 0) {
    throw malformed(`Line ${wrong + 1} of the offer is none: ${lines[wrong].slice(0, 80)}`);
  }
  if (!lines.some((line) => /^o=\S+ \d+ \d+ IN IP[46] \S+/.test(line))) {
    throw malformed('The offer has no o= line.');
  }
  const media = lines.filter((line) => line.startsWith('m='));
  if (media.some((line) => !/^m=[a-z]+ \d{1,5}(\/\d+)? [A-Za-z/]+ \S/.test(line))) {
    throw malformed('An m= line of the offer is malformed.');
  }
}

/**
 * @param {Section} section
 * @param {import('sdp-transform').SessionDescription} session
 * @returns {OfferMedia}
 */
function readSection(section, session) {
  const mid = section.mid === undefined ? '' : String(section.mid);
  return {
    kind: section.type,
    mid,
    direction: section.direction ?? /** @type {any} */ (session).direction ?? 'sendrecv',
    // A bundled section may have port 0 in an offer, and says so: RFC 9143 6.
    offered: section.port !== 0 || /** @type {any} */ (section).bundleOnly !== undefined,
    section,
  };
}

/** @param {OfferMedia[]} media */
function checkMids(media) {
  const seen = new Set();
  for (const { mid } of media) {
    if (mid === '') {
      throw unprocessable('Every m= section of the offer needs an a=mid.');
    }
    if (!/^[\x21-\x7e]+$/.test(mid) || mid.length > MID_BYTES_MAX) {
      throw unprocessable(`An a=mid has at most ${MID_BYTES_MAX} printable characters.`);
    }
    if (seen.has(mid)) {
      throw malformed(`Two m= sections have the same a=mid: ${mid}`);
    }
    seen.add(mid);
  }
}

/**
 * RFC 9725 4.4.1: all sections are in one BUNDLE group, and RTP and RTCP share the port.
 * @param {import('sdp-transform').SessionDescription} session
 * @param {OfferMedia[]} media
 */
function checkBundle(session, media) {
  const offered = media.filter(({ offered }) => offered);
  const group = session.groups?.find(({ type }) => type === 'BUNDLE');
  const mids = new Set(String(group?.mids ?? '').split(' '));
  if (offered.length > 1 && !offered.every(({ mid }) => mids.has(mid))) {
    throw unprocessable(
      'All m= sections have to be in one BUNDLE group (bundle policy max-bundle).',
    );
  }
  for (const { section, mid } of offered) {
    if (section.protocol !== 'UDP/TLS/RTP/SAVPF' && section.protocol !== 'TCP/TLS/RTP/SAVPF') {
      continue; // no RTP: whoever looks at its kind refuses it
    }
    if (!section.rtcpMux) {
      throw unprocessable(`The m= section ${mid} has no a=rtcp-mux.`);
    }
  }
}

/**
 * @param {Section} tagged
 * @param {import('sdp-transform').SessionDescription} session
 * @returns {{ dtlsParameters: DtlsParameters, setup: 'active' | 'passive' }}
 */
function readDtls(tagged, session) {
  const fingerprint = tagged.fingerprint ?? session.fingerprint;
  if (!fingerprint) {
    throw unprocessable('The offer has no a=fingerprint: media goes over DTLS-SRTP only.');
  }
  const algorithm = String(fingerprint.type).toLowerCase();
  const bytes = FINGERPRINT_BYTES.get(algorithm);
  if (bytes === undefined) {
    throw unprocessable(`Fingerprints are of ${[...FINGERPRINT_BYTES.keys()].join(', ')}.`);
  }
  const value = String(fingerprint.hash).toUpperCase();
  if (!/^[0-9A-F]{2}(:[0-9A-F]{2})*$/.test(value) || value.length !== 3 * bytes - 1) {
    throw malformed(`This is no ${algorithm} fingerprint: ${value.slice(0, 80)}`);
  }
  const setup = tagged.setup ?? /** @type {any} */ (session).setup ?? 'actpass';
  if (setup !== 'actpass' && setup !== 'active' && setup !== 'passive') {
    throw unprocessable(`a=setup:${setup} cannot be answered; actpass is usual.`);
  }
  const role = setup === 'passive' ? 'server' : 'client';
  return {
    dtlsParameters: {
      role,
      fingerprints: [
        {
          algorithm:
            /** @type {import('sluice-client').types.FingerprintAlgorithm} */ (algorithm),
          value,
        },
      ],
    },
    // Where the peer lets us choose we are the DTLS server: a round trip less with browsers.
    setup: role === 'client' ? 'passive' : 'active',
  };
}
