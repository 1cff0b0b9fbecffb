// SPDX-License-Identifier: GPL-3.0-or-later
// What one page asks for, without a relay.
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { defaultLimits } from '../limits.js';
import { Session } from '../session.js';

const made = (what) =>
  Object.assign(new EventEmitter(), { observer: new EventEmitter(), closed: false, ...what });

/** A page in a room where somebody else publishes `stream`, and its transport. */
async function startPage(consume) {
  const transport = made({ id: 'transport', consume });
  const producers = new Map([['stream', { producer: { id: 'stream' }, member: { id: 'other' } }]]);
  const router = { rtpCapabilities: {}, canConsume: () => true };
  const room = made({ name: 'room', router, producers, members: new Map(), chat: [] });
  const member = { id: 'me', name: 'Me', room, createTransport: async () => transport };
  const session = new Session({ limits: defaultLimits, enter: async () => member });
  session.attach({ terminate() {} }, () => {});
  await session.request('join', { room: 'room', name: 'Me' });
  await session.request('createTransport', { rtpCapabilities: {} });
  const ask = () => session.request('consume', { transportId: 'transport', producerId: 'stream' });
  return ask;
}

test('one consumer of a stream, however often it is asked for at once', async () => {
  const consumers = [];
  const ask = await startPage(async () => {
    await new Promise(setImmediate);
    const consumer = made({ id: String(consumers.length), producerId: 'stream' });
    consumer.close = () => {
      consumer.closed = true;
      consumer.observer.emit('close');
    };
    consumers.push(consumer);
    return consumer;
  });
  const answers = await Promise.allSettled([ask(), ask(), ask()]);
  const words = answers.map(({ status, reason }) => reason?.code ?? status);
  assert.deepEqual(words, ['fulfilled', 'wrong-state', 'wrong-state']);
  assert.equal(consumers.length, 1);
  // The answer may have been lost: asked for again, there is a new one instead.
  assert.equal((await ask()).id, '1');
  assert.deepEqual(
    consumers.map(({ closed }) => closed),
    [true, false],
  );
});

test('a stream that could not be had may be asked for again', async () => {
  let tries = 0;
  const ask = await startPage(async () => {
    if (++tries === 1) {
      throw new Error('not now');
    }
    return made({ id: 'consumer', producerId: 'stream' });
  });
  await assert.rejects(ask(), /not now/);
  assert.equal((await ask()).id, 'consumer');
});
