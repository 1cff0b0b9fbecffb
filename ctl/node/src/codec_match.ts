// SPDX-License-Identifier: GPL-3.0-or-later
// Whether an endpoint can receive a producer. The relay decides it; mediasoup's canConsume() is no
// promise, so the same rule is here once more. test/can_consume.test.js holds it to the relay's.
import type { RtpCapabilities, RtpParameters } from './rtp_parameters.js';

type Codec = {
  mimeType: string;
  clockRate: number;
  channels?: number;
  parameters?: Record<string, unknown>;
};

/** RFC 6184 table 5, first match: the flags under `mask` have `value`. */
const h264Profiles = [
  { idc: 0x42, mask: 0x4f, value: 0x40, profile: 'constrained baseline' },
  { idc: 0x4d, mask: 0x8f, value: 0x80, profile: 'constrained baseline' },
  { idc: 0x58, mask: 0xcf, value: 0xc0, profile: 'constrained baseline' },
  { idc: 0x42, mask: 0x4f, value: 0x00, profile: 'baseline' },
  { idc: 0x58, mask: 0xcf, value: 0x80, profile: 'baseline' },
  { idc: 0x4d, mask: 0xaf, value: 0x00, profile: 'main' },
  { idc: 0x64, mask: 0xff, value: 0x00, profile: 'high' },
  { idc: 0x64, mask: 0xff, value: 0x0c, profile: 'constrained high' },
  { idc: 0xf4, mask: 0xff, value: 0x00, profile: 'high 4:4:4' },
];

const h264Levels = [10, 11, 12, 13, 20, 21, 22, 30, 31, 32, 40, 41, 42, 50, 51, 52];

function h264Profile(id: unknown): string | undefined {
  if (id === undefined) {
    return 'constrained baseline'; // RFC 6184 8.1
  }
  const text = String(id);
  if (!/^[0-9a-f]{6}$/i.test(text)) {
    return undefined;
  }
  const [idc, flags, level] = [0, 2, 4].map((at) => parseInt(text.slice(at, at + 2), 16));
  if (!h264Levels.includes(level!)) {
    return undefined;
  }
  return h264Profiles.find((row) => row.idc === idc && (flags! & row.mask) === row.value)?.profile;
}

/** Both say the same number, where silence means `absent`. */
function same(a: Codec, b: Codec, name: string, absent: number): boolean {
  const [x, y] = [a, b].map((codec) => Number(codec.parameters?.[name] ?? absent));
  return x === y;
}

function sameText(a: Codec, b: Codec, name: string, absent: string): boolean {
  const [x, y] = [a, b].map((codec) => String(codec.parameters?.[name] ?? absent).toLowerCase());
  return x === y;
}

function h264Fits(stream: Codec, receiver: Codec): boolean {
  const from = h264Profile(stream.parameters?.['profile-level-id']);
  const to = h264Profile(receiver.parameters?.['profile-level-id']);
  if (!same(stream, receiver, 'packetization-mode', 0) || from === undefined || to === undefined) {
    return false;
  }
  return from === to || (from === 'constrained baseline' && to === 'baseline');
}

/** Whether a receiver that has `receiver` can take a stream of `stream`. */
export function codecFits(stream: Codec, receiver: Codec): boolean {
  const mime = stream.mimeType.toLowerCase();
  if (
    mime !== receiver.mimeType.toLowerCase() ||
    stream.clockRate !== receiver.clockRate ||
    (mime.startsWith('audio/') && (stream.channels ?? 1) !== (receiver.channels ?? 1))
  ) {
    return false;
  }
  switch (mime) {
    case 'audio/multiopus':
      return ['num_streams', 'coupled_streams'].every((name) => same(stream, receiver, name, -1));
    case 'video/h264':
      return h264Fits(stream, receiver);
    case 'video/h265':
      return (
        same(stream, receiver, 'profile-id', 1) &&
        same(stream, receiver, 'tier-flag', 0) &&
        sameText(stream, receiver, 'tx-mode', 'SRST')
      );
    case 'video/vp9':
      return same(stream, receiver, 'profile-id', 0);
    case 'video/av1':
      return same(stream, receiver, 'profile', 0);
    default:
      return true;
  }
}

/** RTX and RED alone are no media. */
function isMedia({ mimeType }: Codec): boolean {
  return !/\/rtx$|^audio\/red$/i.test(mimeType);
}

export function canConsume(consumable: RtpParameters, capabilities: RtpCapabilities): boolean {
  const receivers = capabilities.codecs ?? [];
  return consumable.codecs
    .filter(isMedia)
    .some((codec) => receivers.some((receiver) => codecFits(codec, receiver)));
}
