// SPDX-License-Identifier: GPL-3.0-or-later
// The page of a report: targets first, then the plots with their numbers, then the scenes.
import { draw } from './draw.js';
import { el, show, table } from './dom.js';
import { figure, plotsOf } from './plots.js';

const VERDICTS = {
  reached: '\u2714 reached',
  missed: '\u2718 missed',
  open: '\u2248 open: its spread contains the target',
  unmeasured: '\u2013 not measured',
};
const GIB = 2 ** 30;

function read() {
  try {
    return JSON.parse(document.getElementById('report').textContent);
  } catch {
    return null; // the template itself
  }
}

const day = (text) => String(text).replace('T', ' ').replace('Z', ' UTC');

function head(report) {
  const { machine, baseline } = report;
  const rows = [
    ['Version', `Sluice ${report.version}`],
    ['Machine', `${machine.cpu}, ${machine.cores} cores, ${show(machine.memory_bytes / GIB)} GiB`],
    ['Kernel', `Linux ${machine.kernel}`],
    ['Measured', `${day(report.began)} to ${day(report.ended)}`],
    ['Command', el('code', {}, report.command)],
    ['Quoted', `${baseline.name} ${baseline.version}: ${baseline.date}, ${baseline.machine}`],
  ];
  const pairs = rows.map(([what, is]) => [el('dt', {}, what), el('dd', {}, is)]);
  const parts = [el('dl', {}, pairs.flat())];
  if (report.quick) {
    const words =
      'A quick run: a second and a tenth of the rate for each scene. It shows that the scenes ' +
      'run; its figures are not to be quoted.';
    parts.unshift(el('p', { class: 'notice' }, words));
  }
  const failed = report.scenes.filter(({ state }) => state === 'failed');
  if (failed.length > 0) {
    const names = failed.map(({ name }) => name).join(', ');
    parts.unshift(el('p', { class: 'notice failed' }, `Failed: ${names}. See the scenes below.`));
  }
  return parts;
}

function targetRow(row) {
  const commands = row.commands.map((command) => el('div', {}, el('code', {}, command)));
  const note = row.note ? el('div', { class: 'quiet' }, row.note) : '';
  return [
    row.what,
    row.mediasoup ?? '',
    row.target,
    row.measured || '\u2013',
    el('span', { class: row.verdict }, VERDICTS[row.verdict] ?? row.verdict),
    el('div', {}, commands, note),
  ];
}

function targets(report) {
  const { name, how } = report.baseline;
  const count = (verdict) => report.targets.filter((row) => row.verdict === verdict).length;
  const sums = Object.keys(VERDICTS).map((verdict) => `${count(verdict)} ${verdict}`);
  return [
    el('h2', {}, 'Targets'),
    el('p', {}, `${sums.join(', ')}. The column \u201c${name}\u201d is quoted: ${how}.`),
    table(
      'Targets, and what was measured',
      ['What', name, 'Target', 'Measured', 'Reached', 'By'],
      report.targets.map(targetRow),
    ),
  ];
}

/** What stands in the table: values, and where there is a range that beside them. */
function cellOf(series, i) {
  const range = series.range?.[i];
  const value = series.values[i];
  return range ? `${show(value)} (${show(range[0])} to ${show(range[1])})` : value;
}

function plotPart(plot) {
  const more = plot.more ?? [];
  const columns = [...plot.series, ...more];
  const heads = [
    plot.head ?? 'Scene',
    ...plot.series.map(({ name }) => `${name}, ${plot.unit}`),
    ...more.map(({ name }) => name),
  ];
  const rows = plot.labels.map((label, i) => [
    plot.points ? `${show(label)} ${plot.points}` : String(label),
    ...columns.map((one) => cellOf(one, i)),
  ]);
  const label = `${plot.title}. The table that follows has its numbers.`;
  const canvas = el('canvas', { role: 'img', 'aria-label': label });
  const part = el(
    'section',
    { id: plot.id },
    el('h3', {}, plot.title),
    el(
      'figure',
      {},
      el('figcaption', {}, plot.text),
      el('div', { class: 'plot' }, canvas),
      table(`${plot.title}: the numbers`, heads, rows),
    ),
  );
  return { part, canvas, plot };
}

function sceneRow(scene) {
  const { runs, runs_wanted: wanted } = scene;
  return [
    scene.name,
    el('code', {}, scene.command),
    el('span', { class: scene.state }, scene.state),
    scene.note ?? '',
    `${runs.length} of ${wanted}`,
    figure({ figures: { took: scene.took_s } }, 'took'),
  ];
}

function scenes(report) {
  return [
    el('h2', {}, 'Scenes'),
    el(
      'p',
      {},
      'Each ran as a process of its own. All their figures are in ',
      el('a', { href: 'report.json' }, 'report.json'),
      ' beside this page.',
    ),
    table(
      'The scenes that ran',
      ['Scene', 'Command', 'State', 'Note', 'Runs', 'Took, s'],
      report.scenes.map(sceneRow),
    ),
  ];
}

function showAll(report) {
  const page = document.getElementById('page');
  page.append(...head(report), ...targets(report), el('h2', {}, 'Plots'));
  const parts = plotsOf(report).map(plotPart);
  if (parts.length === 0) {
    page.append(el('p', {}, 'No scene of a plot was measured.'));
  }
  page.append(...parts.map(({ part }) => part), ...scenes(report));
  let charts = [];
  const drawAll = () => {
    charts.forEach((chart) => chart.destroy());
    charts = parts.map(({ canvas, plot }) => draw(canvas, plot));
  };
  drawAll();
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawAll);
}

const report = read();
if (report) {
  showAll(report);
} else {
  const words = 'This is the template that sluice-perf report fills. It has no report in it.';
  document.getElementById('page').append(el('p', {}, words));
}
