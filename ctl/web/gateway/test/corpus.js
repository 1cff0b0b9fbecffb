// SPDX-License-Identifier: GPL-3.0-or-later
// Offers that real stacks have made: test/corpus/sdp.
import { readdirSync, readFileSync } from 'node:fs';

const folder = new URL('../../../../test/corpus/sdp/', import.meta.url);

/** Name without suffix -> text. */
export const offers = new Map(
  readdirSync(folder)
    .filter((name) => name.endsWith('.sdp'))
    .sort()
    .map((name) => [name.slice(0, -4), readFileSync(new URL(name, folder), 'utf8')]),
);

export const isPublishing = (name) => /-(sendonly|sendrecv|simulcast|publish)$/.test(name);
export const isPlaying = (name) => /-(recvonly|sendrecv|play)$/.test(name);
