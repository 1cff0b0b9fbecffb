// SPDX-License-Identifier: GPL-3.0-or-later
// The command line of main.js.
import { isIP } from 'node:net';
import { parseArgs } from 'node:util';

export const usage = `usage: node ctl/web/main.js [option...]
The room page of the Sluice relay, with its signalling server.

  --host ADDRESS             where the page is served (default 127.0.0.1; everywhere: ::)
  --port N                   its port (default 8080; 0: any)
  --tls-cert FILE            serve https with this certificate chain (PEM) ...
  --tls-key FILE             ... and its private key
  --allow-origin ORIGIN      also take pages from there, as https://example.org (repeatable)
  --socket PATH              control socket of the relay (default SLUICE_SOCKET, else
                             /run/sluice/sluice.sock)
  --listen ADDRESS           where the relay listens for media (repeatable; default 127.0.0.1)
  --announced-address NAME   what browsers are told instead of it (repeatable, in the same order)
  --udp-port N|off           UDP port of media (default: any; see README.md for several workers)
  --tcp-port N|off           TCP port of media
  --max-rooms N              (default 100)
  --max-members N            in one room (default 32)
  --max-per-address N        pages from one address (default 100; more where a proxy is in front)
  --gateway FILE             WHIP and WHEP: tokens and limits (gateway/README.md)
  --feed ROOM                keep this room open, with a test feed: ports that take RTP from ffmpeg
  --help                     this text
`;

export class UsageError extends Error {}

/** @param {string[]} args */
export function readOptions(args) {
  const values = parse(args);
  const listen = values.listen ?? ['127.0.0.1'];
  const announced = values['announced-address'] ?? [];
  if (Boolean(values['tls-cert']) !== Boolean(values['tls-key'])) {
    throw new UsageError('--tls-cert and --tls-key go together');
  }
  if (announced.length > listen.length) {
    throw new UsageError('more --announced-address than --listen');
  }
  const udpPort = mediaPort('udp-port', values['udp-port']);
  const tcpPort = mediaPort('tcp-port', values['tcp-port']);
  if (udpPort === undefined && tcpPort === undefined) {
    throw new UsageError('--udp-port and --tcp-port cannot both be off');
  }
  const perAddress = values['max-per-address'] ?? '100';
  return {
    help: values.help ?? false,
    host: values.host ?? '127.0.0.1',
    port: number('port', values.port ?? '8080', 0, 65535),
    tlsCert: values['tls-cert'],
    tlsKey: values['tls-key'],
    allowedOrigins: (values['allow-origin'] ?? []).map(originOf),
    socketPath: values.socket,
    listenInfos: listen.flatMap((ip, i) => listenInfosOf(ip, announced[i], udpPort, tcpPort)),
    rooms: number('max-rooms', values['max-rooms'] ?? '100', 1, 10_000),
    membersPerRoom: number('max-members', values['max-members'] ?? '32', 1, 200),
    connectionsPerAddress: number('max-per-address', perAddress, 1, 100_000),
    feed: values.feed,
    gateway: values.gateway,
  };
}

/** @param {string[]} args */
function parse(args) {
  const string = /** @type {const} */ ({ type: 'string' });
  const strings = /** @type {const} */ ({ type: 'string', multiple: true });
  try {
    return parseArgs({
      args,
      options: {
        host: string,
        port: string,
        'tls-cert': string,
        'tls-key': string,
        'allow-origin': strings,
        socket: string,
        listen: strings,
        'announced-address': strings,
        'udp-port': string,
        'tcp-port': string,
        'max-rooms': string,
        'max-members': string,
        'max-per-address': string,
        feed: string,
        gateway: string,
        help: { type: 'boolean' },
      },
    }).values;
  } catch (error) {
    throw new UsageError(/** @type {Error} */ (error).message);
  }
}

/**
 * @param {string} ip
 * @param {string | undefined} announcedAddress
 * @param {number | undefined} udpPort
 * @param {number | undefined} tcpPort
 */
function listenInfosOf(ip, announcedAddress, udpPort, tcpPort) {
  if (!isIP(ip)) {
    throw new UsageError(`--listen takes an IP address, not ${ip}`);
  }
  if ((ip === '0.0.0.0' || ip === '::') && !announcedAddress) {
    throw new UsageError(`--listen ${ip} needs --announced-address: what browsers are to be told`);
  }
  const common = {
    ip,
    ...(announcedAddress ? { announcedAddress } : {}),
    // Both families may then use the same port.
    ...(isIP(ip) === 6 ? { flags: { ipv6Only: true } } : {}),
  };
  /** @type {import('sluice-client').types.TransportListenInfo[]} */
  const infos = [];
  if (udpPort !== undefined) {
    infos.push({ protocol: 'udp', ...common, port: udpPort });
  }
  if (tcpPort !== undefined) {
    infos.push({ protocol: 'tcp', ...common, port: tcpPort });
  }
  return infos;
}

/**
 * @param {string} name
 * @param {string | undefined} text
 * @returns {number | undefined} 0: any; undefined: off
 */
function mediaPort(name, text = '0') {
  return text === 'off' ? undefined : number(name, text, 0, 65535);
}

/**
 * @param {string} name
 * @param {string} text
 * @param {number} min
 * @param {number} max
 */
function number(name, text, min, max) {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < min || value > max) {
    throw new UsageError(`--${name} takes a number from ${min} to ${max}, not ${text}`);
  }
  return value;
}

/** @param {string} text */
function originOf(text) {
  try {
    const { origin } = new URL(text);
    if (origin !== 'null') {
      return origin;
    }
  } catch {
    // said below
  }
  throw new UsageError(`--allow-origin takes an origin as https://example.org, not ${text}`);
}
