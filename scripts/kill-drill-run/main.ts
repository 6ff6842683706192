import { parseArgs } from 'node:util';
import { seededRandom } from '../chaos-run/random.ts';
import { Drill, type Round } from './drill.ts';
import { Stage } from './stage.ts';

const USAGE = 'usage: scripts/kill-drill [--kills N] [--seed S]\n';

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      kills: { type: 'string', default: '200' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 1_000_000)) },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const [kills, seed] = [Number(values.kills), Number(values.seed)];
  if (!(Number.isSafeInteger(kills) && kills > 0 && Number.isSafeInteger(seed)))
    throw new Error('--kills needs a positive whole number, --seed a whole number');
  const interruption = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => interruption.abort());

  process.stderr.write(`seed ${seed}\n`);
  await using stage = await Stage.open(kills);
  const drill = new Drill(stage, seededRandom(seed));
  const from = performance.now();
  const rounds: Round[] = [];
  while (rounds.length < kills && !interruption.signal.aborted) {
    const round = await drill.round();
    rounds.push(round);
    process.stderr.write(`${lineOf(rounds.length, round)}\n`);
  }
  const last = await drill.end();
  const text = await report(seed, rounds, last, drill, (performance.now() - from) / 1_000);
  process.stdout.write(text);
  return [...rounds.map(({ wrong }) => wrong), last].every((wrong) => wrong.length === 0) ? 0 : 1;
}

function lineOf(number: number, { afterMs, during, torn, wrong }: Round): string {
  const when = `${Math.round(afterMs)} ms after the start`;
  const marks = [...(during ? [`during ${during}`] : []), ...(torn ? ['torn last line'] : [])];
  const found = wrong.length === 0 ? 'ok' : wrong.map((what) => `WRONG: ${what}`).join('; ');
  return [`kill ${String(number).padStart(3)}`, when, ...marks, found].join(', ');
}

async function report(
  seed: number,
  rounds: readonly Round[],
  last: readonly string[],
  drill: Drill,
  seconds: number,
): Promise<string> {
  const during = new Map<string, number>();
  for (const { during: what = 'no command' } of rounds) during.set(what, (during.get(what) ?? 0) + 1);
  const list = (counts: ReadonlyMap<string, number>) =>
    [...counts]
      .sort(([, a], [, b]) => b - a)
      .map(([what, count]) => `${count} ${what}`)
      .join(', ');
  const wrong = [...rounds.flatMap(({ wrong }) => wrong), ...last];
  return [
    `kill drill: seed ${seed}, ${rounds.length} kills in ${seconds.toFixed(0)} s`,
    `killed during: ${list(during)}`,
    `answered commands: ${list(drill.answered)}`,
    `torn last lines: ${rounds.filter(({ torn }) => torn).length}; files of the log: ${await drill.files()}`,
    `requests served: ${drill.observer.served}; looks that found the tunnel retirable: ${drill.observer.retirable}`,
    wrong.length === 0
      ? 'PASS: the chain is whole, nothing confirmed is lost, no tunnel was retirable too early, each port has one owner, no child is left'
      : `FAIL: ${wrong.join('; ')}`,
    '',
  ].join('\n');
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(
    `scripts/kill-drill: ${error instanceof Error ? (error.stack ?? error.message) : error}\n${USAGE}`,
  );
  process.exitCode = 64;
}
