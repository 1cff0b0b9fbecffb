// SPDX-License-Identifier: GPL-3.0-or-later
// The gateway's settings file: {tokens?, iceServers?, limits?}. What is unknown in it is a mistake.
import { readFile } from 'node:fs/promises';
import { defaultLimits } from './limits.js';

/**
 * @typedef {object} Settings
 * @property {import('./tokens.js').Grant[]} [tokens]
 * @property {import('./gateway.js').IceServer[]} [iceServers]
 * @property {Partial<import('./limits.js').Limits>} [limits]
 */

const NAMES = {
  settings: ['tokens', 'iceServers', 'limits'],
  tokens: ['token', 'rooms', 'actions'],
  iceServers: ['urls', 'username', 'credential'],
  limits: Object.keys(defaultLimits),
};

/**
 * @param {string} [file]  without one: everybody may publish and play
 * @returns {Promise<Settings>}
 */
export async function readSettings(file) {
  if (file === undefined) {
    return {};
  }
  try {
    const settings = JSON.parse(await readFile(file, 'utf8'));
    mustHave(settings, 'settings');
    for (const list of /** @type {const} */ (['tokens', 'iceServers'])) {
      if (!Array.isArray(settings[list] ?? [])) {
        throw new TypeError(`${list} is a list`);
      }
      for (const entry of settings[list] ?? []) {
        mustHave(entry, list);
      }
    }
    mustHave(settings.limits ?? {}, 'limits');
    for (const [name, value] of Object.entries(settings.limits ?? {})) {
      if (!Number.isFinite(value) || value <= 0) {
        throw new TypeError(`limits.${name} is a number above 0`);
      }
    }
    return settings;
  } catch (error) {
    throw new Error(`${file}: ${/** @type {Error} */ (error).message}`);
  }
}

/**
 * @param {unknown} value
 * @param {keyof typeof NAMES} what
 */
function mustHave(value, what) {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TypeError(`${what}: an object was expected`);
  }
  const unknown = Object.keys(value).find((name) => !NAMES[what].includes(name));
  if (unknown !== undefined) {
    throw new TypeError(`${what}: there is no "${unknown}", only ${NAMES[what].join(', ')}`);
  }
}
