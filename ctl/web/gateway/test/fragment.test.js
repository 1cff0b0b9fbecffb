// SPDX-License-Identifier: GPL-3.0-or-later
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readFragment, writeFragment } from '../fragment.js';
import { FakeTransport } from './fake_rooms.js';

const PASSWORD = 'P2uYro0UCOQ4zxjKXaWCBui1';
const CANDIDATE = 'a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0';

test('the examples of RFC 9725 and the WHEP draft', () => {
  const trickle = [
    'a=group:BUNDLE 0 1',
    'm=audio 9 UDP/TLS/RTP/SAVPF 111',
    'a=mid:0',
    'a=ice-ufrag:EsAw',
    `a=ice-pwd:${PASSWORD}`,
    CANDIDATE,
    'a=candidate:473322822 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active generation 0',
    'a=end-of-candidates',
    '',
  ].join('\r\n');
  const expected = { usernameFragment: 'EsAw', password: PASSWORD, candidates: 2 };
  assert.deepEqual(readFragment(trickle), expected);
  const restart = `a=ice-ufrag:ysXw\na=ice-pwd:vw5LmwG4y/e6dPP/zAP9Gp5k\n`;
  assert.equal(readFragment(restart).usernameFragment, 'ysXw');
  assert.deepEqual(readFragment(`m=audio 9 RTP/AVP 0\r\na=mid:0\r\n${CANDIDATE}`), {
    candidates: 1,
  });
});

const bad = [
  '',
  '\r\n',
  'Hello',
  'v=0\r\n',
  'a=ice-ufrag:EsAw\r\n',
  `a=ice-pwd:${PASSWORD}\r\n`,
  `a=ice-ufrag:x\r\na=ice-pwd:${PASSWORD}\r\n`,
  'a=ice-ufrag:EsAw\r\na=ice-pwd:short\r\n',
  'a=candidate:1 1 udp\r\n',
  'a=candidate:1 1 udp x 192.0.2.1 1 typ host\r\n',
  `m=audio 9 RTP/AVP 0\r\na=ice-ufrag:EsAw\r\na=ice-pwd:${PASSWORD}\r\n` +
    `m=video 9 RTP/AVP 0\r\na=ice-ufrag:EsAx\r\na=ice-pwd:${PASSWORD}\r\n`,
  `${CANDIDATE}\r\n`.repeat(201),
];

for (const text of bad) {
  test(`refused: ${JSON.stringify(text.slice(0, 40))}`, () => {
    assert.throws(() => readFragment(text), { status: 400 });
  });
}

test('what is written can be read', () => {
  const bundle = { mids: ['0', '1'], kind: 'audio', payloads: '111' };
  const text = writeFragment(new FakeTransport(), bundle);
  assert.match(text, /^a=ice-lite\r\n/m);
  assert.match(text, /^m=audio 9 UDP\/TLS\/RTP\/SAVPF 111\r\n/m);
  assert.match(text, /^a=mid:0\r\n/m);
  assert.doesNotMatch(text, /^[vst]=/m);
  assert.equal(readFragment(text).usernameFragment, 'f'.repeat(32));
});
