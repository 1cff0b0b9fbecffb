// SPDX-License-Identifier: GPL-3.0-or-later
// Bearer tokens, and the file that they come from.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readSettings } from '../settings.js';
import { Tokens } from '../tokens.js';
import { offers } from './corpus.js';
import { FRAGMENT, startGateway } from './rig.js';

const SEND = offers.get('chromium-sendonly');
const tokens = [
  { token: 'studio', rooms: ['stage'], actions: ['publish'] },
  { token: 'everything' },
  { token: 'studio', rooms: ['other'] },
];

const rows = [
  [undefined, 'publish', 'stage', 401, /^Bearer realm="sluice"$/],
  ['Basic c3R1ZGlv', 'publish', 'stage', 401, /^Bearer/],
  ['Bearer', 'publish', 'stage', 401, /^Bearer/],
  ['Bearer wrong', 'publish', 'stage', 401, /invalid_token/],
  ['Bearer studioo', 'publish', 'stage', 401, /invalid_token/],
  ['Bearer studio extra', 'publish', 'stage', 401, /^Bearer/],
  ['Bearer studio', 'publish', 'hall', 403, /insufficient_scope/],
  ['Bearer studio', 'play', 'stage', 403, /insufficient_scope/],
  ['Bearer studio', 'publish', 'stage', 0],
  ['bearer  studio', 'publish', 'stage', 0],
  ['Bearer studio', 'play', 'other', 0],
  ['Bearer everything', 'play', 'hall', 0],
];

for (const [header, action, room, status, challenge] of rows) {
  test(`${header}: ${action} in ${room} is ${status || 'allowed'}`, () => {
    const check = () => new Tokens(tokens).check(header, action, room);
    if (status === 0) {
      check();
      return;
    }
    assert.throws(
      check,
      (error) => error.status === status && challenge.test(error.headers['www-authenticate']),
    );
  });
}

test('an action that no token is for is open; what is no token is refused at once', () => {
  const publishing = new Tokens([{ token: 'a', actions: ['publish'] }]);
  publishing.check(undefined, 'play', 'room');
  assert.throws(() => publishing.check(undefined, 'publish', 'room'), { status: 401 });
  new Tokens().check(undefined, 'publish', 'room');
  for (const grant of [
    { token: '' },
    { token: 'with blank' },
    { token: 7 },
    { token: 'a', actions: ['fly'] },
    { token: 'a', rooms: 'stage' },
  ]) {
    assert.throws(() => new Tokens([grant]), TypeError);
  }
});

test('sessions take the token that their making took', async (t) => {
  const { post, call } = await startGateway(t, { tokens });
  const authorization = 'Bearer studio';
  assert.equal((await post('/whip/stage', SEND)).status, 401);
  assert.equal((await post('/whip/hall', SEND, { authorization })).status, 403);
  const made = await post('/whip/stage', SEND, { authorization });
  assert.equal(made.status, 201);
  const path = made.headers.get('location');
  for (const [method, how] of [
    ['GET', {}],
    ['DELETE', {}],
    ['PATCH', { type: FRAGMENT, body: 'a=end-of-candidates\r\n', 'if-match': '*' }],
  ]) {
    assert.equal((await call(method, path, how)).status, 401);
  }
  assert.equal((await call('OPTIONS', path)).status, 200);
  assert.equal((await call('DELETE', path, { authorization })).status, 200);
});

test('the settings file', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-settings-'));
  t.after(() => rm(folder, { recursive: true }));
  const file = join(folder, 'gateway.json');
  const read = async (value) => {
    await writeFile(file, typeof value === 'string' ? value : JSON.stringify(value));
    return readSettings(file);
  };
  assert.deepEqual(await readSettings(), {});
  assert.deepEqual(await read({}), {});
  const good = { tokens, iceServers: [{ urls: 'stun:a' }], limits: { sessions: 5 } };
  assert.deepEqual(await read(good), good);
  for (const bad of [
    'not JSON',
    '[]',
    { token: [] },
    { tokens: {} },
    { tokens: [7] },
    { tokens: [{ token: 'a', room: 'b' }] },
    { limits: { sesions: 5 } },
    { limits: { sessions: 0 } },
    { limits: { sessions: '5' } },
  ]) {
    await assert.rejects(read(bad), /gateway.json: /);
  }
  await assert.rejects(readSettings(join(folder, 'nothing')), /nothing: /);
});
