// SPDX-License-Identifier: GPL-3.0-or-later
// GStreamer's webrtcbin publishes by WHIP and plays by WHEP.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gstPeer, rises, startGateway, until } from './rig.js';

for (const codec of ['VP8', 'H264']) {
  test(`${codec} and Opus from GStreamer to GStreamer`, async (t) => {
    const gateway = await startGateway(t);
    const publisher = gstPeer(t, 'publish', `${gateway.url}/whip/room`, '--codec', codec);
    await until(() => publisher.last?.state === 'connected', 'the publisher to connect');
    const player = gstPeer(t, 'play', `${gateway.url}/whep/room`, '--codec', codec, '--restart');
    await until(() => player.last?.frames > 0, 'the first picture');
    await rises(() => player.last.frames, 30, 'pictures decoded');
    await rises(() => player.last.samples, 50, 'audio buffers decoded');
    assert.equal(await player.stop(), 0, player.text);
    assert.equal(await publisher.stop(), 0, publisher.text);
    await gateway.isEmpty();
    await gateway.stop();
  });
}

test('viewers go with a publisher that dies', async (t) => {
  const gateway = await startGateway(t, { limits: { consentSeconds: 10, disconnectedMs: 500 } });
  const publisher = gstPeer(t, 'publish', `${gateway.url}/whip/room`);
  await until(() => publisher.last?.state === 'connected', 'the publisher to connect');
  const player = gstPeer(t, 'play', `${gateway.url}/whep/room`);
  await until(() => player.last?.frames > 0, 'the first picture');
  // Without a word: neither DTLS nor HTTP ends it, so consent has to expire.
  await publisher.stop('SIGKILL');
  await gateway.isEmpty();
  await player.stop('SIGKILL');
  await gateway.stop();
});
