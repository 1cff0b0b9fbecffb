// SPDX-License-Identifier: GPL-3.0-or-later
// Where a transport listens.

export type TransportProtocol = 'udp' | 'tcp';
export type TransportPortRange = { min: number; max: number };

export type TransportSocketFlags = {
  ipv6Only?: boolean;
  udpReusePort?: boolean;
  /** The relay's own: several plain transports use this socket (PROTOCOL.md). */
  shared?: boolean;
};

export type TransportListenInfo = {
  protocol: TransportProtocol;
  ip: string;
  /** Older name of `announcedAddress`. */
  announcedIp?: string;
  announcedAddress?: string;
  exposeInternalIp?: boolean;
  port?: number;
  portRange?: TransportPortRange;
  flags?: TransportSocketFlags;
  sendBufferSize?: number;
  recvBufferSize?: number;
};

/** The older way to say it. */
export type TransportListenIp = { ip: string; announcedIp?: string };

export type TransportTuple = {
  localIp: string;
  localAddress: string;
  localPort: number;
  remoteIp?: string;
  remotePort?: number;
  protocol: TransportProtocol;
};

export function listenInfoOfIp(
  listenIp: TransportListenIp | string,
  protocol: TransportProtocol,
  port: number | undefined,
): TransportListenInfo {
  const { ip, announcedIp } =
    typeof listenIp === 'string' ? { ip: listenIp, announcedIp: undefined } : listenIp;
  return {
    protocol,
    ip,
    ...(announcedIp === undefined ? {} : { announcedAddress: announcedIp }),
    ...(port === undefined ? {} : { port }),
  };
}
