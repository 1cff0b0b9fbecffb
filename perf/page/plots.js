// SPDX-License-Identifier: GPL-3.0-or-later
// Which plots a report has: what is drawn, and the numbers of the table under it.
//
// A plot: {id, title, text, unit, labels, series}, one value of each series for each label, null
// where there is none. `range` of a series: [smallest, largest] for each label, drawn as a bar with
// the value in it. `more`: series of the table only. `log`: the axis. `points`: labels are numbers
// and lie where they belong. `head`: of the table's first column. `line`: a series that is a bound.

const KIB = 1024;
const MIB = 1048576;

export function plotsOf(report) {
  const scenes = report.scenes.filter(({ runs }) => runs.length > 0);
  const numbers = report.baseline?.numbers ?? {};
  const context = {
    numbers,
    quoted: `${report.baseline?.name ?? 'other'} (quoted)`,
    of: (...groups) => scenes.filter(({ group }) => groups.includes(group)),
    /* A scene of group "added" is a second long: of its memory alone there is something to say. */
    having: (...keys) =>
      scenes.filter((one) => one.group !== 'added' && keys.every((key) => known(one, key))),
  };
  const makers = [
    cpuByReceivers,
    ratios,
    rooms,
    transit,
    packetsPerSend,
    memoryEach,
    memoryGrowth,
    recovery,
    engines,
    storms,
    rates,
  ];
  return makers.map((make) => make(context)).filter(Boolean);
}

export function figure(scene, key, unit = 1) {
  const value = scene.figures[key];
  return typeof value === 'number' ? value / unit : null;
}

const known = (scene, key) => figure(scene, key) !== null;
const titles = (scenes) => scenes.map(({ title }) => title);

/** One series: a figure of each scene. */
function series(name, scenes, key, unit = 1) {
  return { name, values: scenes.map((scene) => figure(scene, key, unit)) };
}

function withRange(name, scenes, key) {
  const range = scenes.map((scene) => {
    const ends = [figure(scene, `${key}_min`), figure(scene, `${key}_max`)];
    return ends.includes(null) ? null : ends;
  });
  return { ...series(name, scenes, key), range };
}

const CPU = [
  ['relay', 'cpu_ns_per_forward'],
  ['limit, same runs', 'limit_same_runs_ns'],
  ['limit, best runs', 'limit_best_runs_ns'],
];
const cpuSeries = (scenes) => CPU.map(([name, key]) => series(name, scenes, key));

function cpuByReceivers({ of, numbers, quoted }) {
  const scenes = of('fanout');
  if (scenes.length === 0) {
    return null;
  }
  const all = cpuSeries(scenes);
  if (numbers.cpu_ns_per_forward && scenes.some(({ figures }) => figures.consumers === 100)) {
    const values = scenes.map(({ figures }) =>
      figures.consumers === 100 ? numbers.cpu_ns_per_forward : null,
    );
    all.push({ name: `${quoted}, packet by packet`, values });
  }
  return {
    id: 'cpu',
    title: 'CPU per packet against receivers',
    text:
      'Processor time of the relay for a packet that it sends, frames of 7 packets, and beside ' +
      'it the limit: a program that only rewrites, encrypts and sends.',
    unit: 'ns',
    labels: titles(scenes),
    series: all,
    more: [series('share of a core', scenes, 'relay_core_share')],
  };
}

function ratios({ having }) {
  const scenes = having('ratio_same_runs', 'ratio_best_runs');
  return (
    scenes.length > 0 && {
      id: 'ratio',
      title: 'The relay against its limit',
      text:
        'CPU per packet divided by that of the limit: medians of the pairs of slices, in bars ' +
        'from the smallest pair to the largest. The lines are the targets.',
      unit: 'x',
      labels: titles(scenes),
      series: [
        withRange('same runs', scenes, 'ratio_same_runs'),
        withRange('best runs', scenes, 'ratio_best_runs'),
        { name: 'target, same runs', line: 1.25, values: scenes.map(() => 1.25) },
        { name: 'target, best runs', line: 1.5, values: scenes.map(() => 1.5) },
      ],
    }
  );
}

function rooms({ of }) {
  const scenes = of('room', 'broadcast').filter((scene) => known(scene, 'cpu_ns_per_forward'));
  return (
    scenes.length > 0 && {
      id: 'rooms',
      title: 'CPU per packet in rooms',
      text:
        'Everybody receives everything, video and audio. With viewers: one sends to all of them, ' +
        'and there are small rooms beside it.',
      unit: 'ns',
      labels: titles(scenes),
      series: cpuSeries(scenes),
      more: [
        series('share of a core', scenes, 'relay_core_share'),
        series('memory over idle, MiB', scenes.map(grown), 'grown', MIB),
      ],
    }
  );
}

const grown = ({ figures }) => ({
  figures: { grown: figures.mem_steady_bytes - figures.mem_idle_bytes },
});

const PERCENTILES = [
  ['median', 'transit_p50_us'],
  ['99 %', 'transit_p99_us'],
  ['99.9 %', 'transit_p999_us'],
];

function transit({ having }) {
  const scenes = having('transit_p50_us').filter(({ group }) => group !== 'loss');
  return (
    scenes.length > 0 && {
      id: 'transit',
      title: 'Transit',
      text:
        'From the publisher\u2019s stamp to the receiver\u2019s return from the kernel. The last ' +
        'receiver of a frame waits for all others: with many receivers this is the time that the ' +
        'sending takes.',
      unit: 'ms',
      log: true,
      labels: titles(scenes),
      series: PERCENTILES.map(([name, key]) => series(name, scenes, key, 1000)),
    }
  );
}

function packetsPerSend({ having, numbers, quoted }) {
  const scenes = having('packets_per_send');
  if (scenes.length === 0) {
    return null;
  }
  const all = [series('packets per send', scenes, 'packets_per_send')];
  if (numbers.packets_per_send) {
    const values = scenes.map(() => numbers.packets_per_send);
    all.push({ name: quoted, line: numbers.packets_per_send, values });
  }
  return {
    id: 'sends',
    title: 'Packets per send',
    text: 'How many packets to one receiver leave with one operation of the kernel.',
    unit: 'packets',
    labels: titles(scenes),
    series: all,
    more: [series('system calls per packet', scenes, 'syscalls_per_forward')],
  };
}

function memoryEach({ having, numbers, quoted }) {
  const scenes = having('bytes_per_consumer');
  if (scenes.length === 0) {
    return null;
  }
  const all = [series('relay', scenes, 'bytes_per_consumer', KIB)];
  if (numbers.bytes_per_consumer) {
    const each = numbers.bytes_per_consumer / KIB;
    all.push({ name: quoted, line: each, values: scenes.map(() => each) });
  }
  return {
    id: 'memory',
    title: 'Memory per consumer',
    text:
      'Growth over the idle relay divided by consumers. What a relay needs once, as slots for ' +
      'what it retains, is in it: with many consumers it weighs less.',
    unit: 'KiB',
    labels: titles(scenes),
    series: all,
    more: [
      series('idle, MiB', scenes, 'mem_idle_bytes', MIB),
      series('forwarding, MiB', scenes, 'mem_steady_bytes', MIB),
      series('rooms closed, MiB', scenes, 'mem_after_close_bytes', MIB),
    ],
  };
}

function memoryGrowth({ of }) {
  const kinds = [
    ['receivers by plain transports, forwarding', of('memory'), 'consumers', 'mem_steady_bytes'],
    ['idle WebRTC transports, DTLS 1.3', idle(of, 'DTLS 1.3'), 'peers', 'mem_joined_bytes'],
    ['idle WebRTC transports, DTLS 1.2', idle(of, 'DTLS 1.2'), 'peers', 'mem_joined_bytes'],
    [
      'consumers on WebRTC transports',
      of('added'),
      'consumers',
      'mem_setup_bytes',
      'mem_transports_bytes',
    ],
  ].filter(([, scenes]) => scenes.length > 1);
  const labels = [...new Set(kinds.flatMap(([, scenes, x]) => scenes.map((s) => s.figures[x])))];
  labels.sort((a, b) => a - b);
  const valueAt = (scenes, x, key, less, label) => {
    const scene = scenes.find(({ figures }) => figures[x] === label);
    return scene ? (scene.figures[key] - scene.figures[less]) / MIB : null;
  };
  return (
    kinds.length > 0 && {
      id: 'growth',
      title: 'Memory against transports and consumers',
      text:
        'The slope is what one more costs: a transport over the idle relay, or a consumer over ' +
        '50 transports that have none.',
      unit: 'MiB',
      points: 'transports or consumers',
      head: 'How many',
      labels,
      series: kinds.map(([name, scenes, x, key, less = 'mem_idle_bytes']) => ({
        name,
        values: labels.map((label) => valueAt(scenes, x, key, less, label)),
      })),
    }
  );
}

const idle = (of, title) => of('idle').filter((scene) => scene.title === title);

function recovery({ of }) {
  const scenes = of('loss');
  return (
    scenes.length > 0 && {
      id: 'recovery',
      title: 'Recovery against loss',
      text: 'Packets thrown away at the receivers that came back as resends, of all thrown away.',
      unit: '%',
      labels: titles(scenes),
      series: [series('recovered', scenes, 'recovered_share', 0.01)],
      more: [
        series('thrown away', scenes, 'lost_on_wire'),
        series('asked for', scenes, 'nack_requested'),
        series('resends', scenes, 'nack_served'),
        series('of no use', scenes, 'nack_late'),
        series('lost', scenes, 'lost'),
        series('RTT, ms', scenes, 'rtt_ms'),
        series('retention, ms', scenes, 'retention_ms'),
      ],
    }
  );
}

function engines({ of }) {
  const scenes = of('engine');
  return (
    scenes.length > 0 && {
      id: 'engines',
      title: 'Engines compared',
      text:
        'io_uring against recvmmsg and sendmmsg, each with runs of packets in one send (GSO) and ' +
        'without; the limit sends the same way.',
      unit: 'ns',
      labels: titles(scenes),
      series: cpuSeries(scenes),
      more: [
        series('packets per send', scenes, 'packets_per_send'),
        series('system calls per packet', scenes, 'syscalls_per_forward'),
        series('transit, 99 %, ms', scenes, 'transit_p99_us', 1000),
      ],
    }
  );
}

function storms({ of }) {
  const scenes = of('storm');
  const rows = scenes.flatMap((scene) => [
    ['median', 'p50'],
    ['99 %', 'p99'],
    ['99.9 %', 'p999'],
  ].map(([name, key]) => ({ scene, name, key })));
  const values = (when) => rows.map(({ scene, key }) => figure(scene, `${when}_${key}_us`, 1000));
  const once = (name, key) => ({
    name,
    values: rows.map((row) => (row.key === 'p50' ? figure(row.scene, key) : null)),
  });
  return (
    scenes.length > 0 && {
      id: 'storms',
      title: 'A storm of joins beside a room',
      text: 'Transit of a room while WebRTC peers join the same worker, and without them.',
      unit: 'ms',
      labels: rows.map(({ scene, name }) => `${scene.title}: ${name}`),
      series: [
        { name: 'without joins', values: values('quiet_transit') },
        { name: 'with joins', values: values('storm_transit') },
      ],
      more: [
        once('joins', 'joins'),
        once('failed', 'joins_failed'),
        once('join, 99 %, ms', 'join_p99_ms'),
        once('packets lost', 'lost'),
      ],
    }
  );
}

function rates({ of, numbers, quoted }) {
  const scenes = of('saturate').filter((scene) => known(scene, 'pps_per_core'));
  if (scenes.length === 0) {
    return null;
  }
  const all = [series('packets/s of a core', scenes, 'pps_per_core')];
  if (numbers.pps_per_core) {
    const values = scenes.map(() => numbers.pps_per_core);
    all.push({ name: quoted, line: numbers.pps_per_core, values });
  }
  return {
    id: 'rates',
    title: 'The highest rate',
    text: 'With at most 0.1 % of the packets lost, by core of processor time that it took.',
    unit: 'packets/s',
    labels: titles(scenes),
    series: all,
    more: [series('measured, packets/s', scenes, 'pps')],
  };
}
