// SPDX-License-Identifier: GPL-3.0-or-later
// The codecs of an m= section as RTP parameters, and which of them a room and an offer share.
import { parseParams, parsePayloads } from 'sdp-transform';
import { codecFits } from 'sluice-client';

/** @typedef {import('sluice-client').types.RtpCodecParameters} Codec */
/** @typedef {import('sluice-client').types.RtpCodecCapability} CodecCapability */
/** @typedef {import('sluice-client').types.RtcpFeedback} Feedback */
/** @typedef {import('sdp-transform').MediaDescription} Section */

const CODECS_MAX = 128;

/** Those that need no a=rtpmap: RFC 3551 6. */
const STATIC = new Map([
  [0, { codec: 'PCMU', rate: 8000 }],
  [8, { codec: 'PCMA', rate: 8000 }],
  [9, { codec: 'G722', rate: 8000 }],
]);

/** @param {{ mimeType: string }} codec */
export const isRtx = ({ mimeType }) => /\/rtx$/i.test(mimeType);

/**
 * In the order of the m= line, which is the offerer's preference. Payload types that say nothing of
 * themselves, or wrong things, are passed over.
 * @param {Section} section
 * @returns {Codec[]}
 */
export function codecsOf(section) {
  const numbers = [...new Set(parsePayloads(String(section.payloads ?? '')))];
  return numbers
    .filter((number) => Number.isInteger(number) && number >= 0 && number <= 127)
    .slice(0, CODECS_MAX)
    .flatMap((number) => codecOf(section, number) ?? []);
}

/**
 * @param {Section} section
 * @param {number} payloadType
 * @returns {Codec | undefined}
 */
function codecOf(section, payloadType) {
  const map = section.rtp.find(({ payload }) => payload === payloadType) ?? STATIC.get(payloadType);
  const clockRate = map?.rate;
  if (!map?.codec || !Number.isInteger(clockRate) || !clockRate) {
    return undefined;
  }
  const channels = 'encoding' in map ? Number(map.encoding) : 1;
  const isAudio = section.type === 'audio';
  return {
    mimeType: `${section.type}/${map.codec}`,
    payloadType,
    clockRate,
    ...(isAudio && { channels: Number.isInteger(channels) && channels > 0 ? channels : 1 }),
    parameters: parametersOf(section, payloadType),
    rtcpFeedback: feedbackOf(section, payloadType),
  };
}

/**
 * @param {Section} section
 * @param {number} payloadType
 * @returns {Record<string, unknown>}
 */
function parametersOf(section, payloadType) {
  const config = configOf(section, payloadType);
  if (config === undefined) {
    return {};
  }
  /** @type {Record<string, unknown>} */
  const parameters = { ...parseParams(config) };
  for (const [key, value] of Object.entries(parameters)) {
    // A profile such as 640028 looks like a number and is none; an element alone has no value.
    if (key === 'profile-level-id') {
      parameters[key] = String(value);
    } else if (value === undefined || typeof value === 'object') {
      delete parameters[key];
    }
  }
  return parameters;
}

/**
 * The a=fmtp of a payload type, as it was written.
 * @param {Section} section
 * @param {number} payloadType
 * @returns {string | undefined}
 */
export function configOf(section, payloadType) {
  const fmtp = section.fmtp.find(({ payload }) => payload === payloadType);
  return fmtp && String(fmtp.config);
}

/**
 * @param {Section} section
 * @param {number} payloadType
 * @returns {Feedback[]}
 */
function feedbackOf(section, payloadType) {
  const lines = section.rtcpFb ?? [];
  return lines
    .filter(({ payload }) => String(payload) === '*' || Number(payload) === payloadType)
    .map(({ type, subtype }) => ({ type, parameter: String(subtype ?? '') }));
}

/**
 * @param {Codec[]} codecs
 * @param {number} payloadType
 */
export const rtxOf = (codecs, payloadType) =>
  codecs.find((codec) => isRtx(codec) && Number(codec.parameters?.['apt']) === payloadType);

/**
 * The offerer's first choice that the room has, and its RTX where both have it. (GStreamer offers
 * RTX for audio, too.)
 * @param {Codec[]} offered
 * @param {import('sluice-client').types.RtpCapabilities} room
 * @returns {{ codec: Codec, capability: CodecCapability, rtx?: Codec } | undefined}
 */
export function chooseCodec(offered, { codecs = [] }) {
  for (const codec of offered) {
    if (isRtx(codec) || /^audio\/(red|cn|telephone-event)$/i.test(codec.mimeType)) {
      continue;
    }
    const capability = codecs.find((each) => codecFits(codec, each));
    if (capability) {
      const hasRtx = codecs.some(
        (each) => isRtx(each) && each.parameters?.['apt'] === capability.preferredPayloadType,
      );
      return { codec, capability, rtx: hasRtx ? rtxOf(offered, codec.payloadType) : undefined };
    }
  }
  return undefined;
}

/**
 * @param {Feedback[]} ours
 * @param {Feedback[]} theirs
 * @param {Set<string>} extensions  URIs that both have
 */
export function commonFeedback(ours, theirs, extensions) {
  const twcc = [...extensions].some((uri) => uri.includes('transport-wide-cc'));
  const remb = !twcc && [...extensions].some((uri) => uri.endsWith('/abs-send-time'));
  return ours.filter(
    ({ type, parameter = '' }) =>
      theirs.some((other) => other.type === type && (other.parameter ?? '') === parameter) &&
      // One estimator at a time, and none without the extension that it reads.
      (type !== 'transport-cc' || twcc) &&
      (type !== 'goog-remb' || remb),
  );
}
