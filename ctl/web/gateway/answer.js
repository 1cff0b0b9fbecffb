// SPDX-License-Identifier: GPL-3.0-or-later
// The SDP answer, to publishers and viewers alike.
import { randomInt } from 'node:crypto';
import { write } from 'sdp-transform';
import { candidatesOf } from './candidates.js';
import { configOf } from './codecs.js';

/** @typedef {import('./offer.js').Offer} Offer */
/** @typedef {import('./offer.js').OfferMedia} OfferMedia */
/** @typedef {import('sluice-client').types.RtpCodecParameters} Codec */
/** @typedef {import('sluice-client').types.WebRtcTransport} WebRtcTransport */

/**
 * @typedef {object} AnswerMedia
 * @property {'recvonly' | 'sendonly' | 'inactive' | 'rejected'} direction
 * @property {Codec[]} codecs  in the offerer's payload types
 * @property {import('./extensions.js').Extension[]} extensions  with the offerer's ids
 * @property {{ ssrc: number, rtx?: { ssrc: number }, cname: string, track: string }} [stream]
 */

/** What an ICE restart needs to say again. */
/** @typedef {{ mids: string[], kind: string, payloads: string }} Bundle */

/**
 * @param {Offer} offer
 * @param {AnswerMedia[]} media  in the order of the offer
 * @param {WebRtcTransport} transport
 * @returns {{ sdp: string, bundle: Bundle }}
 */
export function writeAnswer(offer, media, transport) {
  const sections = offer.media.map((offered, i) =>
    media[i].direction === 'rejected'
      ? rejected(offered)
      : section(offered, media[i], offer, transport),
  );
  const accepted = sections.filter(({ port }) => port !== 0);
  const mids = accepted.map(({ mid }) => mid);
  const sdp = write({
    version: 0,
    origin: {
      username: '-',
      sessionId: String(randomInt(1, 2 ** 47)),
      sessionVersion: 1,
      netType: 'IN',
      ipVer: 4,
      address: '127.0.0.1', // RFC 8829 5.3.1: no address is told here
    },
    name: '-',
    timing: { start: 0, stop: 0 },
    groups: [{ type: 'BUNDLE', mids: mids.join(' ') }],
    icelite: 'ice-lite',
    msidSemantic: { semantic: 'WMS', token: '*' },
    ...(offer.mixedExtensions && { extmapAllowMixed: 'extmap-allow-mixed' }),
    media: /** @type {any} */ (sections),
  });
  return { sdp, bundle: { mids, kind: accepted[0].type, payloads: accepted[0].payloads } };
}

/**
 * Whether a text that somebody else chose may stand in a line of SDP: one that breaks the line
 * could say anything, candidates included.
 * @param {unknown} text
 * @returns {text is string}
 */
export const isWord = (text) => typeof text === 'string' && /^[\x21-\x7e]{1,64}$/.test(text);

/**
 * The last guard before the line is written; whoever made the text has to see to it before.
 * @param {string} text
 */
function word(text) {
  if (!isWord(text)) {
    throw new TypeError('an SDP answer with something that is no word of SDP');
  }
  return text;
}

const connection = { version: 4, ip: '0.0.0.0' };

/** @param {OfferMedia} offered */
function rejected({ kind, mid, section: { protocol, payloads } }) {
  const common = { type: kind, port: 0, protocol, payloads: String(payloads ?? '0') };
  return { ...common, connection, mid: word(mid), rtp: [], fmtp: [], direction: 'inactive' };
}

/**
 * @param {OfferMedia} offered
 * @param {AnswerMedia} media
 * @param {Offer} offer
 * @param {WebRtcTransport} transport
 */
function section(offered, media, offer, transport) {
  const { kind, mid, section: theirs } = offered;
  const { direction, codecs, extensions, stream } = media;
  const { iceParameters, iceCandidates, dtlsParameters } = transport;
  // The strongest, which every offerer of today knows.
  const fingerprint =
    dtlsParameters.fingerprints.find(({ algorithm }) => algorithm === 'sha-256') ??
    dtlsParameters.fingerprints[0];
  return {
    type: kind,
    port: 9,
    protocol: theirs.protocol,
    payloads: codecs.map(({ payloadType }) => payloadType).join(' '),
    connection,
    iceUfrag: iceParameters.usernameFragment,
    icePwd: iceParameters.password,
    iceOptions: 'ice2',
    fingerprint: { type: fingerprint.algorithm, hash: fingerprint.value },
    setup: offer.setup,
    mid: word(mid),
    direction,
    ...(stream && { msid: [{ id: 'sluice', appdata: word(stream.track) }] }),
    rtcpMux: 'rtcp-mux',
    rtcpRsize: 'rtcp-rsize',
    ext: extensions.map(({ id: value, uri }) => ({ value, uri })),
    rtp: codecs.map(rtpmap),
    fmtp: codecs.flatMap((codec) => fmtp(codec, theirs)),
    rtcpFb: codecs.flatMap(({ payloadType: payload, rtcpFeedback = [] }) =>
      rtcpFeedback.map(({ type, parameter }) => ({
        payload,
        type,
        ...(parameter && { subtype: parameter }),
      })),
    ),
    ...(stream && ssrcLines(stream)),
    candidates: candidatesOf(iceCandidates),
    endOfCandidates: 'end-of-candidates',
  };
}

/** @param {Codec} codec */
function rtpmap({ mimeType, payloadType: payload, clockRate: rate, channels = 1 }) {
  const codec = mimeType.replace(/^.*\//, '');
  return { payload, codec, rate, ...(channels > 1 && { encoding: channels }) };
}

/**
 * The offer's words: what they say holds for both directions, or tells what the other side can do.
 * @param {Codec} codec
 * @param {import('sdp-transform').MediaDescription} theirs
 */
function fmtp({ payloadType: payload }, theirs) {
  const config = configOf(theirs, payload);
  return config === undefined ? [] : [{ payload, config }];
}

/** @param {NonNullable<AnswerMedia['stream']>} stream */
function ssrcLines({ ssrc, rtx, cname }) {
  const value = word(cname);
  const ids = rtx ? [ssrc, rtx.ssrc] : [ssrc];
  return {
    ssrcs: ids.map((id) => ({ id, attribute: 'cname', value })),
    ...(rtx && { ssrcGroups: [{ semantics: 'FID', ssrcs: ids.join(' ') }] }),
  };
}
