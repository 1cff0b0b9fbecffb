// SPDX-License-Identifier: GPL-3.0-or-later
// /play/ROOM and /publish/ROOM: pages that do by WHEP and WHIP what any other client of these does.
import { readFile } from 'node:fs/promises';
import { Rooms } from '../rooms.js';

const folder = new URL('./page/', import.meta.url);
const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
    "connect-src 'self'; media-src 'self' blob: mediastream:; base-uri 'none'; " +
    "form-action 'none'; frame-ancestors 'self'",
  'permissions-policy': 'camera=(self), microphone=(self), display-capture=(self)',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-cache',
};
/** @type {Record<string, string>} */
const TYPES = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
};
const FILE = /^\/gateway\/(client\.js|play\.js|publish\.js|style\.css)$/;
const PAGE = /^\/(play|publish)\/([^/]+)$/;

export class Pages {
  /** @type {import('../server.js').Handler} */
  async handle(request, response, url) {
    const page = PAGE.exec(url.pathname);
    const name = page ? Rooms.isName(page[2]) && `${page[1]}.html` : FILE.exec(url.pathname)?.[1];
    if (!name) {
      return false;
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { ...HEADERS, allow: 'GET, HEAD' }).end();
      return true;
    }
    const body = await readFile(new URL(name, folder));
    response.writeHead(200, {
      ...HEADERS,
      'content-type': TYPES[name.replace(/^.*\./, '')],
      'content-length': body.length,
    });
    response.end(request.method === 'HEAD' ? undefined : body);
    return true;
  }
}
