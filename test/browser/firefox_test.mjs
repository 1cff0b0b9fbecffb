// SPDX-License-Identifier: GPL-3.0-or-later
// Firefox and Chromium in one room: each decodes the other's picture and sound.
import { join } from 'node:path';
import puppeteer from 'puppeteer-core';
import {
  allDecode,
  artefacts,
  atEnd,
  check,
  checkSoon,
  isEmpty,
  joinAs,
  launch,
  startRelay,
  startServer,
  test,
} from './rig.mjs';

const FIREFOX = process.env.FIREFOX ?? '/usr/bin/firefox-esr';

async function launchFirefox() {
  const browser = await puppeteer.launch({
    browser: 'firefox',
    executablePath: FIREFOX,
    headless: true,
    extraPrefsFirefox: {
      'media.navigator.streams.fake': true,
      'media.navigator.permission.disabled': true,
      'media.autoplay.default': 0,
      // The relay of a test is at a loopback address.
      'media.peerconnection.ice.loopback': true,
      'media.peerconnection.ice.obfuscate_host_addresses': false,
    },
  });
  atEnd(() => browser.close());
  return browser;
}

await test(async () => {
  await startRelay();
  const server = await startServer();
  const chromium = await launch();
  const ada = await joinAs(chromium, server.url, 'Ada');
  const firefox = await launchFirefox();
  const fox = await firefox.newPage();
  fox.on('pageerror', (error) => check('no error in the page', false, error.stack));
  fox.on('console', (message) => console.log(`firefox: ${message.text()}`));
  await fox.goto(new URL('/r/test?name=Fox&quality=low', server.url).href);
  await fox.waitForSelector('#join');
  await fox.click('#join');
  const inRoom = async () => {
    const text = await fox.$eval('#status', (element) => element.textContent);
    return text === 'You are in the room.' || text;
  };
  await checkSoon('Firefox is in the room', inRoom, 40_000);
  await checkSoon(
    'Chromium decodes Firefox',
    () => allDecode(ada, ['Fox camera', 'Fox microphone']),
    60_000,
  );
  await checkSoon(
    'Firefox decodes Chromium',
    () => allDecode(fox, ['Ada camera', 'Ada microphone']),
    60_000,
  );
  await fox.screenshot({ path: join(artefacts, 'firefox.png') });
  await fox.click('#leave');
  await ada.click('#leave');
  await checkSoon('nothing is left in the relay', isEmpty);
}, 240_000);
