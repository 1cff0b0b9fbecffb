// SPDX-License-Identifier: GPL-3.0-or-later
// Firefox ESR on /publish and /play, and libwebrtc on the other side of it.
import { after, test } from 'node:test';
import { PlayPage, PublishPage, startBrowser } from './browser.js';
import { outerAddress, rises, startGateway, until } from './rig.js';
import { WrtcPlayer, WrtcPublisher } from './wrtc_peer.js';

test('Firefox publishes to Firefox and libwebrtc', async (t) => {
  const gateway = await startGateway(t, {}, outerAddress());
  const browser = await startBrowser(t, 'firefox');
  const publisher = await PublishPage.open(t, browser, `${gateway.url}/publish/room`);
  await publisher.publish();
  const player = await PlayPage.open(t, browser, `${gateway.url}/play/room`);
  await player.unmute();
  await player.says('Playing.');
  await rises(() => player.frames(), 30, 'pictures decoded');
  await rises(() => player.energy(), 1e-6, 'energy of the audio');
  const other = new WrtcPlayer(`${gateway.url}/whep/room`);
  await other.start();
  await rises(() => other.pictures, 20, 'pictures that libwebrtc decodes');
  await rises(() => other.energy, 1e-3, 'energy of the audio that libwebrtc decodes');
  await other.end();
  await publisher.click('stop');
  await player.says('Nobody publishes here yet.');
  await gateway.isEmpty();
  await gateway.stop();
});

test('libwebrtc publishes to Firefox', async (t) => {
  const gateway = await startGateway(t, {}, outerAddress());
  const publisher = new WrtcPublisher(`${gateway.url}/whip/room`);
  await publisher.start();
  await until(() => publisher.pc.connectionState === 'connected', 'the publisher to connect');
  const browser = await startBrowser(t, 'firefox');
  const player = await PlayPage.open(t, browser, `${gateway.url}/play/room`);
  await player.unmute();
  await player.says('Playing.');
  await rises(() => player.frames(), 30, 'pictures decoded');
  await publisher.end();
  await player.says('Nobody publishes here yet.');
  await gateway.isEmpty();
  await gateway.stop();
});

// libwebrtc's threads keep the process alive.
after(() => setImmediate(() => process.exit(process.exitCode ?? 0)));
