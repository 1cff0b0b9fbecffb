// SPDX-License-Identifier: GPL-3.0-or-later
// The room of three over another way: `tcp` (no UDP at all), `ipv6`, or `lossy` (test/link: 5 %
// loss and 60 ms delay each way). In each 5 s of a minute, every stream of everyone is decoded.
import { createSocket } from 'node:dgram';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  allDecode,
  ask,
  check,
  checkSoon,
  isEmpty,
  joinAs,
  launch,
  start,
  startRelay,
  startServer,
  status,
  streams,
  test,
} from './rig.mjs';

const WINDOW_MS = 5000;
const SECONDS = 60;
const LINK_IP = '127.0.0.2';
const ways = {
  tcp: { args: ['--udp-port', 'off'] },
  ipv6: { args: ['--listen', '::1'] },
  lossy: { link: ['--loss', '0.05', '--delay', '60', '--jitter', '5'] },
};
const way = process.argv[2];
const { args = [], link } = ways[way] ?? {};
const names = ['Ada', 'Ben', 'Cleo'];
const sources = ['camera', 'microphone'];

/** A UDP port that nobody has at either address. */
async function freePort() {
  const socket = createSocket('udp4');
  await new Promise((resolve) => socket.bind(0, '127.0.0.1', resolve));
  const { port } = socket.address();
  await new Promise((resolve) => socket.close(resolve));
  return port;
}

/** The link has the relay's port at another address, which is the one that is announced. */
async function startLink(port) {
  const seed = process.env.SLUICE_SEED ?? '7';
  const script = new URL('../link/link.mjs', import.meta.url).pathname;
  const ends = ['--listen', `${LINK_IP}:${port}`, '--to', `127.0.0.1:${port}`, '--seed', seed];
  const running = start(process.execPath, [script, ...ends, ...link]);
  await running.lines.next();
  const given = ['--announced-address', LINK_IP, '--udp-port', String(port), '--tcp-port', 'off'];
  return { running, given };
}

/** What of this was not decoded between two looks at it. */
function stalled(was, now) {
  const before = new Map(was.map((s) => [`${s.from} ${s.source}`, s]));
  return now
    .filter((s) => {
      const then = before.get(`${s.from} ${s.source}`);
      return !then || (s.kind === 'video' ? s.frames <= then.frames : s.energy <= then.energy);
    })
    .map(({ from, source }) => `${from} ${source}`);
}

/** Of each transport at the relay: its tuple and what it has sent again. */
async function relayView() {
  const { workers } = await ask('server.dump');
  const views = [];
  for (const routerId of workers.flatMap(({ routerIds }) => routerIds)) {
    const { transportIds } = await ask('router.dump', { routerId });
    for (const transportId of transportIds) {
      const [stats] = await ask('transport.getStats', { transportId });
      const { consumerIds } = await ask('transport.dump', { transportId });
      views.push({ stats, consumerIds });
    }
  }
  return views;
}

async function resent(views) {
  const rows = [];
  for (const consumerId of views.flatMap(({ consumerIds }) => consumerIds)) {
    const stats = await ask('consumer.getStats', { consumerId });
    rows.push(...stats.filter(({ type, kind }) => type === 'outbound-rtp' && kind === 'video'));
  }
  return rows;
}

await test(async () => {
  if (ways[way] === undefined) {
    throw new Error('usage: network_test.mjs tcp|ipv6|lossy');
  }
  await startRelay();
  const port = await freePort();
  let line = link && (await startLink(port));
  const server = await startServer(line ? line.given : args);
  const browser = await launch();
  const pages = [];
  for (const name of names) {
    pages.push(await joinAs(browser, server.url, name));
  }
  for (const [i, page] of pages.entries()) {
    const wanted = names
      .filter((name) => name !== names[i])
      .flatMap((name) => sources.map((source) => `${name} ${source}`));
    const what = `${names[i]} decodes and plays ${wanted}`;
    await checkSoon(what, () => allDecode(page, wanted), 60_000);
  }

  const views = await relayView();
  const tuples = views.map(({ stats }) => stats.iceSelectedTuple);
  const right = {
    tcp: ({ protocol }) => protocol === 'tcp',
    ipv6: ({ protocol, localIp }) => protocol === 'udp' && localIp === '::1',
    lossy: ({ localAddress }) => localAddress === LINK_IP,
  }[way];
  check('six transports', tuples.length === 6, tuples.length);
  check('media goes the way that is meant', tuples.every(right), JSON.stringify(tuples));

  let was = await Promise.all(pages.map(streams));
  for (let at = WINDOW_MS; at <= SECONDS * 1000; at += WINDOW_MS) {
    await sleep(WINDOW_MS);
    const now = await Promise.all(pages.map(streams));
    const bad = now.flatMap((rows, i) => {
      const still = rows.length === 4 ? stalled(was[i], rows) : [`${rows.length} streams`];
      return still.map((what) => `${names[i]}: ${what}`);
    });
    check(`everything is decoded up to ${at / 1000} s`, bad.length === 0, bad.join(', '));
    was = now;
  }

  if (link) {
    const nacks = was.flat().filter(({ kind }) => kind === 'video').map((s) => s.nacks);
    check('every receiver has sent NACKs', nacks.every((n) => n > 0), nacks);
    const rows = await resent(await relayView());
    // Again as RTX, not as a plain resend: these bytes went out under the other SSRC.
    const sent = rows.map(({ packetsRetransmitted, rtxByteCount }) =>
      Math.min(packetsRetransmitted, rtxByteCount),
    );
    console.log(`NACKs ${nacks}; packets sent again ${sent}`);
    const all = rows.length === 6 && sent.every((n) => n > 0);
    check('every consumer of video has sent RTX', all, sent);
  }

  if (link) {
    // The line is cut, and another one is there some seconds later.
    await line.running.stop();
    console.log(`link: ${(await line.running.lines.next()).value}`);
    await checkSoon('words when the line is cut', async () =>
      /^The way to the media relay is disturbed/.test(await status(pages[0])) ||
        (await status(pages[0])),
    );
    await sleep(3000);
    line = await startLink(port);
    for (const [i, page] of pages.entries()) {
      const wanted = names.filter((name) => name !== names[i]).map((name) => `${name} camera`);
      const what = `${names[i]} decodes again when there is another line`;
      await checkSoon(what, () => allDecode(page, wanted), 40_000);
    }
    for (const page of pages) {
      await checkSoon('and says so', async () => (await status(page)) === 'You are in the room.');
    }
  }

  for (const page of pages) {
    check('still in the room', (await status(page)) === 'You are in the room.', await status(page));
    await page.click('#leave');
  }
  await checkSoon('nothing is left in the relay', isEmpty);
});
