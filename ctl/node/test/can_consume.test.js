// SPDX-License-Identifier: GPL-3.0-or-later
// The rule of codec_match.ts against the relay's: every codec against every other one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isEmpty, needsRelay, startPair } from './real_relay.js';
import { listenInfo, until } from './room.js';

const h264 = (profile, mode) => ({
  kind: 'video',
  mimeType: 'video/H264',
  clockRate: 90000,
  parameters: {
    ...(profile === undefined ? {} : { 'profile-level-id': profile }),
    ...(mode === undefined ? {} : { 'packetization-mode': mode }),
  },
});
const videoCodec = (name, parameters = {}) => ({
  kind: 'video',
  mimeType: `video/${name}`,
  clockRate: 90000,
  parameters,
});
const opus = (channels) => ({ kind: 'audio', mimeType: 'audio/opus', clockRate: 48000, channels });

const codecs = [
  opus(2),
  { kind: 'audio', mimeType: 'audio/PCMU', clockRate: 8000 },
  { kind: 'audio', mimeType: 'audio/PCMU', clockRate: 8000, channels: 1 },
  videoCodec('VP8'),
  videoCodec('vp8', { 'x-google-start-bitrate': 1000 }),
  videoCodec('VP9'),
  videoCodec('VP9', { 'profile-id': 0 }),
  videoCodec('VP9', { 'profile-id': 2 }),
  videoCodec('VP9', { 'profile-id': '2' }),
  videoCodec('AV1'),
  videoCodec('AV1', { profile: 1 }),
  videoCodec('H265', { 'profile-id': 2 }),
  videoCodec('H265', { 'tier-flag': 1 }),
  videoCodec('H265'),
  h264(undefined, undefined),
  h264('42e01f', 0),
  h264('42e01f', 1),
  h264('42E034', 1),
  h264('42001f', 1),
  h264('4d001f', 1),
  h264('64001f', 1),
  h264('640c1f', 1),
  h264('f4001f', 1),
  h264('nonsen', 1),
];

test('canConsume() says what the relay says', needsRelay, async (t) => {
  const { worker, other } = await startPair(t);
  let compared = 0;
  let consumable = 0;
  for (const codec of codecs) {
    let producer;
    const making = worker.createRouter({ mediaCodecs: [codec] });
    const router = await making.catch(() => undefined);
    try {
      const transport = await router.createPlainTransport({ listenInfo, comedia: true });
      const [{ preferredPayloadType: payloadType }] = router.rtpCapabilities.codecs;
      const { kind, ...rest } = codec;
      producer = await transport.produce({
        kind,
        rtpParameters: { codecs: [{ ...rest, payloadType }], encodings: [{ ssrc: 1 }] },
      });
    } catch {
      router?.close();
      continue; // no router has such a codec; but a receiver may name it, below
    }
    for (const receiver of codecs) {
      const rtpCapabilities = { codecs: [{ ...receiver, preferredPayloadType: 100 }] };
      const question = { producerId: producer.id, rtpCapabilities };
      const relays = await router.queryCanConsume(question).catch((error) => error);
      if (relays instanceof Error) {
        continue; // the relay does not take such capabilities at all
      }
      const what = `${JSON.stringify(codec)} by ${JSON.stringify(receiver)}`;
      assert.equal(router.canConsume(question), relays, what);
      compared++;
      consumable += relays ? 1 : 0;
    }
    router.close();
  }
  t.diagnostic(`${compared} pairs, ${consumable} of them consumable`);
  assert(compared > 300 && consumable > 15);
  await until(() => isEmpty(other), 'an empty relay');
});

test('rtx alone is nothing; strangers’ producers are unknown', needsRelay, async (t) => {
  const { worker, other } = await startPair(t);
  const router = await worker.createRouter({ id: 'r', mediaCodecs: [videoCodec('VP8')] });
  const { rtpCapabilities } = router;
  const transport = await router.createPlainTransport({ listenInfo, comedia: true });
  const [vp8, rtx] = rtpCapabilities.codecs;
  assert.equal(rtx.mimeType, 'video/rtx');
  const { id: producerId } = await transport.produce({
    kind: 'video',
    rtpParameters: {
      codecs: [
        { mimeType: 'video/VP8', payloadType: 96, clockRate: 90000 },
        { mimeType: 'video/rtx', payloadType: 97, clockRate: 90000, parameters: { apt: 96 } },
      ],
      encodings: [{ ssrc: 1, rtx: { ssrc: 2 } }],
    },
  });
  const can = (codecs) => router.canConsume({ producerId, rtpCapabilities: { codecs } });
  assert.equal(can([vp8, rtx]), true);
  assert.equal(can([rtx]), false);
  assert.equal(can([]), false);
  assert.equal(router.canConsume({ producerId, rtpCapabilities: {} }), false);

  const foreign = await other.request('transport.createPlain', {
    routerId: 'r',
    listenInfo,
    comedia: true,
  });
  const { id } = await other.request('transport.produce', {
    transportId: foreign.id,
    kind: 'video',
    rtpParameters: {
      codecs: [{ mimeType: 'video/VP8', payloadType: 96, clockRate: 90000 }],
      encodings: [{ ssrc: 9 }],
    },
  });
  assert.equal(router.canConsume({ producerId: id, rtpCapabilities }), false);
  assert.equal(await router.queryCanConsume({ producerId: id, rtpCapabilities }), true);
});
