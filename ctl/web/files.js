// SPDX-License-Identifier: GPL-3.0-or-later
// The page's files: what `npm run build` has left in dist/. Nothing else is served.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';

const folder = new URL('./dist/', import.meta.url);
const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
    "connect-src 'self'; media-src 'self' blob: mediastream:; worker-src 'self'; " +
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  'permissions-policy': 'camera=(self), microphone=(self), display-capture=(self)',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};
/** @type {Record<string, [file: string, type: string]>} */
const FILES = {
  '/page.js': ['page.js', 'text/javascript; charset=utf-8'],
  '/style.css': ['style.css', 'text/css; charset=utf-8'],
  '/icon.svg': ['icon.svg', 'image/svg+xml'],
};
const PAGE = /** @type {[string, string]} */ (['index.html', 'text/html; charset=utf-8']);

export class Files {
  /** @type {Map<string, { body: Buffer, etag: string }>} */
  #read = new Map();

  /** @type {import('./server.js').Handler} */
  async handle(request, response, url) {
    const isPage = url.pathname === '/' || /^\/r\/[^/]*$/.test(url.pathname);
    const entry = isPage ? PAGE : Object.hasOwn(FILES, url.pathname) && FILES[url.pathname];
    if (!entry) {
      response.writeHead(404, { ...HEADERS, 'content-type': 'text/plain' }).end('Not found\n');
      return true;
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { ...HEADERS, allow: 'GET, HEAD' }).end();
      return true;
    }
    const { body, etag } = await this.#load(entry[0]);
    const headers = { ...HEADERS, 'cache-control': 'no-cache', etag };
    if (request.headers['if-none-match'] === etag) {
      response.writeHead(304, headers).end();
      return true;
    }
    response.writeHead(200, {
      ...headers,
      'content-type': entry[1],
      'content-length': body.length,
    });
    response.end(request.method === 'HEAD' ? undefined : body);
    return true;
  }

  /** @param {string} name */
  async #load(name) {
    let file = this.#read.get(name);
    if (!file) {
      const body = await readFile(new URL(name, folder));
      const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
      file = { body, etag };
      this.#read.set(name, file);
    }
    return file;
  }
}
