import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { formatSpan } from '../../src/base/text/span.ts';
import { PLANTED, type Planted } from '../../tests/support/simulation/planted.ts';
import type { RunOptions } from '../../tests/support/simulation/simulate.ts';
import { writeReport } from './report.ts';
import { Workers } from './workers.ts';

const USAGE = `usage: scripts/simulate-drain [--runs N] [--seed S] [--jobs N] [--report FILE] [--trace] [--planted ${Object.keys(PLANTED).join('|')}]\n`;

/** Time between two lines of progress, in milliseconds. */
const PROGRESS_MS = 2_000;

interface Wanted {
  readonly runs: number;
  readonly seed: number;
  readonly jobs: number;
  readonly planted: Planted | undefined;
  /** Markdown, or JSON if the name ends so. */
  readonly report: string | undefined;
}

function readArguments(): (Wanted & { readonly trace: boolean }) | undefined {
  const { values } = parseArgs({
    options: {
      runs: { type: 'string', default: '1000' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 1_000_000_000)) },
      jobs: { type: 'string', default: String(availableParallelism()) },
      planted: { type: 'string' },
      report: { type: 'string' },
      trace: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) return undefined;
  const numbers = { runs: Number(values.runs), seed: Number(values.seed), jobs: Number(values.jobs) };
  for (const [name, value] of Object.entries(numbers))
    if (!Number.isSafeInteger(value) || value < (name === 'seed' ? 0 : 1))
      throw new Error(`--${name} needs a whole number`);
  const planted = (Object.keys(PLANTED) as Planted[]).find((name) => name === values.planted);
  if (values.planted !== undefined && planted === undefined) throw new Error(`no planted bug ${values.planted}`);
  return { ...numbers, planted, report: values.report, trace: values.trace };
}

/** Runs all seeds; returns the first broken one, if any. */
async function runAll({
  runs,
  seed,
  jobs,
  planted,
  report,
}: Wanted): Promise<{ broken: number | undefined; text: string }> {
  const from = performance.now();
  const seconds = () => (performance.now() - from) / 1_000;
  const workers = new Workers({ jobs: Math.min(jobs, runs), planted });
  let toldAt = from;
  const sum = await workers.run({ first: seed, last: seed + runs - 1 }, ({ done, retirable }) => {
    if (performance.now() - toldAt < PROGRESS_MS) return;
    toldAt = performance.now();
    const pace = done / seconds();
    const leftMs = ((runs - done) / pace) * 1_000;
    process.stderr.write(
      `${done} of ${runs} runs, retirable in ${retirable}, ${pace.toFixed(1)} runs a second, ${formatSpan(leftMs)} left\n`,
    );
  });
  const { done, retirable, steps, broken } = sum;
  const lastSeed = seed + runs - 1;
  if (report !== undefined)
    writeReport(report, { ...sum, firstSeed: seed, lastSeed, seconds: seconds(), jobs, planted });
  const text =
    `${done} runs, seeds ${seed} to ${lastSeed}, in ${seconds().toFixed(1)} s: ` +
    `${steps} steps, retirable at some moment in ${retirable} runs\n`;
  return { broken, text };
}

/** Not needed while every promise holds, and slow to load. */
const simulator = () => import('../../tests/support/simulation/simulate.ts');

/** What went wrong in a broken run, with the shortest steps that show it. */
async function explain(options: RunOptions): Promise<string> {
  const { simulate } = await simulator();
  const { shrink } = await import('../../tests/support/simulation/shrink.ts');
  const { describeBroken } = await import('../../tests/support/simulation/report.ts');
  const found = await simulate(options);
  return describeBroken(options.seed, found, await shrink(options, found));
}

async function main(): Promise<number> {
  const wanted = readArguments();
  if (wanted === undefined) {
    process.stdout.write(USAGE);
    return 0;
  }
  const { seed, planted } = wanted;
  const bug = planted && PLANTED[planted];
  if (wanted.trace) {
    const { simulate } = await simulator();
    const { trace, broken } = await simulate({ seed, bug, stacks: true });
    process.stdout.write(`${trace.join('\n')}\n`);
    return broken ? 1 : 0;
  }
  process.stderr.write(`seeds from ${seed}${planted === undefined ? '' : `, with the planted bug ${planted}`}\n`);
  const { broken, text } = await runAll(wanted);
  process.stdout.write(text);
  if (broken === undefined) {
    process.stdout.write('every promise held\n');
    return 0;
  }
  process.stdout.write(await explain({ seed: broken, bug, stacks: true }));
  return 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`scripts/simulate-drain: ${error instanceof Error ? error.message : error}\n${USAGE}`);
  process.exitCode = 64;
}
