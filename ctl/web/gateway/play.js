// SPDX-License-Identifier: GPL-3.0-or-later
// WHEP: which of a room's streams a viewer gets, and consumers' parameters for it in the viewer's
// own payload types and extension ids, since it was the viewer who made the offer.
import { randomInt } from 'node:crypto';
import { codecFits } from 'sluice-client';
import { isWord } from './answer.js';
import { codecsOf, commonFeedback, isRtx, rtxOf } from './codecs.js';
import { commonExtensions } from './extensions.js';
import { unprocessable } from './problem.js';

/** @typedef {import('./offer.js').Offer} Offer */
/** @typedef {import('./offer.js').OfferMedia} OfferMedia */
/** @typedef {import('./answer.js').AnswerMedia} AnswerMedia */
/** @typedef {import('../room.js').Published} Published */
/** @typedef {import('sluice-client').types.RtpParameters} RtpParameters */
/** @typedef {import('sluice-client').types.RtpCodecParameters} Codec */
/** @typedef {'audio' | 'video'} Kind */

/**
 * @typedef {object} Play
 * @property {ConsumerPlan[]} consumers
 * @property {AnswerMedia[]} answer  in the order of the offer
 */

/**
 * @typedef {object} ConsumerPlan
 * @property {string} producerId
 * @property {RtpParameters} rtpParameters
 * @property {{ codecs: { payloadType: number, mappedPayloadType: number }[] }} rtpMapping
 */

/**
 * One video and one audio stream: of one member if it can be, who has come in by WHIP if there is
 * one, the latest of these.
 * @param {Iterable<Published>} published
 * @returns {Map<Kind, Published>}
 */
export function chooseStreams(published) {
  const all = [...published].reverse(); // a Map keeps the order in which they came
  /** @param {Published} entry */
  const rank = ({ producer, member }) =>
    (producer.kind === 'video' ? 4 : 0) +
    (member.kind === 'whip' || member.kind === 'feed' ? 2 : 0) +
    (all.some((other) => other.member === member && other.producer.kind !== producer.kind) ? 1 : 0);
  const [first] = [...all].sort((a, b) => rank(b) - rank(a));
  /** @type {Map<Kind, Published>} */
  const chosen = new Map();
  if (first) {
    const other = first.producer.kind === 'video' ? 'audio' : 'video';
    const others = all.filter(({ producer }) => producer.kind === other);
    const second = others.find(({ member }) => member === first.member) ?? others[0];
    chosen.set(first.producer.kind, first);
    if (second) {
      chosen.set(other, second);
    }
  }
  return chosen;
}

/**
 * @param {Offer} offer
 * @param {Map<Kind, Published>} streams
 * @returns {Play}
 */
export function planPlay(offer, streams) {
  /** @type {Set<number>} */
  const ssrcs = new Set();
  /** @type {ConsumerPlan[]} */
  const consumers = [];
  const left = new Map(streams);
  const answer = offer.media.map((media) => {
    const kind = /** @type {Kind} */ (media.kind);
    const stream = left.get(kind);
    if (stream && media.offered) {
      mustReceive(media);
      const planned = planSection(media, offer, stream.producer, ssrcs);
      if (planned) {
        left.delete(kind);
        consumers.push(planned.consumer);
        return planned.answer;
      }
    }
    return refusal(media);
  });
  if (consumers.length === 0) {
    const what = [...streams.values()].map(({ producer }) => nameOf(producer)).join(' and ');
    throw unprocessable(`The room has ${what}, and the offer cannot receive any of it.`);
  }
  return { consumers, answer };
}

/** @param {OfferMedia} media */
function mustReceive({ mid, direction }) {
  if (direction !== 'recvonly' && direction !== 'sendrecv') {
    throw unprocessable(`To play is recvonly, but m= section ${mid} is ${direction}.`);
  }
}

/** @param {import('sluice-client').types.Producer} producer */
const nameOf = ({ kind, consumableRtpParameters: { codecs } }) =>
  `${kind} in ${codecs[0].mimeType}`;

/**
 * A section that nothing is sent in. It stays in the BUNDLE group, as the first one has to.
 * @param {OfferMedia} media
 * @returns {AnswerMedia}
 */
function refusal({ kind, section, offered }) {
  const isMedia = kind === 'audio' || kind === 'video';
  const codec = isMedia && offered ? codecsOf(section).find((each) => !isRtx(each)) : undefined;
  return codec
    ? { direction: 'inactive', codecs: [{ ...codec, rtcpFeedback: [] }], extensions: [] }
    : { direction: 'rejected', codecs: [], extensions: [] };
}

/**
 * @param {OfferMedia} media
 * @param {Offer} offer
 * @param {import('sluice-client').types.Producer} producer
 * @param {Set<number>} ssrcs  those that are taken
 * @returns {{ consumer: ConsumerPlan, answer: AnswerMedia } | undefined}
 */
function planSection({ mid, section }, offer, producer, ssrcs) {
  const { consumableRtpParameters: consumable, kind } = producer;
  const extensions = commonExtensions(
    section,
    'recv',
    (uri) => (consumable.headerExtensions ?? []).some((each) => each.uri === uri),
    offer.mixedExtensions,
  );
  const uris = new Set(extensions.map(({ uri }) => uri));
  const { codecs, mapping } = translate(consumable.codecs, codecsOf(section), uris);
  if (mapping.length === 0) {
    return undefined;
  }
  const ssrc = newSsrc(ssrcs);
  const encoding = codecs.some(isRtx) ? { ssrc, rtx: { ssrc: newSsrc(ssrcs) } } : { ssrc };
  const theirs = consumable.rtcp?.cname; // a page's, verbatim
  const cname = isWord(theirs) ? theirs : undefined;
  const rtpParameters = {
    mid,
    codecs,
    headerExtensions: /** @type {RtpParameters['headerExtensions']} */ (extensions),
    encodings: [encoding],
    rtcp: { ...(cname && { cname }), reducedSize: true },
  };
  return {
    consumer: { producerId: producer.id, rtpParameters, rtpMapping: { codecs: mapping } },
    answer: {
      direction: 'sendonly',
      codecs,
      extensions,
      stream: { ...encoding, cname: cname ?? producer.id, track: `${kind}-${producer.id}` },
    },
  };
}

/**
 * The stream's codecs in the viewer's payload types: each as the viewer's first that fits.
 * @param {Codec[]} consumable
 * @param {Codec[]} offered
 * @param {Set<string>} extensions
 */
function translate(consumable, offered, extensions) {
  /** @type {Codec[]} */
  const codecs = [];
  /** @type {{ payloadType: number, mappedPayloadType: number }[]} */
  const mapping = [];
  for (const codec of consumable) {
    if (isRtx(codec) || /^audio\/red$/i.test(codec.mimeType)) {
      continue;
    }
    const theirs = offered.find(
      (each) =>
        codecFits(codec, each) &&
        !codecs.some(({ payloadType }) => payloadType === each.payloadType),
    );
    if (!theirs) {
      continue;
    }
    const ours = codec.rtcpFeedback ?? [];
    const rtcpFeedback = commonFeedback(ours, theirs.rtcpFeedback ?? [], extensions);
    codecs.push({ ...codec, payloadType: theirs.payloadType, rtcpFeedback });
    mapping.push({ payloadType: codec.payloadType, mappedPayloadType: theirs.payloadType });
    const repair = rtxOf(consumable, codec.payloadType) && rtxOf(offered, theirs.payloadType);
    if (repair) {
      codecs.push({ ...repair, rtcpFeedback: [] });
    }
  }
  return { codecs, mapping };
}

/** @param {Set<number>} taken */
function newSsrc(taken) {
  let ssrc;
  do {
    ssrc = randomInt(1, 0x100000000);
  } while (taken.has(ssrc));
  taken.add(ssrc);
  return ssrc;
}
