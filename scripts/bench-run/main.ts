import { parseArgs } from 'node:util';
import { startSshd } from '../../tests/support/peers/real-sshd.ts';
import { LOADS, type Load } from './loads.ts';
import { median, ratio, type Series, short } from './series.ts';
import { startTargets } from './targets.ts';
import { startWays, type Way } from './ways.ts';

const USAGE = 'usage: scripts/bench [--quick] [--rounds N] [--seconds N] [--only LOAD,…] [--ways WAY,…]\n';

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '3' },
      only: { type: 'string' },
      ways: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  const only = values.only?.split(',');
  const loads = LOADS.filter(({ name }) => only?.includes(name) ?? true);
  const rounds = values.quick ? 1 : Number(values.rounds);
  const seconds = values.quick ? 1 : Number(values.seconds);
  await using sshd = await startSshd();
  await using targets = await startTargets();
  const every = await startWays(sshd, targets);
  const ways = values.ways === undefined ? every : every.filter(({ name }) => values.ways?.split(';').includes(name));
  try {
    for (const load of loads) await measure(load, ways, rounds, seconds);
  } finally {
    await Promise.all(every.map((way) => way[Symbol.asyncDispose]()));
  }
}

/** Each round runs the load over every way, so that a busy machine disturbs all of them. */
async function measure(load: Load, ways: readonly Way[], rounds: number, seconds: number): Promise<void> {
  const series = new Map<string, number[]>();
  const of = (way: string, row: string): Series => series.get(`${way} ${row}`) ?? [];
  for (let round = 0; round < rounds; round++) {
    for (const way of ways) {
      const figures = await load.run(way, seconds);
      for (const [row, value] of Object.entries(figures)) {
        const key = `${way.name} ${row}`;
        series.set(key, [...(series.get(key) ?? []), value]);
      }
    }
  }
  for (const [row, { title, goal }] of Object.entries(load.rows)) {
    const parts = ways.map((way) => `${way.name} ${short(median(of(way.name, row)))}`);
    const against = short(ratio(of('fleet-mesh', row), of('ssh -L', row)));
    process.stdout.write(`${title}: ${parts.join(' | ')} | ratio ${against} (goal ${goal ?? 'none'})\n`);
  }
}

try {
  await main();
} catch (error) {
  process.stderr.write(`scripts/bench: ${error instanceof Error ? error.stack : error}\n${USAGE}`);
  process.exitCode = 1;
}
