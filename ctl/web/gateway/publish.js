// SPDX-License-Identifier: GPL-3.0-or-later
// WHIP: what an offer sends, as producers' parameters, and what of it the answer takes.
import { chooseCodec, codecsOf, commonFeedback } from './codecs.js';
import { commonExtensions } from './extensions.js';
import { unprocessable } from './problem.js';

const MID = 'urn:ietf:params:rtp-hdrext:sdes:mid';
const SSRC_MAX = 0xffffffff;

/** @typedef {import('./offer.js').Offer} Offer */
/** @typedef {import('./offer.js').OfferMedia} OfferMedia */
/** @typedef {import('./answer.js').AnswerMedia} AnswerMedia */
/** @typedef {import('sluice-client').types.RtpCapabilities} RtpCapabilities */
/** @typedef {import('sluice-client').types.RtpParameters} RtpParameters */
/** @typedef {'audio' | 'video'} Kind */

/**
 * @typedef {object} Publication
 * @property {{ kind: Kind, rtpParameters: RtpParameters }[]} producers
 * @property {AnswerMedia[]} answer  in the order of the offer
 */

/**
 * All or nothing: RFC 9725 4.4.3 wants no answer that takes a part of what was offered.
 * @param {Offer} offer
 * @param {RtpCapabilities} room
 * @returns {Publication}
 */
export function planPublication(offer, room) {
  const kinds = new Set();
  for (const { kind, mid, direction, offered } of offer.media) {
    if (!offered) {
      throw unprocessable(`The m= section ${mid} has port 0: leave it out.`);
    }
    if (kind !== 'audio' && kind !== 'video') {
      throw unprocessable(`WHIP carries audio and video here, not m=${kind}.`);
    }
    if (direction !== 'sendonly' && direction !== 'sendrecv') {
      throw unprocessable(`To publish is sendonly, but m= section ${mid} is ${direction}.`);
    }
    if (kinds.has(kind)) {
      throw unprocessable(`One audio and one video stream at most: there are two of ${kind}.`);
    }
    kinds.add(kind);
  }
  const planned = offer.media.map((media) => planSection(media, offer, room));
  return {
    producers: planned.map(({ kind, rtpParameters }) => ({ kind, rtpParameters })),
    answer: planned.map(({ answer }) => answer),
  };
}

/**
 * @param {OfferMedia} media
 * @param {Offer} offer
 * @param {RtpCapabilities} room
 */
function planSection({ kind: kindText, mid, section }, offer, room) {
  const kind = /** @type {Kind} */ (kindText);
  const choice = chooseCodec(codecsOf(section), room);
  if (!choice) {
    const names = (room.codecs ?? []).filter((each) => each.kind === kind && !isRepair(each));
    const list = names.map(nameOf).join(', ');
    throw unprocessable(`None of the ${kind} codecs of the offer is one of the room: ${list}.`);
  }
  const extensions = commonExtensions(
    section,
    'send',
    (uri) => isReceived(room, kind, uri),
    offer.mixedExtensions,
  );
  const uris = new Set(extensions.map(({ uri }) => uri));
  const { codec, capability, rtx } = choice;
  const feedback = commonFeedback(capability.rtcpFeedback ?? [], codec.rtcpFeedback ?? [], uris);
  const taken = { ...codec, rtcpFeedback: feedback };
  const rtpParameters = {
    mid,
    codecs: rtx ? [taken, { ...rtx, rtcpFeedback: [] }] : [taken],
    headerExtensions: /** @type {RtpParameters['headerExtensions']} */ (extensions),
    encodings: [encodingOf(section, mid, uris.has(MID), rtx !== undefined)],
    rtcp: rtcpOf(section),
  };
  /** @type {AnswerMedia} */
  const answer = { direction: 'recvonly', codecs: rtpParameters.codecs, extensions };
  return { kind, rtpParameters, answer };
}

/** @param {{ mimeType: string }} codec */
const isRepair = ({ mimeType }) => /\/(rtx|red)$/i.test(mimeType);

/** @param {{ mimeType: string, parameters?: Record<string, unknown> }} codec */
function nameOf({ mimeType, parameters }) {
  const profile = parameters?.['profile-level-id'];
  const name = mimeType.replace(/^.*\//, '');
  return profile === undefined ? name : `${name} (profile-level-id ${profile})`;
}

/**
 * Restriction identifiers tell layers apart, and there are none in this version.
 * @param {RtpCapabilities} room
 * @param {Kind} kind
 * @param {string} uri
 */
function isReceived({ headerExtensions = [] }, kind, uri) {
  return (
    !uri.endsWith(':rtp-stream-id') &&
    !uri.endsWith(':repaired-rtp-stream-id') &&
    headerExtensions.some(
      (each) =>
        each.kind === kind &&
        each.uri === uri &&
        (each.direction === 'sendrecv' || each.direction === 'recvonly'),
    )
  );
}

/**
 * The stream's SSRCs, where the offer names them; else MID finds it. Of simulcast, in either form,
 * the first layer is taken: an answer without a=simulcast and a=rid makes the sender send that one.
 * @param {import('sdp-transform').MediaDescription} section
 * @param {string} mid
 * @param {boolean} hasMid
 * @param {boolean} hasRtx
 */
function encodingOf(section, mid, hasMid, hasRtx) {
  const groups = section.ssrcGroups ?? [];
  const named = (section.ssrcs ?? []).map(({ id }) => Number(id));
  const first = listOf(groups.find(({ semantics }) => semantics === 'SIM'))[0] ?? named[0];
  if (!isSsrc(first)) {
    if (!hasMid) {
      throw unprocessable(
        `The m= section ${mid} names its stream neither by a=ssrc nor by the MID extension.`,
      );
    }
    return {};
  }
  const pairs = groups.filter(({ semantics }) => semantics === 'FID').map(listOf);
  const repair = pairs.find(([media]) => media === first)?.[1];
  const hasRepair = hasRtx && isSsrc(repair) && repair !== first;
  return hasRepair ? { ssrc: first, rtx: { ssrc: repair } } : { ssrc: first };
}

/**
 * @param {{ ssrcs: string } | undefined} group
 * @returns {number[]}
 */
const listOf = (group) => (group ? String(group.ssrcs).split(' ').map(Number) : []);

/**
 * @param {number | undefined} ssrc
 * @returns {ssrc is number}
 */
function isSsrc(ssrc) {
  return ssrc !== undefined && Number.isInteger(ssrc) && ssrc > 0 && ssrc <= SSRC_MAX;
}

/** @param {import('sdp-transform').MediaDescription} section */
function rtcpOf(section) {
  const cname = section.ssrcs?.find(({ attribute }) => attribute === 'cname')?.value;
  const text = cname === undefined ? '' : String(cname).slice(0, 64);
  return { ...(/^[\x21-\x7e]+$/.test(text) && { cname: text }), reducedSize: true };
}
