#!/usr/bin/env node
// SPDX-License-Identifier: GPL-3.0-or-later
// The program: options, the parts put together, how it ends. Exit status 0 stopped as asked,
// 1 failure, 2 usage.
import { readFile } from 'node:fs/promises';
import { Feed } from './feed.js';
import { Gateway } from './gateway/gateway.js';
import { readSettings } from './gateway/settings.js';
import { defaultLimits } from './limits.js';
import { readOptions, usage, UsageError } from './options.js';
import { Relay } from './relay.js';
import { Rooms } from './rooms.js';
import { WebServer } from './server.js';

/** @param {string} line */
function log(line) {
  console.error(`${new Date().toISOString()} ${line}`);
}

/** @param {ReturnType<typeof readOptions>} options */
async function run(options) {
  const tls =
    options.tlsCert && options.tlsKey
      ? { cert: await readFile(options.tlsCert), key: await readFile(options.tlsKey) }
      : undefined;
  const { rooms: roomsMax, membersPerRoom, connectionsPerAddress } = options;
  const limits = { ...defaultLimits, rooms: roomsMax, membersPerRoom, connectionsPerAddress };
  const relay = new Relay({ ...options, log });
  const rooms = new Rooms(relay, limits);
  const server = new WebServer({ rooms, tls, allowedOrigins: options.allowedOrigins, log });
  const feed = options.feed === undefined ? undefined : new Feed(rooms, options.feed, log);
  const settings = await readSettings(options.gateway);
  const gateway = new Gateway({ rooms, ...settings, log });
  server.mount(gateway.handle);
  await relay.start();

  const port = await server.listen(options.port, options.host);
  // A wildcard address is no link; on the machine itself this one is.
  const host = ['0.0.0.0', '::'].includes(options.host) ? 'localhost' : bracketed(options.host);
  console.log(`${tls ? 'https' : 'http'}://${host}:${port}/`);

  let stopping = false;
  const stop = async () => {
    if (stopping) {
      process.exit(1); // asked twice
    }
    stopping = true;
    feed?.close();
    gateway.close();
    rooms.close();
    await server.close();
    relay.close();
  };
  process.on('SIGINT', () => void stop());
  process.on('SIGTERM', () => void stop());
}

/** @param {string} host */
function bracketed(host) {
  return host.includes(':') ? `[${host}]` : host;
}

try {
  const options = readOptions(process.argv.slice(2));
  if (options.help) {
    console.log(usage);
  } else {
    await run(options);
  }
} catch (error) {
  console.error(`ctl/web: ${/** @type {Error} */ (error).message}`);
  if (error instanceof UsageError) {
    console.error('--help shows the options');
  }
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
