// SPDX-License-Identifier: GPL-3.0-or-later
// Plots by Chart.js, in the page's colours, light or dark.
import {
  BarController,
  BarElement,
  CategoryScale,
  Chart,
  Legend,
  LinearScale,
  LineController,
  LineElement,
  LogarithmicScale,
  PointElement,
  Tooltip,
} from 'chart.js';
import { show } from './dom.js';

Chart.register(
  BarController,
  BarElement,
  CategoryScale,
  Legend,
  LinearScale,
  LineController,
  LineElement,
  LogarithmicScale,
  PointElement,
  Tooltip,
);

const SERIES = 5;
const SHAPES = ['circle', 'rect', 'triangle', 'rectRot', 'star'];

function colours() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(name).trim();
  return {
    text: of('--text'),
    line: of('--line'),
    series: Array.from({ length: SERIES }, (_, i) => of(`--series-${i + 1}`)),
  };
}

/** The data sets of a series: a range is a bar, and its value a point in it. */
function dataSets(plot, one, index, colour) {
  const shape = { pointStyle: SHAPES[index % SERIES], borderColor: colour };
  const base = { label: one.name, ...shape, backgroundColor: colour };
  if (one.line !== undefined) {
    const dash = { borderDash: [6, 4], pointRadius: 0, borderWidth: 2 };
    return [{ ...base, type: 'line', data: one.values, ...dash, pointStyle: 'line' }];
  }
  if (one.range) {
    const bar = { ...base, type: 'bar', data: one.range, backgroundColor: `${colour}66` };
    return [{ ...bar, borderWidth: 1, borderSkipped: false, median: one.values }];
  }
  if (plot.points) {
    const points = plot.labels.map((x, i) => ({ x, y: one.values[i] }));
    const data = points.filter(({ y }) => y !== null);
    return [{ ...base, type: 'line', data, pointRadius: 5, borderWidth: 2 }];
  }
  return [{ ...base, type: 'bar', data: one.values }];
}

/** A mark at the value of each bar that is a range. */
const medians = {
  id: 'medians',
  afterDatasetsDraw(chart) {
    for (const [index, set] of chart.data.datasets.entries()) {
      if (!set.median || !chart.isDatasetVisible(index)) {
        continue;
      }
      for (const [i, bar] of chart.getDatasetMeta(index).data.entries()) {
        if (typeof set.median[i] !== 'number') {
          continue;
        }
        const y = chart.scales.y.getPixelForValue(set.median[i]);
        chart.ctx.fillStyle = set.borderColor;
        chart.ctx.fillRect(bar.x - bar.width / 2, y - 2, bar.width, 4);
      }
    }
  },
};

function told({ dataset, dataIndex, parsed }, unit) {
  const value = dataset.median?.[dataIndex] ?? parsed.y;
  const range = dataset.median ? dataset.data[dataIndex] : null;
  const spread = range ? ` (${show(range[0])} to ${show(range[1])})` : '';
  return `${dataset.label}: ${show(value)} ${unit}${spread}`;
}

/** Long labels in lines of a few words. */
function wrapped(label) {
  const lines = [''];
  for (const word of String(label).split(' ')) {
    if (lines.at(-1).length + word.length > 16) {
      lines.push('');
    }
    lines.push(`${lines.pop()} ${word}`.trim());
  }
  return lines.filter((line) => line !== '');
}

export function draw(canvas, plot) {
  const { text, line, series } = colours();
  const axis = { grid: { color: line }, ticks: { color: text, autoSkip: Boolean(plot.points) } };
  const title = (words) => ({ display: true, text: words, color: text });
  const x = plot.points
    ? { type: 'linear', beginAtZero: true, title: title(plot.points) }
    : { type: 'category' };
  const y = plot.log ? { type: 'logarithmic' } : { type: 'linear', beginAtZero: true };
  return new Chart(canvas, {
    type: plot.points ? 'line' : 'bar',
    data: {
      labels: plot.points ? undefined : plot.labels.map(wrapped),
      datasets: plot.series.flatMap((one, i) => dataSets(plot, one, i, series[i % SERIES])),
    },
    options: {
      animation: false,
      maintainAspectRatio: false,
      interaction: { mode: 'nearest', intersect: false },
      scales: {
        x: { ...axis, ...x },
        y: { ...axis, ...y, title: title(plot.unit), ticks: { color: text, callback: show } },
      },
      plugins: {
        legend: { labels: { color: text, usePointStyle: true } },
        tooltip: {
          callbacks: {
            title: ([first]) => (plot.points ? `${first.parsed.x} ${plot.points}` : undefined),
            label: (item) => told(item, plot.unit),
          },
        },
      },
    },
    plugins: [medians],
  });
}
