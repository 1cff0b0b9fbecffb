// SPDX-License-Identifier: GPL-3.0-or-later
// The body of a request, of the right type and of bounded length.
import { malformed, Problem } from './problem.js';

/**
 * @param {import('node:http').IncomingMessage} request
 * @param {string} type  the media type that it must have
 * @param {number} bytesMax
 */
export async function readBody(request, type, bytesMax) {
  const given = (request.headers['content-type'] ?? '').split(';')[0].trim().toLowerCase();
  if (given !== type) {
    throw new Problem(415, `The content type has to be ${type}, not ${given || 'nothing'}.`, {
      [type === 'application/sdp' ? 'accept-post' : 'accept-patch']: type,
    });
  }
  if (request.headers['content-encoding'] !== undefined) {
    throw new Problem(415, 'Bodies have to be sent without a content coding.', {
      'accept-encoding': 'identity',
    });
  }
  // Whoever sends more gets no further: the rest is not read, and the connection goes.
  const tooLong = new Problem(413, `The body is longer than ${bytesMax} bytes.`, {
    connection: 'close',
  });
  if (Number(request.headers['content-length'] ?? 0) > bytesMax) {
    throw tooLong;
  }
  /** @type {Buffer[]} */
  const chunks = [];
  let bytes = 0;
  // Not destroyed by what is thrown: the answer goes over the same socket.
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    bytes += chunk.length;
    if (bytes > bytesMax) {
      throw tooLong;
    }
    chunks.push(chunk);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch {
    throw malformed('The body is not UTF-8.');
  }
}
