import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { residentBytes } from '../../tests/support/machine/daemon-holdings.ts';
import { startSshd } from '../../tests/support/peers/real-sshd.ts';
import { chart } from './chart.ts';
import { measureConnections } from './connections.ts';
import { startDelayRelay } from './delay-relay.ts';
import { idleConnectionKilobytes } from './idle.ts';
import { LOADS, LONG_LOADS, type Load } from './loads.ts';
import { describeMachine } from './machine.ts';
import { factors, markdownSingles, markdownTable, type Single, type Table } from './result.ts';
import { measureScale } from './scale.ts';
import { startTargets, type Targets } from './targets.ts';
import { behindRelay, startWays, type Way } from './ways.ts';

const USAGE = `usage: scripts/bench [--quick] [--rounds N] [--seconds N] [--only LOAD,…] [--out DIRECTORY] [--write]
loads: one fifty new bulk redis line scale idle many
--write puts benchmarks.md, benchmarks.json and the charts into docs/, --out into another directory.
`;

interface Settings {
  readonly rounds: number;
  readonly seconds: number;
  readonly quick: boolean;
  /** Undefined: all loads. */
  readonly only: readonly string[] | undefined;
}

type Sshd = Awaited<ReturnType<typeof startSshd>>;

/** Each round runs the load over every way, so that a busy machine disturbs all of them. */
async function measure(name: string, title: string, loads: readonly Load[], ways: readonly Way[], settings: Settings) {
  const rows: Table['rows'][number][] = [];
  for (const load of loads) {
    if (settings.only?.includes(load.name) === false) continue;
    const series: Record<string, Record<string, number[]>> = {};
    for (let round = 0; round < settings.rounds; round++) {
      for (const way of ways) {
        process.stderr.write(`${load.name}, round ${round + 1}: ${way.name}\n`);
        for (const [row, value] of Object.entries(await load.run(way, settings.seconds))) {
          const before = series[row] ?? {};
          series[row] = { ...before, [way.name]: [...(before[way.name] ?? []), value] };
        }
      }
    }
    rows.push(...Object.entries(load.rows).map(([key, row]) => ({ row, series: series[key] ?? {} })));
  }
  return { name, title, ways: ways.map((way) => way.name), rows } satisfies Table;
}

/** The loads over one server; the ways end afterwards, also after a failure. */
async function withWays<T>(start: Promise<Way[]>, use: (ways: readonly Way[]) => Promise<T>): Promise<T> {
  const ways = await start;
  try {
    return await use(ways);
  } finally {
    await Promise.all(ways.map((way) => way[Symbol.asyncDispose]()));
  }
}

async function measureAll(sshd: Sshd, targets: Targets, settings: Settings) {
  const wants = (name: string) => settings.only?.includes(name) ?? true;
  const tables: Table[] = [];
  const singles: Single[] = [];
  await withWays(startWays(sshd, targets), async (ways) => {
    const ours = ways.find(({ name }) => name === 'fleet-mesh');
    if (ours && wants('idle')) {
      // Before the load: later, the memory of the load would be used again. sshd has 1024 descriptors, two for each.
      const kilobytes = await idleConnectionKilobytes(ours, settings.quick ? 100 : 400);
      singles.push({ title: 'memory of an idle connection (KB)', value: kilobytes, goal: 15 });
    }
    tables.push(await measure('loopback', 'On one machine', LOADS, ways, settings));
    if (ours?.pid === undefined) return;
    singles.push({
      title: 'memory after the loads on one machine (MB)',
      value: residentBytes(ours.pid) / 1e6,
      goal: 110,
    });
  });
  for (const ms of wants('line') ? [20, 100] : []) {
    await using relay = await startDelayRelay(sshd.port, ms);
    const started = startWays(sshd, targets, behindRelay(sshd, relay.port));
    await withWays(started, async (ways) => {
      tables.push(await measure(`line-${ms}`, `Over a line with a round trip of ${ms} ms`, LONG_LOADS, ways, settings));
    });
  }
  if (wants('scale')) {
    const [few, many] = settings.quick ? [20, 50] : [200, 1_000];
    const idleSeconds = settings.quick ? 2 : 20;
    const small = await measureScale(sshd, few, idleSeconds);
    singles.push({
      title: `idle CPU, ${few} tunnels with a probe every 10 s (%)`,
      value: 100 * small.idleCpu,
      goal: 1.5,
    });
    const figures = await measureScale(sshd, many, idleSeconds);
    singles.push(
      { title: `${many} tunnels: all up after the start (s)`, value: figures.upSeconds, goal: 3 },
      { title: `${many} tunnels: memory (MB)`, value: figures.residentMegabytes, goal: 150 },
      { title: `${many} tunnels: \`/metrics\` (ms)`, value: figures.metricsMs, goal: 50 },
      { title: `${many} tunnels: \`fleet-mesh status\` (s)`, value: figures.statusSeconds, goal: 0.25 },
    );
  }
  if (wants('many')) {
    const { wanted, open, kilobytesEach, idleCpu, statusMs } = await measureConnections(
      sshd,
      settings.quick ? 300 : 10_000,
    );
    const many = `${wanted} open connections`;
    singles.push(
      { title: `${many}: missing`, value: wanted - open, goal: 0 },
      { title: `${many}: memory of each (KB)`, value: kilobytesEach, goal: 15 },
      { title: `${many}: idle CPU (%)`, value: 100 * idleCpu, goal: undefined },
      { title: `${many}: \`/status\` (ms)`, value: statusMs, goal: 50 },
    );
  }
  return { tables, singles };
}

function page(tables: readonly Table[], singles: readonly Single[], machine: readonly string[], settings: Settings) {
  const { rounds, seconds } = settings;
  const drawn = tables.filter(({ rows }) => rows.length > 0);
  const sections = drawn.map(
    (table) =>
      `## ${table.title}\n\n${markdownTable(table)}\n\n![${table.title}](images/benchmarks-${table.name}.svg)\n`,
  );
  return `# Benchmarks

\`scripts/bench --write\` makes this page. All ways run in the same rounds, through the same sshd, to the same targets. The
load comes from wrk, ab, iperf3 and redis-benchmark. Each figure is the median of ${rounds} rounds of ${seconds} s, with half of the
spread. The ratio is the median of the ratios of the rounds.

${machine.map((line) => `- ${line}`).join('\n')}

${sections.join('\n')}${singles.length > 0 ? `\n## The daemon alone\n\n${markdownSingles(singles)}\n` : ''}`;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '3' },
      only: { type: 'string' },
      out: { type: 'string' },
      write: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return;
  }
  const { quick } = values;
  const settings: Settings = {
    quick,
    rounds: quick ? 1 : Number(values.rounds),
    seconds: quick ? 1 : Number(values.seconds),
    only: values.only?.split(','),
  };
  const machine = describeMachine();
  await using sshd = await startSshd();
  await using targets = await startTargets();
  const { tables, singles } = await measureAll(sshd, targets, settings);
  const text = page(tables, singles, machine, settings);
  const directory = values.write ? 'docs' : values.out;
  if (directory === undefined) {
    process.stdout.write(text);
    return;
  }
  mkdirSync(join(directory, 'images'), { recursive: true });
  writeFileSync(join(directory, 'benchmarks.md'), text);
  writeFileSync(
    join(directory, 'benchmarks.json'),
    `${JSON.stringify({ machine, settings, tables, singles }, null, 2)}\n`,
  );
  for (const table of tables.filter(({ rows }) => rows.length > 0))
    writeFileSync(join(directory, 'images', `benchmarks-${table.name}.svg`), chart(table.title, factors(table)));
}

try {
  await main();
} catch (error) {
  process.stderr.write(`scripts/bench: ${error instanceof Error ? error.stack : error}\n${USAGE}`);
  process.exitCode = 1;
}
