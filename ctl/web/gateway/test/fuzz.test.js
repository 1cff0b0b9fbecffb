// SPDX-License-Identifier: GPL-3.0-or-later
// Offers and fragments of the corpus, damaged: the answer is a 4xx with a problem in it, or a valid
// answer; never a failure, and nothing stays behind. SLUICE_SEED repeats a run, SLUICE_LONG makes a
// long one. With SLUICE_BIN the relay gets what passes the gateway, as well.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'sdp-transform';
import { Relay } from '../../relay.js';
import { Rooms } from '../../rooms.js';
import { defaultLimits } from '../limits.js';
import { readFragment } from '../fragment.js';
import { problemOf } from '../problem.js';
import { Sessions } from '../sessions.js';
import { offers } from './corpus.js';
import { FakeRooms } from './fake_rooms.js';
import { needsRelay, startRelay } from '../../../node/test/real_relay.js';

const isLong = !['', '0', undefined].includes(process.env.SLUICE_LONG);
const seed = Number(process.env.SLUICE_SEED ?? Date.now() % 1e6);
const ROUNDS = isLong ? 200_000 : 6_000;
const ROUNDS_RELAY = isLong ? 5_000 : 400;

/** Mulberry32: small, and the same everywhere. */
function randomFrom(start) {
  let state = start >>> 0;
  return (limit) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % limit;
  };
}

const NUMBERS = ['0', '1', '127', '128', '255', '65535', '65536', '4294967295', '4294967296', '-1',
  '99999999999999999999', '1e9', '0x10', 'NaN', '']; // prettier-ignore
const WORDS = ['__proto__', 'constructor', 'toString', 'a=', '\u0000', '\uffff', '%s%d', '"', '*',
  'x'.repeat(300), '0', 'opus/48000/2', 'VP8/90000', 'rtx/90000', 'BUNDLE', 'sha-256',
  'urn:ietf:params:rtp-hdrext:sdes:mid', 'H264/90000', 'sendrecv']; // prettier-ignore

const mutations = [
  (lines, random) => lines.splice(random(lines.length), 1 + random(4)),
  (lines, random) => lines.splice(random(lines.length), 0, lines[random(lines.length)]),
  (lines, random) => {
    const [a, b] = [random(lines.length), random(lines.length)];
    [lines[a], lines[b]] = [lines[b], lines[a]];
  },
  (lines, random) => {
    const at = random(lines.length);
    lines[at] = lines[at].replace(/\d+/, NUMBERS[random(NUMBERS.length)]);
  },
  (lines, random) => {
    const at = random(lines.length);
    const words = lines[at].split(/(?<=[ :=;/])/);
    words[random(words.length)] = WORDS[random(WORDS.length)];
    lines[at] = words.join('');
  },
  (lines, random) => {
    const at = random(lines.length);
    lines[at] = lines[at].slice(0, random(lines[at].length + 1));
  },
  (lines, random) => {
    const at = random(lines.length);
    const code = lines[at].charCodeAt(random(lines[at].length)) ^ (1 << random(7));
    lines[at] = lines[at].slice(0, 3) + String.fromCharCode(code || 1) + lines[at].slice(4);
  },
  (lines, random, all) => {
    const other = all[random(all.length)].split('\r\n');
    lines.splice(random(lines.length), random(10), ...other.slice(random(other.length)));
  },
];

function mutate(text, random, all) {
  const lines = text.split(/\r?\n/);
  for (let n = 1 + random(4); n > 0 && lines.length > 1; n--) {
    mutations[random(mutations.length)](lines, random, all);
  }
  return lines.join('\r\n');
}

/** 'answered', or the status of the problem. */
async function outcome(sessions, action, sdp) {
  let made;
  try {
    made = await sessions[action]({ room: 'room', name: 'x', address: 'y', sdp });
  } catch (error) {
    const problem = problemOf(error);
    assert.ok(problem, `${error.stack}\nby\n${sdp}`);
    assert.ok(problem.status >= 400 && problem.status < 500, `${problem.status}\nby\n${sdp}`);
    JSON.parse(problem.body);
    return problem.status;
  }
  const answer = parse(made.sdp);
  assert.equal(answer.media.length, parse(sdp).media.length, sdp);
  assert.doesNotMatch(made.sdp, /undefined|NaN|\[object/, sdp);
  assert.ok(
    made.sdp.split('\r\n').every((line) => line === '' || /^[a-z]=/.test(line)),
    made.sdp,
  );
  made.session.end('the round is over');
  return 'answered';
}

async function rounds(sessions, n, random) {
  const all = [...offers.values()];
  const outcomes = new Map();
  for (let i = 0; i < n; i++) {
    const sdp = mutate(all[random(all.length)], random, all);
    const what = await outcome(sessions, random(2) === 0 ? 'publish' : 'play', sdp);
    outcomes.set(what, (outcomes.get(what) ?? 0) + 1);
  }
  assert.ok(outcomes.get('answered') > n / 100, 'some are still good');
  assert.equal(sessions.size, 0);
  return JSON.stringify([...outcomes]);
}

test(`${ROUNDS} damaged offers, seed ${seed}`, async (t) => {
  const rooms = new FakeRooms();
  await rooms.withStreams('room');
  const sessions = new Sessions(rooms, defaultLimits, () => {});
  t.diagnostic(await rounds(sessions, ROUNDS, randomFrom(seed)));
  assert.equal(rooms.get('room').members.size, 1);
});

test(`${ROUNDS_RELAY} of them with a relay, seed ${seed}`, needsRelay, async (t) => {
  const { socketPath, child } = await startRelay(t);
  const relay = new Relay({ socketPath, listenInfos: [{ protocol: 'udp', ip: '127.0.0.1' }] });
  await relay.start();
  t.after(() => relay.close());
  const rooms = new Rooms(relay);
  const sessions = new Sessions(rooms, defaultLimits, () => {});
  const publisher = await sessions.publish({
    ...{ room: 'room', name: 'x', address: 'y' },
    sdp: offers.get('chromium-sendonly'),
  });
  const before = await relay.worker.request('server.census');
  const all = [...offers.values()];
  const random = randomFrom(seed);
  const outcomes = new Map();
  for (let i = 0; i < ROUNDS_RELAY; i++) {
    const sdp = mutate(all[random(all.length)], random, all);
    const what = await outcome(sessions, i % 2 ? 'publish' : 'play', sdp);
    outcomes.set(what, (outcomes.get(what) ?? 0) + 1);
  }
  t.diagnostic(JSON.stringify([...outcomes]));
  assert.ok(outcomes.get('answered') > 0);
  assert.equal(child.exitCode, null);
  const census = await relay.worker.request('server.census');
  for (const kind of ['transports', 'producers', 'consumers']) {
    assert.equal(census[kind], before[kind], kind);
  }
  publisher.session.end('the test is over');
});

test('damaged fragments', () => {
  const random = randomFrom(seed);
  const texts = [...offers.values()].map((text) => text.replace(/^(?![am]=).*\r?\n/gm, ''));
  for (let i = 0; i < ROUNDS / 4; i++) {
    const text = mutate(texts[random(texts.length)], random, texts);
    try {
      const { usernameFragment } = readFragment(text);
      assert.ok(usernameFragment === undefined || usernameFragment.length >= 4);
    } catch (error) {
      assert.equal(error.status, 400, `${error.stack}\nby\n${text}`);
    }
  }
});
