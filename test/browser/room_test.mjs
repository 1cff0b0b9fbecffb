// SPDX-License-Identifier: GPL-3.0-or-later
// Three participants in headless Chromium: everyone decodes everyone else's picture and sound.
// `spread`: their transports are on several workers.
import { join } from 'node:path';
import {
  allDecode,
  artefacts,
  ask,
  check,
  checkSoon,
  isEmpty,
  joinAs,
  launch,
  spread,
  startRelay,
  startServer,
  status,
  test,
} from './rig.mjs';

const names = ['Ada', 'Ben', 'Cleo'];

await test(async () => {
  const spreads = process.argv[2] === 'spread';
  await startRelay(spreads ? spread : []);
  const server = await startServer();
  const browser = await launch();
  const pages = {};
  for (const name of names) {
    pages[name] = await joinAs(browser, server.url, name, {
      wants: name === 'Cleo' ? ['test'] : ['camera'],
    });
  }
  const sent = (name) =>
    (name === 'Cleo' ? ['test-picture', 'test-sound'] : ['camera', 'microphone']).map(
      (source) => `${name} ${source}`,
    );
  for (const name of names) {
    const page = pages[name];
    await checkSoon(`${name} is in the room`, async () =>
      (await status(page)) === 'You are in the room.' || (await status(page)),
    );
    const wanted = names.filter((other) => other !== name).flatMap(sent);
    await checkSoon(`${name} decodes and plays ${wanted}`, () => allDecode(page, wanted), 40_000);
  }

  const { mirrors } = await ask('server.census', {});
  check(`${mirrors} producers are read by other workers`, spreads ? mirrors >= 6 : mirrors === 0);

  // Who is speaking: the tone goes on and off, and its tile with it.
  const cleo = pages.Ada.locator('.tile', { hasText: 'Cleo' });
  const speaks = (yes) => async () =>
    /speaking/.test(await cleo.getAttribute('class')) === yes || 'the other';
  await checkSoon('Cleo is shown as speaking', speaks(true));
  await checkSoon('and as silent between', speaks(false));

  await pages.Ada.click('#figures');
  await checkSoon('the figures of a stream are shown', async () => {
    const text = await cleo.locator('.figures').textContent();
    return /video: \d+x\d+, \d+ fps, \d+ kbit\/s, \d.* % lost/.test(text) &&
      /RTT \d+ ms/.test(text) || text;
  });

  await pages.Cleo.click('#screen');
  await checkSoon('a screen is seen', () => allDecode(pages.Ada, ['Cleo screen']), 30_000);
  check('in a tile of its own', (await pages.Ada.locator('.tile.wide').count()) === 1);
  await pages.Ada.screenshot({ path: join(artefacts, 'screen.png') });
  await pages.Cleo.click('#screen');
  await checkSoon('and gone again', async () =>
    (await pages.Ada.locator('.tile.wide').count()) === 0,
  );

  await pages.Ben.click('#show-chat');
  await pages.Ben.fill('#chat-text', '<b>hello</b> & good bye');
  await pages.Ben.press('#chat-text', 'Enter');
  await pages.Cleo.click('#show-chat');
  await checkSoon('chat arrives as it was written', async () => {
    const text = await pages.Cleo.locator('#chat-lines .text').last().textContent();
    return text === '<b>hello</b> & good bye' || text;
  });
  check('and is no markup', (await pages.Cleo.locator('#chat-lines b').count()) === 0);

  await pages.Ada.screenshot({ path: join(artefacts, 'room.png') });
  for (const name of names) {
    await pages[name].click('#leave');
  }
  await checkSoon('nothing is left in the relay', isEmpty);
  check('the server ends with 0', (await server.stop('SIGTERM')) === 0);
});
