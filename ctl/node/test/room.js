// SPDX-License-Identifier: GPL-3.0-or-later
// Parameters that the tests share, and waiting.
import { once } from 'node:events';

export const OPUS = { kind: 'audio', mimeType: 'audio/opus', clockRate: 48000, channels: 2 };
export const VP8 = { kind: 'video', mimeType: 'video/VP8', clockRate: 90000 };
export const mediaCodecs = [OPUS, VP8];

export function audio(ssrc) {
  return {
    kind: 'audio',
    rtpParameters: {
      codecs: [{ mimeType: 'audio/opus', payloadType: 111, clockRate: 48000, channels: 2 }],
      encodings: [{ ssrc }],
      rtcp: { cname: 'test' },
    },
  };
}

export function video(ssrc) {
  return {
    kind: 'video',
    rtpParameters: {
      codecs: [{ mimeType: 'video/VP8', payloadType: 96, clockRate: 90000 }],
      encodings: [{ ssrc }],
      rtcp: { cname: 'test' },
    },
  };
}

export const listenInfo = { protocol: 'udp', ip: '127.0.0.1' };

/** The arguments of the next such event; fails after a while instead of hanging. */
export function event(emitter, name, ms = 10_000) {
  return once(emitter, name, { signal: AbortSignal.timeout(ms) });
}

/** Names of the events of an object and of its observer, as they come. */
export function record(list, label, object, names) {
  for (const name of names) {
    object.on(name, () => list.push(`${label} ${name}`));
  }
  object.observer.on('close', () => list.push(`${label} observer close`));
}

export async function until(condition, what) {
  for (let i = 0; !(await condition()); i++) {
    if (i > 1000) {
      throw new Error(`in vain for ${what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
