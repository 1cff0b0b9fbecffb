// SPDX-License-Identifier: GPL-3.0-or-later
// What rooms carry. The first video codec that both sides have is what a page sends.

/** @type {import('sluice-client').types.RouterRtpCodecCapability[]} */
export const mediaCodecs = [
  { kind: 'audio', mimeType: 'audio/opus', clockRate: 48000, channels: 2 },
  { kind: 'video', mimeType: 'video/VP8', clockRate: 90000 },
  {
    kind: 'video',
    mimeType: 'video/H264',
    clockRate: 90000,
    parameters: {
      'packetization-mode': 1,
      'profile-level-id': '42e01f',
      'level-asymmetry-allowed': 1,
    },
  },
];
