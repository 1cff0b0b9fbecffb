// SPDX-License-Identifier: GPL-3.0-or-later
// The relay's candidates in the form that sdp-transform writes.

/** @param {import('sluice-client').types.IceCandidate[]} candidates */
export function candidatesOf(candidates) {
  return candidates.map(({ foundation, priority, address, protocol, port, type, tcpType }) => ({
    foundation,
    component: 1, // RTP and RTCP share it
    transport: protocol,
    priority,
    ip: address,
    port,
    type,
    ...(tcpType && { tcptype: tcpType }),
  }));
}
