#!/usr/bin/env node
// SPDX-License-Identifier: GPL-3.0-or-later
// A headless Chromium that opens the link of a room, watches, and keeps a picture of the page.
//   visitor.js --profile FOLDER --picture FILE LINK
// Once a second it prints how many frames of video it has decoded. It drives Chromium by its own
// protocol over a pipe: nothing needs to be installed for it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rename, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

const LOOK_MS = 1000;
const PICTURE_EVERY = 5;

/** In the page: joins without camera and microphone. */
const JOIN = `(() => {
  const set = (id, value) => (document.getElementById(id).checked = value);
  ['want-camera', 'want-microphone', 'want-test'].forEach((id) => set(id, false));
  document.getElementById('name').value = 'Headless browser';
  document.getElementById('join').click();
  document.getElementById('figures').click();
})()`;

/** In the page: frames decoded of all that is received. */
const FRAMES = `(async () => {
  const { wire } = sluiceCall;
  let frames = 0;
  for (const stat of wire ? (await wire.recv.getStats()).values() : []) {
    frames += (stat.type === 'inbound-rtp' && stat.framesDecoded) || 0;
  }
  return frames;
})()`;

/** Chromium's DevTools protocol over its pipe: JSON, each message ended by a zero byte. */
class Browser {
  #id = 0;
  /** @type {Map<number, { resolve: (result: any) => void, reject: (error: Error) => void }>} */
  #pending = new Map();
  #text = '';
  /** @type {import('node:stream').Writable} */
  #to;

  /** @param {string} profile */
  constructor(profile) {
    const flags = [
      ...['--headless', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync'],
      ...['--disable-background-networking', '--disable-component-update', '--mute-audio'],
      '--autoplay-policy=no-user-gesture-required',
      '--ignore-certificate-errors', // it is the page of this machine, whatever name it has
      '--window-size=1280,720',
      '--remote-debugging-pipe',
      `--user-data-dir=${profile}`,
      // Root has no sandbox to go into.
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
    ];
    const stdio = /** @type {import('node:child_process').StdioOptions} */ (
      ['ignore', 'ignore', 'ignore', 'pipe', 'pipe']
    );
    this.process = spawn(process.env['CHROMIUM'] ?? 'chromium', flags, { stdio });
    this.ended = once(this.process, 'exit');
    const [, , , to, from] = this.process.stdio;
    this.#to = /** @type {import('node:stream').Writable} */ (to);
    this.#to.on('error', () => {}); // it ends; `exit` says so
    /** @type {import('node:stream').Readable} */ (from)
      .setEncoding('utf8')
      .on('data', (text) => this.#heard(text));
  }

  /**
   * @param {string} method
   * @param {object} [params]
   * @param {string} [sessionId]
   * @returns {Promise<any>}
   */
  call(method, params = {}, sessionId) {
    const id = ++this.#id;
    this.#to.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    return new Promise((resolve, reject) => this.#pending.set(id, { resolve, reject }));
  }

  async stop() {
    this.process.kill('SIGTERM');
    await Promise.race([this.ended, sleep(3000, undefined, { ref: false })]);
    this.process.kill('SIGKILL');
  }

  /** @param {string} text */
  #heard(text) {
    const messages = (this.#text + text).split('\0');
    this.#text = messages.pop() ?? '';
    for (const message of messages) {
      const { id, result, error } = JSON.parse(message);
      const waiting = this.#pending.get(id);
      this.#pending.delete(id);
      if (error) {
        waiting?.reject(new Error(error.message));
      } else {
        waiting?.resolve(result);
      }
    }
  }
}

/**
 * @param {Browser} browser
 * @param {string} link
 * @param {string} file
 */
async function visit(browser, link, file) {
  const { targetId } = await browser.call('Target.createTarget', { url: 'about:blank' });
  const attach = { targetId, flatten: true };
  const { sessionId } = await browser.call('Target.attachToTarget', attach);
  const call = (/** @type {string} */ method, /** @type {object} */ params) =>
    browser.call(method, params, sessionId);
  const evaluate = async (/** @type {string} */ expression) => {
    const params = { expression, awaitPromise: true, returnByValue: true };
    return (await call('Runtime.evaluate', params)).result.value;
  };
  await call('Page.enable', {});
  await call('Page.navigate', { url: link });
  while ((await evaluate("document.readyState === 'complete'")) !== true) {
    await sleep(100);
  }
  await evaluate(JOIN);
  for (let n = 0, shown = 0; ; await sleep(LOOK_MS)) {
    const frames = (await evaluate(FRAMES)) ?? 0;
    console.log(frames);
    // The first one as soon as there is something to be seen.
    if (frames >= 10 && (shown === 0 || ++n % PICTURE_EVERY === 0)) {
      shown++;
      const { data } = await call('Page.captureScreenshot', { format: 'png' });
      await writeFile(`${file}.new`, Buffer.from(data, 'base64'));
      await rename(`${file}.new`, file);
    }
  }
}

const { values, positionals } = parseArgs({
  options: { profile: { type: 'string' }, picture: { type: 'string' } },
  allowPositionals: true,
});
const [link] = positionals;
if (!values.profile || !values.picture || !link) {
  console.error('usage: visitor.js --profile FOLDER --picture FILE LINK');
  process.exit(2);
}
const browser = new Browser(values.profile);
let stopping = false;
const stop = async (/** @type {number} */ status) => {
  if (!stopping) {
    stopping = true;
    await browser.stop();
    process.exit(status);
  }
};
process.on('SIGTERM', () => void stop(0));
process.on('SIGINT', () => void stop(0));
void browser.ended.then(
  () => {
    console.error('Chromium has ended');
    void stop(1);
  },
  (error) => {
    console.error(`Chromium does not start: ${error.message}`);
    process.exit(1);
  },
);
visit(browser, link, values.picture).catch((error) => {
  console.error(error.message);
  void stop(1);
});
