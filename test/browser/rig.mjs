// SPDX-License-Identifier: GPL-3.0-or-later
// What the browser tests stand on: a relay, the page's server, Chromium, and a count of checks.
// Each is a process of its own, and all end with the test.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium } from 'playwright-core';
import { createWorker } from '../../ctl/node/dist/index.js';

const root = new URL('../../', import.meta.url).pathname;
const bin = process.env.SLUICE_BIN ?? join(root, 'build/dev/bin');
export const artefacts = join(root, 'build/test-artefacts');

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
export const chromiumFlags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--autoplay-policy=no-user-gesture-required',
];
export const fakeDevices = [
  '--use-fake-device-for-media-stream',
  '--use-fake-ui-for-media-stream',
];

let passed = 0;
let failed = 0;
const endings = [];
export const work = mkdtempSync(join(tmpdir(), 'sluice-browser-'));
mkdirSync(artefacts, { recursive: true });

/** Runs when the test ends, the last one first. */
export function atEnd(run) {
  endings.unshift(run);
}

export function check(what, right, detail = '') {
  if (right) {
    passed++;
  } else {
    failed++;
    console.log(`FAILED: ${what}${detail === '' ? '' : `: ${detail}`}`);
  }
  return Boolean(right);
}

/** Tries until it is true, and counts it as one check. */
export async function checkSoon(what, condition, timeout = 20_000) {
  const detail = await until(condition, timeout);
  return check(what, detail === true, detail);
}

/** True, or the last thing that was not: asks until then. */
export async function until(condition, timeout = 20_000) {
  const end = Date.now() + timeout;
  for (;;) {
    let result;
    try {
      result = await condition();
    } catch (error) {
      result = error.message;
    }
    if (result === true || Date.now() > end) {
      return result === true || JSON.stringify(result) || 'no result';
    }
    await sleep(150);
  }
}

/** The whole of a test: prints the sums and ends the process. */
export async function test(run, timeout = 600_000) {
  const timer = setTimeout(() => {
    console.log(`FAILED: not done within ${timeout / 1000} s`);
    console.log(`${passed} passed, ${failed + 1} failed`);
    process.exit(1);
  }, timeout);
  try {
    await run();
  } catch (error) {
    check('the test runs to its end', false, error.stack);
  }
  for (const end of endings) {
    await Promise.race([
      Promise.resolve().then(end).catch((error) => console.log(`at the end: ${error.message}`)),
      sleep(15_000, undefined, { ref: false }),
    ]);
  }
  rmSync(work, { recursive: true, force: true });
  clearTimeout(timer);
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed === 0 ? 0 : 1);
}

/** A program that ends with the test. `lines` are those of its standard output. */
export function start(command, args, env = {}) {
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  });
  const ended = once(child, 'exit');
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const stop = async (signal = 'SIGINT') => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill(signal);
      const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
      await ended;
      clearTimeout(timer);
    }
    return child.exitCode;
  };
  atEnd(() => stop());
  return { child, lines, stop };
}

const socketPath = join(work, 's');

/** Of a room whose transports are on several workers. */
export const spread = ['--workers', '3', '--placement', 'spread'];

export async function startRelay(args = []) {
  const given = ['--socket', socketPath, '--workers', '1', '--log-level', 'warn', ...args];
  const relay = start(join(bin, 'sluiced'), given);
  const there = await until(async () => {
    (await createWorker({ socketPath })).close();
    return true;
  });
  if (there !== true) {
    throw new Error(`sluiced does not start: ${there}`);
  }
  return relay;
}

/** The page's server; `url` is its address. */
export async function startServer(args = []) {
  const main = join(root, 'ctl/web/main.js');
  const given = ['--socket', socketPath, '--port', '0', ...args];
  const server = start(process.execPath, [main, ...given]);
  const { value } = await server.lines.next();
  return { ...server, url: value };
}

export async function launch(flags = fakeDevices) {
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: [...chromiumFlags, ...flags],
  });
  atEnd(() => browser.close());
  return browser;
}

/** A page that has opened the link of a room, in a profile of its own. */
export async function open(browser, url, path, contextOptions = {}) {
  const context = await browser.newContext(contextOptions);
  const page = await context.newPage();
  page.on('pageerror', (error) => check('no error in the page', false, error.stack));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) {
      console.log(`page: ${message.text()}`);
    }
  });
  await page.goto(new URL(path, url).href);
  return page;
}

export async function joinAs(browser, url, name, { room = 'test', wants = ['camera'] } = {}) {
  const page = await open(browser, url, `/r/${room}?name=${name}&quality=low`);
  await setWants(page, wants);
  await page.click('#join');
  return page;
}

/** What to start with: of microphone, camera, test. `camera` alone means both of the first. */
export async function setWants(page, wants) {
  const all = wants.includes('camera') ? [...wants, 'microphone'] : wants;
  for (const what of ['microphone', 'camera', 'test']) {
    await page.setChecked(`#want-${what}`, all.includes(what));
  }
}

export function status(page) {
  return page.textContent('#status');
}

/**
 * What a page receives: one row a stream, with the figures of the browser and whether the element
 * that shows it plays.
 */
export function streams(page) {
  return page.evaluate(async () => {
    const call = globalThis.sluiceCall;
    if (!call.wire) {
      return [];
    }
    const stats = [...(await call.wire.recv.getStats()).values()];
    const elements = [...document.querySelectorAll('video, audio')];
    return [...call.streams.values()].map(({ kind, source, memberId, paused, consumer }) => {
      const track = consumer?.track;
      const stat = stats.find(
        ({ type, trackIdentifier }) => type === 'inbound-rtp' && trackIdentifier === track?.id,
      );
      const element = elements.find(({ srcObject }) => srcObject?.getTracks()[0] === track);
      return {
        kind,
        source,
        paused,
        from: call.members.get(memberId)?.name,
        track: track?.readyState,
        playing: Boolean(element && !element.paused && element.readyState >= 2),
        picture: element?.videoWidth > 0,
        frames: stat?.framesDecoded ?? 0,
        energy: stat?.totalAudioEnergy ?? 0,
        packets: stat?.packetsReceived ?? 0,
        nacks: stat?.nackCount ?? 0,
        lost: stat?.packetsLost ?? 0,
      };
    });
  });
}

/** True where every stream of `wanted` ("name source") decodes and plays; else what does not. */
export async function allDecode(page, wanted) {
  const before = new Map((await streams(page)).map((s) => [`${s.from} ${s.source}`, s]));
  await sleep(1000);
  const now = new Map((await streams(page)).map((s) => [`${s.from} ${s.source}`, s]));
  const bad = wanted.filter((key) => {
    const [was, is] = [before.get(key), now.get(key)];
    if (!was || !is || is.track !== 'live' || !is.playing) {
      return true;
    }
    const video = is.picture && is.frames > was.frames;
    return !(is.kind === 'video' ? video : is.energy > was.energy);
  });
  return bad.length === 0 || { bad, streams: [...now.values()] };
}

/** The objects that the relay has. */
export async function census() {
  const worker = await createWorker({ socketPath });
  try {
    return await worker.request('server.census');
  } finally {
    worker.close();
  }
}

export async function isEmpty() {
  const all = await census();
  const kinds = ['routers', 'transports', 'producers', 'consumers', 'mirrors'];
  return kinds.every((kind) => all[kind] === 0) || all;
}

/** Any request to the relay. */
export async function ask(method, params) {
  const worker = await createWorker({ socketPath });
  try {
    return await worker.request(method, params);
  } finally {
    worker.close();
  }
}
