// SPDX-License-Identifier: GPL-3.0-or-later
// Chromium on /publish and /play: to itself, to GStreamer, and from GStreamer.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PlayPage, PublishPage, startBrowser } from './browser.js';
import { gstPeer, rises, startGateway, until } from './rig.js';

test('Chromium publishes to Chromium and GStreamer', async (t) => {
  const gateway = await startGateway(t);
  const browser = await startBrowser(t, 'chromium');
  const player = await PlayPage.open(t, browser, `${gateway.url}/play/room`);
  await player.says('Nobody publishes here yet.');
  const publisher = await PublishPage.open(t, browser, `${gateway.url}/publish/room`);
  await publisher.publish();
  await player.unmute();
  await player.says('Playing.');
  await rises(() => player.frames(), 20, 'pictures decoded');
  await rises(() => player.energy(), 1e-6, 'energy of the audio');
  await rises(() => player.currentTime(), 1, 'the time of the video element');

  // New credentials on both sides, and the picture goes on.
  await publisher.restartIce();
  await player.restartIce();
  await rises(() => player.frames(), 20, 'pictures decoded after the ICE restarts');

  const gstreamer = gstPeer(t, 'play', `${gateway.url}/whep/room`);
  await until(() => gstreamer.last?.frames > 0, 'the first picture');
  await rises(() => gstreamer.last.frames, 15, 'pictures decoded by GStreamer');
  await rises(() => gstreamer.last.samples, 30, 'audio decoded by GStreamer');
  assert.equal(await gstreamer.stop(), 0, gstreamer.text);

  await publisher.click('stop');
  await player.says('Nobody publishes here yet.');
  await gateway.isEmpty();
  await gateway.stop();
});

test('GStreamer publishes to Chromium', async (t) => {
  const gateway = await startGateway(t);
  const gstreamer = gstPeer(t, 'publish', `${gateway.url}/whip/room`);
  await until(() => gstreamer.last?.state === 'connected', 'the publisher to connect');
  const browser = await startBrowser(t, 'chromium');
  const player = await PlayPage.open(t, browser, `${gateway.url}/play/room`);
  await player.unmute();
  await player.says('Playing.');
  await rises(() => player.frames(), 20, 'pictures decoded');
  await rises(() => player.energy(), 1e-6, 'energy of the audio');
  await browser.close(); // without a word: pagehide may end the session, else consent does
  assert.equal(await gstreamer.stop(), 0, gstreamer.text);
  await gateway.isEmpty();
  await gateway.stop();
});

test('of simulcast one layer is taken', async (t) => {
  const gateway = await startGateway(t);
  const browser = await startBrowser(t, 'chromium');
  const publisher = await PublishPage.open(t, browser, `${gateway.url}/publish/room`);
  await publisher.page.evaluate(async () => {
    const { HttpSession } = await import('/gateway/client.js');
    const stream = await navigator.mediaDevices.getUserMedia({ video: true });
    const session = new HttpSession('/whip/room');
    session.pc.addTransceiver(stream.getVideoTracks()[0], {
      direction: 'sendonly',
      streams: [stream],
      sendEncodings: [{ rid: 'f' }, { rid: 'h', scaleResolutionDownBy: 2 }],
    });
    window.session = () => session;
    await session.start();
  });
  const player = await PlayPage.open(t, browser, `${gateway.url}/play/room`);
  await player.says('Playing.');
  await rises(() => player.frames(), 20, 'pictures decoded');
  await publisher.page.evaluate(() => window.session().close());
  await gateway.isEmpty();
  await gateway.stop();
});
