// SPDX-License-Identifier: GPL-3.0-or-later
// The page for those who use it: by keyboard alone, on a narrow screen, through axe-core; and its
// words when the camera is refused, the relay is away, or the room is full.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  allDecode,
  artefacts,
  check,
  checkSoon,
  isEmpty,
  joinAs,
  launch,
  open,
  startRelay,
  startServer,
  status,
  test,
  until,
} from './rig.mjs';

const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const IN = 'You are in the room.';
const inRoom = (page) => async () => (await status(page)) === IN || (await status(page));

/** The findings of axe-core that matter; the context bypasses the page's policy for scripts. */
async function scan(page, what) {
  await page.addScriptTag({ path: axe });
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  const serious = violations.filter(({ impact }) => ['serious', 'critical'].includes(impact));
  const told = serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html)}`);
  check(`axe-core: ${what}`, serious.length === 0, told.join('\n'));
}

/** Tabs until the element has the focus, as somebody without a mouse does. */
async function tabTo(page, id) {
  for (let n = 0; n < 30; n++) {
    if ((await page.evaluate(() => document.activeElement?.id)) === id) {
      return true;
    }
    await page.keyboard.press('Tab');
  }
  return `the focus never comes to ${id}`;
}

async function byKeyboard(browser, url) {
  const page = await open(browser, url, '/');
  await checkSoon('the focus starts at the room', async () =>
    (await page.evaluate(() => document.activeElement?.id)) === 'room',
  );
  await page.keyboard.type('keys');
  check('keyboard: the name', (await tabTo(page, 'name')) === true);
  await page.keyboard.type('Kay');
  check('keyboard: the test picture', (await tabTo(page, 'want-test')) === true);
  await page.keyboard.press('Space');
  check('keyboard: join', (await tabTo(page, 'join')) === true);
  await page.keyboard.press('Enter');
  await checkSoon('joined by keyboard', inRoom(page));
  const muted = (yes) => async () =>
    (await page.getAttribute('#mute', 'aria-pressed')) === String(yes) &&
    (await page.evaluate(() => globalThis.sluiceCall.locals.get('test-sound').paused)) === yes;
  check('keyboard: mute', (await tabTo(page, 'mute')) === true);
  await page.keyboard.press('Space');
  await checkSoon('muted by keyboard', muted(true));
  await page.keyboard.press('Space');
  await checkSoon('unmuted by keyboard', muted(false));
  check('keyboard: chat', (await tabTo(page, 'show-chat')) === true);
  await page.keyboard.press('Enter');
  await page.keyboard.type('by keyboard');
  await page.keyboard.press('Enter');
  await checkSoon('chat by keyboard', async () =>
    (await page.locator('#chat-lines .text').count()) === 1,
  );
  check('keyboard: leave', (await tabTo(page, 'leave')) === true);
  await page.keyboard.press('Enter');
  await checkSoon('left by keyboard', async () =>
    (await status(page)) === 'You have left the room.',
  );
  check('the focus is at Join again', (await tabTo(page, 'join')) === true);
  await page.context().close();
}

async function narrow(browser, url) {
  const options = { viewport: { width: 360, height: 740 }, bypassCSP: true };
  const fits = (page) =>
    page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth);
  const page = await open(browser, url, '/r/narrow?name=Nina&quality=low', options);
  check('360 px: the form does not scroll sideways', await fits(page));
  await scan(page, 'the form');
  await page.setChecked('#want-test', true);
  await page.click('#join');
  await checkSoon('joined on a narrow screen', inRoom(page));
  const longName = 'W'.repeat(40);
  const other = await joinAs(browser, url, longName, { room: 'narrow', wants: ['test'] });
  await until(() => allDecode(page, [`${longName} test-picture`]));
  await page.click('#figures');
  await page.click('#show-chat');
  await page.fill('#chat-text', 'x'.repeat(300));
  await page.press('#chat-text', 'Enter');
  await sleep(1500);
  check('360 px: a call does not scroll sideways', await fits(page));
  await scan(page, 'a call');
  await page.emulateMedia({ colorScheme: 'dark' });
  await scan(page, 'a call in the dark');
  await page.screenshot({ path: join(artefacts, 'narrow.png'), fullPage: true });
  await page.context().close();
  await other.context().close();
}

async function refused(url) {
  // Without the fake answer to it, a headless browser says no to every question.
  const browser = await launch(['--use-fake-device-for-media-stream', '--deny-permission-prompts']);
  const page = await joinAs(browser, url, 'Rae');
  await checkSoon('clear words when the camera is refused', async () => {
    const text = await page.textContent('#alerts');
    return (/The camera was refused/.test(text) && /The microphone was refused/.test(text)) || text;
  });
  await checkSoon('and in the room all the same', inRoom(page));
  await page.click('#test');
  await checkSoon('with the test picture if wanted', () =>
    page.evaluate(() => globalThis.sluiceCall.locals.get('test-picture')?.producer !== undefined),
  );
  await browser.close();
}

async function relayAway(browser, url, relay) {
  const ada = await joinAs(browser, url, 'Ada', { wants: ['test'] });
  const ben = await joinAs(browser, url, 'Ben');
  const hears = (page, name, sources) => () =>
    allDecode(page, sources.map((source) => `${name} ${source}`));
  await checkSoon('Ada decodes Ben', hears(ada, 'Ben', ['camera', 'microphone']), 30_000);
  await ben.click('#mute');
  await relay.stop('SIGKILL');
  await checkSoon('clear words when the relay is away', async () =>
    /^The media relay is away\./.test(await status(ada)) || (await status(ada)),
  );
  const late = await joinAs(browser, url, 'Liz', { wants: ['test'] });
  await checkSoon('also for those who come now', async () =>
    /^The media relay is away\./.test(await status(late)) || (await status(late)),
  );
  const health = await fetch(new URL('/healthz', url));
  check('and for monitoring', health.status === 503, health.status);
  await startRelay();
  await checkSoon('all are back by themselves', hears(ada, 'Ben', ['camera']), 40_000);
  await checkSoon('in both directions', hears(ben, 'Ada', ['test-picture', 'test-sound']), 40_000);
  await checkSoon('the late one too', hears(ben, 'Liz', ['test-picture']), 40_000);
  await checkSoon('and who was muted still is', async () =>
    (await ada.locator('.tile', { hasText: 'Ben' }).locator('.state').textContent()) === 'muted',
  );
  for (const page of [ada, ben, late]) {
    await page.click('#leave');
    await page.context().close();
  }
  await checkSoon('nothing is left in the relay', isEmpty);
}

async function serverAway(browser, server, args) {
  const page = await joinAs(browser, server.url, 'Sam', { wants: ['test'] });
  await checkSoon('Sam is in the room', inRoom(page));
  await server.stop('SIGTERM');
  await checkSoon('words when the server is away', async () =>
    /^The connection to the server is lost/.test(await status(page)) || (await status(page)),
  );
  const port = new URL(server.url).port;
  await startServer(['--port', port, ...args]);
  await checkSoon('back when the server is', inRoom(page), 30_000);
  const second = await joinAs(browser, server.url, 'Two', { wants: ['test'] });
  await checkSoon('a second one comes in', inRoom(second));
  const third = await joinAs(browser, server.url, 'Three', { wants: [] });
  await checkSoon('a third one does not: the room is full', async () =>
    /This room is full/.test(await third.textContent('#alerts')),
  );
  check('and has the form again', await third.isVisible('#lobby'));
}

await test(async () => {
  const relay = await startRelay();
  const args = ['--max-members', '2'];
  const server = await startServer();
  const browser = await launch();
  await byKeyboard(browser, server.url);
  await narrow(browser, server.url);
  await refused(server.url);
  await relayAway(browser, server.url, relay);
  await serverAway(browser, server, args);
});
