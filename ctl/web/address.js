// SPDX-License-Identifier: GPL-3.0-or-later
// What counts as one address where limits are kept by address.
import { isIPv6 } from 'node:net';

const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/**
 * An IPv4 address, however the socket writes it; of IPv6 the /64: whoever has one address of it has
 * all of them.
 * @param {string} [address]
 */
export function addressKey(address = '') {
  const mapped = MAPPED.exec(address);
  if (mapped) {
    return mapped[1];
  }
  if (!isIPv6(address)) {
    return address;
  }
  const [before, after] = address.split('%')[0].split('::');
  const groups = (/** @type {string | undefined} */ text) => (text ? text.split(':') : []);
  const [first, last] = [groups(before), groups(after)];
  const zeros = after === undefined ? 0 : 8 - first.length - last.length;
  const all = [...first, ...Array(Math.max(zeros, 0)).fill('0'), ...last];
  const network = all.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
  return `${network.join(':')}::/64`;
}
