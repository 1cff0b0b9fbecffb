// SPDX-License-Identifier: GPL-3.0-or-later
// Headless browsers on the gateway's own pages.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import puppeteer from 'puppeteer-core';
import { until } from './rig.js';

const CHROMIUM_FLAGS = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
  ...['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'],
  '--autoplay-policy=no-user-gesture-required',
];
const FIREFOX_PREFERENCES = {
  'media.navigator.streams.fake': true,
  'media.navigator.permission.disabled': true,
  'media.autoplay.default': 0,
  'media.peerconnection.ice.loopback': true,
  // Without it the only candidate is a multicast DNS name, which nobody resolves here.
  'media.peerconnection.ice.obfuscate_host_addresses': false,
};

/** @param {'chromium' | 'firefox'} name */
export async function startBrowser(t, name) {
  const profile = await mkdtemp(join(tmpdir(), 'sluice-browser-'));
  const browser = await puppeteer.launch(
    name === 'chromium'
      ? {
          executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
          headless: true,
          args: [...CHROMIUM_FLAGS, `--user-data-dir=${profile}`],
        }
      : {
          browser: 'firefox',
          executablePath: process.env.FIREFOX ?? '/usr/bin/firefox-esr',
          headless: true,
          userDataDir: profile,
          extraPrefsFirefox: FIREFOX_PREFERENCES,
        },
  );
  t.after(async () => {
    await browser.close().catch(() => {});
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  });
  return browser;
}

/** A page of the gateway; what its console says goes to stderr if the test fails. */
class GatewayPage {
  constructor(page) {
    this.page = page;
  }

  static async open(t, browser, url) {
    const page = await browser.newPage();
    const lines = [];
    page.on('console', (message) => lines.push(message.text()));
    page.on('pageerror', (error) => lines.push(String(error)));
    t.after(() => t.passed === false && console.error(`---- ${url}:\n${lines.join('\n')}`));
    await page.goto(url);
    return new this(page);
  }

  /** A click, also where another tab is in front. */
  click(id) {
    return this.page.evaluate((name) => document.getElementById(name).click(), id);
  }

  status() {
    return this.page.evaluate(() => document.getElementById('status').textContent);
  }

  says(text, seconds) {
    return until(async () => (await this.status()).startsWith(text), `"${text}"`, seconds);
  }

  restartIce() {
    return this.page.evaluate(() => window.session().restartIce());
  }

  /** One field of the statistics, added up over the streams of a kind. */
  stat(type, kind, field) {
    return this.page.evaluate(
      async (...wanted) => {
        const [statType, statKind, name] = wanted;
        const stats = await window.session().pc.getStats();
        return [...stats.values()]
          .filter((entry) => entry.type === statType && entry.kind === statKind)
          .reduce((sum, entry) => sum + (entry[name] ?? 0), 0);
      },
      type,
      kind,
      field,
    );
  }
}

export class PublishPage extends GatewayPage {
  async publish() {
    await this.click('camera');
    await this.says('On air.');
  }
}

export class PlayPage extends GatewayPage {
  async unmute() {
    await this.click('unmute');
  }

  frames() {
    return this.stat('inbound-rtp', 'video', 'framesDecoded');
  }

  energy() {
    return this.stat('inbound-rtp', 'audio', 'totalAudioEnergy');
  }

  /** Whether the picture is really being shown, and moves on. */
  async currentTime() {
    return this.page.evaluate(() => document.getElementById('video').currentTime);
  }
}
