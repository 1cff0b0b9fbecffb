// SPDX-License-Identifier: GPL-3.0-or-later
// Bundles the page into dist/: one script, one style sheet, and the files that need nothing done.
import { cp, mkdir, rm } from 'node:fs/promises';
import { build } from 'esbuild';

const here = new URL('./', import.meta.url);
const out = new URL('dist/', here);

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
await build({
  absWorkingDir: decodeURIComponent(here.pathname),
  entryPoints: { page: 'page/main.js', style: 'page/style.css' },
  outdir: 'dist',
  bundle: true,
  minify: true,
  format: 'iife',
  target: ['chrome109', 'firefox115', 'safari16'],
  legalComments: 'linked',
  logLevel: 'warning',
});
for (const name of ['index.html', 'icon.svg']) {
  await cp(new URL(`page/${name}`, here), new URL(name, out));
}
