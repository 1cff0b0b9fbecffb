// SPDX-License-Identifier: GPL-3.0-or-later
// The page of sluice-perf report, opened from disk: plots that are drawn, tables with their
// numbers, nothing asked of a network, light and dark, narrow and wide, through axe-core.
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { artefacts, check, checkSoon, launch, test, work } from './rig.mjs';

const root = new URL('../../', import.meta.url).pathname;
const perf = join(process.env.SLUICE_BIN ?? join(root, 'build/dev/bin'), 'sluice-perf');
const template = join(root, 'perf/page/dist/report.html');
const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const HOSTILE = '</script><img src=x onerror=alert(1)>';
const SCENES = ['fanout-20', 'engine-uring', 'loss-5', 'storm-13'];
const PLOTS = ['cpu', 'ratio', 'rooms', 'transit', 'sends', 'memory', 'growth', 'recovery'];
const MORE_PLOTS = ['engines', 'storms', 'rates'];

const report = (...args) => promisify(execFile)(perf, ['report', '--page', template, ...args]);

/**
 * A report of scenes that ran here, and of some more that did not: made of the figures of those,
 * so that there is a plot of each kind in little time, and one scene that has failed.
 */
async function make() {
  const first = join(work, 'first');
  await report('--quick', '--only', SCENES.join(), '--out', first);
  const made = JSON.parse(await readFile(join(first, 'report.json'), 'utf8'));
  const measured = made.scenes.filter(({ state }) => state === 'measured');
  check('all scenes were measured', measured.length === SCENES.length, JSON.stringify(made.scenes));
  const like = (name, of, group, title, figures) => {
    const scene = structuredClone(made.scenes.find((one) => one.name === of));
    Object.assign(scene, { name, group, title });
    Object.assign(scene.figures, figures);
    made.scenes.push(scene);
  };
  like('fanout-100', 'fanout-20', 'fanout', '100 receivers', { consumers: 100 });
  like('memory-100', 'fanout-20', 'memory', '100 receivers, NACK on', { consumers: 100 });
  like('memory-300', 'fanout-20', 'memory', '300 receivers, NACK on', { consumers: 300 });
  for (const peers of [100, 300]) {
    const joined = 4e6 + peers * 1e4;
    like(`idle-13-${peers}`, 'storm-13', 'idle', 'DTLS 1.3', { peers, mem_joined_bytes: joined });
  }
  like('room-50', 'fanout-20', 'room', '50 people, 10 send', {});
  like('saturate-single', 'fanout-20', 'saturate', 'packet by packet', { pps_per_core: 280000 });
  made.scenes.push({
    ...{ name: 'churn', group: 'churn', title: HOSTILE, command: 'sluice-perf churn' },
    ...{ state: 'failed', note: HOSTILE, runs: [], runs_wanted: 1, took_s: 1 },
    ...{ figures: {}, spread: {} },
  });
  Object.assign(made.targets[0], { verdict: 'reached', reached: true });
  Object.assign(made.targets[1], { verdict: 'missed', reached: false });
  Object.assign(made.targets[2], { verdict: 'open', note: HOSTILE });
  await writeFile(join(work, 'made.json'), JSON.stringify(made));
  const failed = await report('--from', join(work, 'made.json'), '--out', work).catch((e) => e);
  check('a scene that failed is an exit status', failed.code === 1, String(failed));
  return made;
}

async function open(browser, options) {
  const context = await browser.newContext({ ...options, bypassCSP: options.bypassCSP ?? false });
  const page = await context.newPage();
  const told = [];
  const asked = [];
  page.on('console', (message) => told.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => told.push(error.stack));
  page.on('request', (request) => asked.push(request.url()));
  await page.goto(pathToFileURL(join(work, 'report.html')).href);
  await page.waitForSelector('#cpu canvas');
  return { page, told, asked };
}

/**
 * For each plot: how many pixels below its legend have a colour of a series, and what its
 * table has.
 */
function plots(page) {
  return page.evaluate(() => {
    const style = getComputedStyle(document.documentElement);
    const names = [1, 2, 3, 4, 5].map((n) => style.getPropertyValue(`--series-${n}`).trim());
    const colours = new Set(names.map((name) => parseInt(name.slice(1), 16)));
    const coloured = (canvas) => {
      const top = Math.round(canvas.height / 5);
      const context = canvas.getContext('2d');
      const { data } = context.getImageData(0, top, canvas.width, canvas.height - top);
      let n = 0;
      for (let i = 0; i < data.length; i += 4) {
        n += colours.has((data[i] << 16) | (data[i + 1] << 8) | data[i + 2]) ? 1 : 0;
      }
      return n;
    };
    return [...document.querySelectorAll('main section')].map((section) => {
      const cells = [...section.querySelectorAll('td')];
      const numbers = cells.filter((td) => /\d/.test(td.textContent));
      const rows = section.querySelectorAll('tbody tr').length;
      const pixels = coloured(section.querySelector('canvas'));
      return { id: section.id, pixels, numbers: numbers.length, rows };
    });
  });
}

async function drawn(browser, made) {
  const { page, told, asked } = await open(browser, { colorScheme: 'light' });
  const all = await plots(page);
  const ids = all.map(({ id }) => id);
  check('every plot', PLOTS.concat(MORE_PLOTS).join() === ids.join(), ids.join());
  for (const { id, pixels, numbers, rows } of all) {
    check(`${id}: drawn`, pixels > 100, `${pixels} pixels`);
    check(`${id}: its numbers`, rows > 0 && numbers >= rows, `${numbers} numbers, ${rows} rows`);
  }
  const cpu = await page.textContent('#cpu tbody tr:first-child td:nth-child(2)');
  const value = made.scenes[0].figures.cpu_ns_per_forward;
  const number = Number(cpu.replaceAll(',', ''));
  check('the number is that of the report', Math.abs(number - value) <= 0.5, `${cpu}, ${value}`);

  const rows = await page.locator('main table').first().locator('tbody tr').allTextContents();
  check('a row for each target', rows.length === made.targets.length, String(rows.length));
  const has = (i, words) => check(`target ${i}: ${words}`, rows[i].includes(words), rows[i]);
  has(0, 'reached');
  has(1, 'missed');
  has(2, 'open');
  has(2, HOSTILE);
  check('mediasoup is quoted', rows.some((row) => row.includes('44 KiB')));
  const main = await page.textContent('main');
  check('a quick run says so', main.includes('A quick run'));
  check('what failed stands first', main.includes('Failed: churn.'));
  check('what is said is text', (await page.locator('img').count()) === 0);
  check('the scenes', main.includes('sluice-perf fanout --consumers 20 '));
  check('nothing on the console', told.length === 0, told.join('\n'));
  check('nothing is asked for', asked.length === 1, asked.join('\n'));

  const pixels = () => page.evaluate(() => document.querySelector('#cpu canvas').toDataURL());
  const light = await pixels();
  await page.emulateMedia({ colorScheme: 'dark' });
  await checkSoon('drawn anew in dark', async () => (await pixels()) !== light);
  check('still nothing on the console', told.length === 0, told.join('\n'));
  await page.context().close();
}

async function readable(browser, colorScheme) {
  const viewport = { width: 360, height: 740 };
  const { page } = await open(browser, { colorScheme, viewport, bypassCSP: true });
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  check(`${colorScheme}: no scrolling sideways at 360 px`, width <= 360, `${width} px`);
  await page.addScriptTag({ path: axe });
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  const serious = violations.filter(({ impact }) => ['serious', 'critical'].includes(impact));
  const found = serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html)}`);
  check(`${colorScheme}: axe-core`, serious.length === 0, found.join('\n'));
  await page.setViewportSize({ width: 1100, height: 800 });
  await page.screenshot({ path: join(artefacts, `report-${colorScheme}.png`), fullPage: true });
  await page.context().close();
}

await test(async () => {
  const made = await make();
  const browser = await launch([]);
  await drawn(browser, made);
  await readable(browser, 'light');
  await readable(browser, 'dark');
});
