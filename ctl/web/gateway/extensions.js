// SPDX-License-Identifier: GPL-3.0-or-later
// Header extensions that an m= section offers and a room has, with the offerer's ids.

/** @typedef {{ uri: string, id: number }} Extension */
/** @typedef {import('sluice-client').types.RtpHeaderExtensionParameters} ExtensionParameters */

const ID_MAX = 255;
const ID_ONE_BYTE_MAX = 14; // RFC 8285 4.2

/**
 * @param {import('sdp-transform').MediaDescription} section
 * @param {'send' | 'recv'} way  what the offerer has to do with them
 * @param {(uri: string) => boolean} wanted
 * @param {boolean} mixed  ids above 14 need two-byte headers, which both sides have to allow
 * @returns {Extension[]}
 */
export function commonExtensions(section, way, wanted, mixed) {
  /** @type {Extension[]} */
  const found = [];
  for (const ext of section.ext ?? []) {
    const { value: id, uri, direction = 'sendrecv' } = ext;
    const isEncrypted = /** @type {any} */ (ext)['encrypt-uri'] !== undefined;
    const isUsable =
      !isEncrypted &&
      (direction === 'sendrecv' || direction === `${way}only`) &&
      Number.isInteger(id) &&
      id >= 1 &&
      id <= (mixed ? ID_MAX : ID_ONE_BYTE_MAX) &&
      id !== 15 &&
      wanted(String(uri));
    if (isUsable && !found.some((other) => other.id === id || other.uri === uri)) {
      found.push({ uri, id });
    }
  }
  return found;
}
