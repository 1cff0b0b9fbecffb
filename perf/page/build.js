// SPDX-License-Identifier: GPL-3.0-or-later
// Bundles the page into dist/report.html, one file without anything from outside: the template that
// sluice-perf fills with a report. Its policy lets only this script and this style in, by hash.
import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { build } from 'esbuild';

const here = new URL('./', import.meta.url);
const MARKS = ['%POLICY%', '%STYLE%', '%SCRIPT%', '%LICENCES%'];

const { outputFiles } = await build({
  absWorkingDir: decodeURIComponent(here.pathname),
  entryPoints: { page: 'main.js', style: 'style.css' },
  outdir: 'dist',
  bundle: true,
  minify: true,
  format: 'iife',
  target: ['chrome109', 'firefox115', 'safari16'],
  charset: 'ascii',
  legalComments: 'none', // they stand in full at the end of the page
  logLevel: 'warning',
  write: false,
});
const textOf = (end) => outputFiles.find(({ path }) => path.endsWith(end)).text.trim();
const hashOf = (text) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
const script = textOf('.js');
const style = textOf('.css');
if (/<\/script|<!--/i.test(script) || /<\/style/i.test(style)) {
  throw new Error('the bundle would end its own element');
}

async function licenceOf(name) {
  const of = (file) => readFile(new URL(`node_modules/${name}/${file}`, here), 'utf8');
  const { version } = JSON.parse(await of('package.json'));
  const text = `${name} ${version}\n\n${await of('LICENSE.md')}`;
  return text.trim().replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
const licences = await Promise.all(['chart.js', '@kurkle/color'].map(licenceOf));

const values = [
  `default-src 'none'; script-src ${hashOf(script)}; style-src ${hashOf(style)}`,
  style,
  script,
  licences.join('\n\n\n'),
];
let html = await readFile(new URL('index.html', here), 'utf8');
for (const [i, mark] of MARKS.entries()) {
  if (html.split(mark).length !== 2) {
    throw new Error(`${mark} is not once in index.html`);
  }
  html = html.replace(mark, () => values[i]);
}
if (html.split('@REPORT@').length !== 2) {
  throw new Error('the mark of the report is not once in the page');
}
await mkdir(new URL('dist/', here), { recursive: true });
await writeFile(new URL('dist/report.html', here), html);
