// SPDX-License-Identifier: GPL-3.0-or-later
// The page's server without a browser: what it serves, what it refuses, its bounds, its end.
import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { request as httpsRequest } from 'node:https';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import {
  check,
  checkSoon,
  isEmpty,
  startRelay,
  startServer,
  test,
  until,
  work,
} from './rig.mjs';
import { defaultLimits } from '../../ctl/web/limits.js';
import { Rate } from '../../ctl/web/rate.js';
import { readOptions, UsageError } from '../../ctl/web/options.js';
import { Relay } from '../../ctl/web/relay.js';
import { Rooms } from '../../ctl/web/rooms.js';
import { WebServer } from '../../ctl/web/server.js';

const { WebSocket } = createRequire(new URL('../../ctl/web/', import.meta.url))('ws');

/** A page's connection, without the page. */
class Client {
  events = [];
  #id = 0;
  #waiting = new Map();

  constructor(url, origin = new URL(url).origin) {
    this.ws = new WebSocket(new URL('/signal', url.replace(/^http/, 'ws')), {
      headers: origin ? { origin } : {},
    });
    this.opened = new Promise((resolve) => {
      this.ws.on('open', () => resolve(true));
      this.ws.on('unexpected-response', (_, { statusCode }) => resolve(statusCode));
      this.ws.on('error', () => resolve(false));
    });
    this.closed = once(this.ws, 'close').then(([code]) => code);
    this.ws.on('message', (text) => {
      const { id, result, error, event, data } = JSON.parse(text);
      if (event) {
        this.events.push({ event, data });
      }
      this.#waiting.get(id)?.(error ? { refused: error.code } : result);
    });
  }

  ask(method, params = {}) {
    const id = ++this.#id;
    this.ws.send(JSON.stringify({ id, method, params }));
    return new Promise((resolve) => this.#waiting.set(id, resolve));
  }

  async join(room, name = 'X', more = {}) {
    await this.opened;
    return this.ask('join', { room, name, ...more });
  }
}

async function files(url) {
  const page = await fetch(new URL('/r/some-room?name=A', url));
  const policy = page.headers.get('content-security-policy');
  check('the page of a room', page.status === 200 && /<title>/.test(await page.text()));
  check('only its own scripts', /script-src 'self';/.test(policy) && !/unsafe/.test(policy));
  const again = await fetch(new URL('/page.js', url), {
    headers: { 'if-none-match': (await fetch(new URL('/page.js', url))).headers.get('etag') },
  });
  check('the script is not sent again', again.status === 304, again.status);
  for (const path of ['/main.js', '/../main.js', '/%2e%2e/main.js', '/r/a/b', '/constructor']) {
    const { status } = await fetch(new URL(path, url));
    check(`not there: ${path}`, status === 404, status);
  }
  check('no POST', (await fetch(url, { method: 'POST' })).status === 405);
  const health = await fetch(new URL('/healthz', url));
  check('healthy', health.status === 200 && (await health.json()).relay === 'up');
}

async function strangers(url) {
  check('another origin', (await new Client(url, 'https://evil.example').opened) === 403);
  check('no origin', (await new Client(url, '').opened) === 403);
  const { origin, host } = new URL(url);
  check('the same with another scheme', (await new Client(url, `https://${host}`).opened) === 403);
  const elsewhere = new WebSocket(`${url.replace(/^http/, 'ws')}other`, { headers: { origin } });
  elsewhere.on('error', () => {});
  const [, { statusCode }] = await once(elsewhere, 'unexpected-response');
  check('another path', statusCode === 404, statusCode);
  for (const [what, text, code] of [
    ['no JSON', '{', 1008],
    ['no request', '{"id":"1","method":"join"}', 1008],
    ['too long', JSON.stringify({ id: 1, method: 'x'.repeat(200_000) }), 1009],
    ['bytes', Buffer.from('{}'), 1008],
  ]) {
    const client = new Client(url);
    await client.opened;
    client.ws.send(text);
    check(`${what}: closed`, (await client.closed) === code);
  }
  const flood = new Client(url);
  await flood.opened;
  for (let i = 0; i < defaultLimits.messagesBurst * 2; i++) {
    flood.ws.send('{"id":1,"method":"nothing"}');
  }
  check('a flood: closed', (await flood.closed) === 1008);
}

async function members(url) {
  const ada = new Client(url);
  const ben = new Client(url);
  await ada.opened;
  check('no such request', (await ada.ask('__proto__')).refused === 'bad-request');
  check('not in a room', (await ada.ask('chat', { text: 'x' })).refused === 'wrong-state');
  for (const room of ['', '../x', 'a b', 'x'.repeat(65), '<b>']) {
    check(`no room "${room}"`, (await ada.join(room)).refused === 'bad-request');
  }
  const a = await ada.join('one', ' A\u202Eda\u0007 ');
  check('a name is cleaned', a.name === 'Ada', a.name);
  check('joined twice is joined once', (await ada.join('one')).memberId === a.memberId);
  const b = await ben.join('one', 'x'.repeat(100));
  check('and cut', b.name.length === 40);
  check('who is there', b.members.map(({ name }) => name).join() === `Ada,${b.name}`);
  await checkSoon('who was there hears of who comes', () =>
    ada.events.some(({ event, data }) => event === 'member' && data.id === b.memberId),
  );

  const transport = await ada.ask('createTransport');
  check('candidates for UDP and TCP', transport.iceCandidates.length === 2);
  const { id: transportId } = transport;
  check('a transport is its owner\'s', (await ben.ask('restartIce', { transportId })).refused ===
    'not-found');
  check('a source that there is not', (await ada.ask('produce', {
    transportId, kind: 'audio', rtpParameters: {}, source: '<b>',
  })).refused === 'bad-request');
  check('what the relay refuses', (await ada.ask('produce', {
    transportId, kind: 'audio', rtpParameters: {}, source: 'microphone',
  })).refused === 'bad-request');
  const made = [];
  for (let i = 0; i < defaultLimits.transportsPerMember; i++) {
    made.push(await ada.ask('createTransport'));
  }
  check('transports are bounded', made.at(-1).refused === 'full');

  check('chat is bounded', (await ada.ask('chat', {
    text: 'x'.repeat(defaultLimits.chatChars + 1),
  })).refused === 'bad-request');
  const said = [];
  for (let i = 0; i < defaultLimits.chatBurst + 2; i++) {
    said.push(await ada.ask('chat', { text: `line ${i}` }));
  }
  check('chat has a rate', said.at(-1).refused === 'too-fast' && !said[0].refused);

  ada.ws.terminate();
  const back = new Client(url);
  const c = await back.join('one', 'Ada', { token: a.token });
  check('back with the token', c.resumed && c.memberId === a.memberId && c.transports.length > 0);
  const wrong = await new Client(url).join('one', 'Eve', { token: 'guessed' });
  check('a wrong token is a new member', !wrong.resumed && wrong.memberId !== a.memberId);
  const other = new Client(url);
  const d = await other.join('other', 'Ada', { token: a.token });
  check('a token is for one room', !d.resumed && d.memberId !== a.memberId);
  ben.ws.close(1001);
  await checkSoon('who closes the page has left', () =>
    back.events.some(({ event, data }) => event === 'memberLeft' && data.id === b.memberId),
  );
  return [back, other];
}

async function bounds() {
  const server = await startServer(['--max-rooms', '1', '--max-members', '2']);
  const clients = [1, 2, 3, 4].map(() => new Client(server.url));
  const [one, two, three, four] = clients;
  check('the first', !(await one.join('a')).refused);
  check('the second', !(await two.join('a')).refused);
  check('the room is full', (await three.join('a')).refused === 'full');
  check('no more rooms', (await four.join('b')).refused === 'full');
  await one.ask('leave');
  check('a place is free', !(await three.join('a')).refused);
  check('the server ends with 0', (await server.stop('SIGTERM')) === 0);
  check('and says that it does', (await two.closed) === 1012);
  check('it was told in words', two.events.some(({ event }) => event === 'roomClosed'));
}

async function tls() {
  const [key, cert] = [join(work, 'key.pem'), join(work, 'cert.pem')];
  const subject = ['-subj', '/CN=localhost', '-days', '2', '-nodes'];
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'rsa:2048', ...subject, '-keyout', key, '-out', cert],
    { stdio: 'ignore' },
  );
  const server = await startServer(['--tls-cert', cert, '--tls-key', key]);
  check('https', server.url.startsWith('https://'), server.url);
  const response = await new Promise((resolve, reject) => {
    httpsRequest(server.url, { rejectUnauthorized: false }, resolve).on('error', reject).end();
  });
  check('the page over https', response.statusCode === 200);
  response.resume();
}

function options() {
  const refused = (...args) => {
    try {
      readOptions(args);
      return false;
    } catch (error) {
      return error instanceof UsageError;
    }
  };
  check('unknown option', refused('--nonsense'));
  check('half of TLS', refused('--tls-cert', 'x'));
  check('a port', refused('--port', '70000'));
  check('a wildcard needs an address', refused('--listen', '0.0.0.0'));
  check('a name is no address', refused('--listen', 'localhost'));
  check('no media at all', refused('--udp-port', 'off', '--tcp-port', 'off'));
  const args = '--listen 0.0.0.0 --listen :: --announced-address 192.0.2.1'.split(' ');
  check('each wildcard', refused(...args));
  const { listenInfos } = readOptions([
    ...args, '--announced-address', '2001:db8::1', '--udp-port', '5000', '--tcp-port', 'off',
  ]);
  check('two families', JSON.stringify(listenInfos) === JSON.stringify([
    { protocol: 'udp', ip: '0.0.0.0', announcedAddress: '192.0.2.1', port: 5000 },
    {
      protocol: 'udp', ip: '::', announcedAddress: '2001:db8::1', flags: { ipv6Only: true },
      port: 5000,
    },
  ]), JSON.stringify(listenInfos));
  const main = new URL('../../ctl/web/main.js', import.meta.url).pathname;
  const { status } = spawnSync(process.execPath, [main, '--nonsense'], { stdio: 'ignore' });
  check('exit status of a wrong option', status === 2, status);
  const rate = new Rate(1, 2);
  check('a burst, and then no more', [1, 2, 3].map(() => rate.take()).join() === 'true,true,false');
}

/** What a gateway does: a handler of its own, members that come and go, events. */
async function seam() {
  const relay = new Relay({
    socketPath: join(work, 's'),
    listenInfos: [{ protocol: 'udp', ip: '127.0.0.1' }],
  });
  await relay.start();
  const rooms = new Rooms(relay, { ...defaultLimits, emptyRoomMs: 300 });
  const server = new WebServer({ rooms });
  server.mount(async (_request, response, url) => {
    if (url.pathname !== '/whip/x') {
      return false;
    }
    response.writeHead(201).end();
    return true;
  });
  server.mount((_request, _response, url) => {
    if (url.pathname === '/throws') {
      throw new Error('as a test');
    }
    return false;
  });
  const url = `http://127.0.0.1:${await server.listen(0, '127.0.0.1')}/`;
  check('a mounted handler', (await fetch(new URL('/whip/x', url))).status === 201);
  check('one that throws', (await fetch(new URL('/throws', url))).status === 500);
  check('and the rest', (await fetch(url)).status === 200);

  const events = [];
  rooms.on('room', (room) => {
    for (const event of ['member', 'memberleft', 'producer', 'producerclosed', 'close']) {
      room.on(event, () => events.push(event));
    }
  });
  const [one, two] = await Promise.all([rooms.createRoom('w'), rooms.createRoom('w')]);
  check('one room of a name', one === two && rooms.get('w') === one && rooms.size === 1);
  await checkSoon('a room that nobody enters is closed', () => rooms.size === 0 && one.closed);
  const member = await rooms.enter('w', { name: 'Gate', kind: 'whip' });
  const transport = await member.hold(() =>
    member.room.router.createPlainTransport({ listenInfo: { protocol: 'udp', ip: '127.0.0.1' } }),
  );
  const codec = { mimeType: 'audio/opus', clockRate: 48000, channels: 2, payloadType: 100 };
  const rtpParameters = { codecs: [codec], encodings: [{ ssrc: 1 }] };
  await member.produce(transport, { kind: 'audio', rtpParameters }, 'microphone');
  check('what it publishes is in the room', member.room.producers.size === 1);
  member.leave();
  await until(() => rooms.size === 0);
  const wanted = 'close,member,producer,producerclosed,memberleft,close';
  check('the events of a room', events.join() === wanted, events.join());
  rooms.close();
  await server.close();
  relay.close();
}

await test(async () => {
  await startRelay();
  options();
  const server = await startServer();
  await files(server.url);
  await strangers(server.url);
  const clients = await members(server.url);
  await bounds();
  await tls();
  await seam();
  for (const client of clients) {
    client.ws.close(1000);
  }
  await server.stop('SIGTERM');
  await checkSoon('nothing is left in the relay', isEmpty);
}, 120_000);
