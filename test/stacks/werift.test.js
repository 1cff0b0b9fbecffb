// SPDX-License-Identifier: GPL-3.0-or-later
// werift publishes by WHIP and plays by WHEP; libwebrtc decodes what it has published.
import { after, test } from 'node:test';
import { rises, startGateway, until } from './rig.js';
import { WeriftPlayer, WeriftPublisher } from './werift_peer.js';
import { WrtcPlayer } from './wrtc_peer.js';

test('VP8 and Opus from werift to werift and libwebrtc', async (t) => {
  const gateway = await startGateway(t);
  const publisher = new WeriftPublisher(`${gateway.url}/whip/room`);
  await publisher.start(t);
  await until(() => publisher.pc.connectionState === 'connected', 'the publisher to connect');
  const player = new WeriftPlayer(`${gateway.url}/whep/room`);
  await player.start();
  const decoder = new WrtcPlayer(`${gateway.url}/whep/room`);
  await decoder.start();
  await rises(() => player.pictures, 45, 'whole pictures');
  await rises(() => player.audioPackets, 100, 'packets of audio');
  await rises(() => decoder.pictures, 45, 'pictures that libwebrtc decodes');
  await rises(() => decoder.energy, 1, 'energy of the audio');

  await player.end();
  await decoder.end();
  await publisher.end();
  await gateway.isEmpty();
  await gateway.stop();
});

// libwebrtc's threads keep the process alive.
after(() => setImmediate(() => process.exit(process.exitCode ?? 0)));
