// SPDX-License-Identifier: GPL-3.0-or-later
// libwebrtc for Node publishes by WHIP and plays by WHEP, and goes on after an ICE restart.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { rises, startGateway, until } from './rig.js';
import { WrtcPlayer, WrtcPublisher } from './wrtc_peer.js';

test('VP8 and Opus from libwebrtc to libwebrtc', async (t) => {
  const gateway = await startGateway(t);
  const publisher = new WrtcPublisher(`${gateway.url}/whip/room`);
  await publisher.start();
  await until(() => publisher.pc.connectionState === 'connected', 'the publisher to connect');
  const players = [1, 2].map(() => new WrtcPlayer(`${gateway.url}/whep/room`));
  await Promise.all(players.map((player) => player.start()));
  for (const player of players) {
    await until(() => player.pc.connectionState === 'connected', 'the player to connect');
    await rises(() => player.pictures, 45, 'pictures decoded');
    await rises(() => player.energy, 1, 'energy of the audio');
  }

  await Promise.all(players.map((player) => player.end()));
  await publisher.end();
  await gateway.isEmpty();
  await gateway.stop();
});

// Its threads keep the process alive.
after(() => setImmediate(() => process.exit(process.exitCode ?? 0)));
