import { writeFileSync } from 'node:fs';
import { PROMISES } from '../../tests/support/simulation/promises.ts';
import type { Sum } from './workers.ts';

/** All runs of one call, for a report. */
export interface Finished extends Sum {
  readonly firstSeed: number;
  readonly lastSeed: number;
  readonly seconds: number;
  readonly jobs: number;
  readonly planted: string | undefined;
}

/** Writes the report as JSON, or for every other name as Markdown. */
export function writeReport(path: string, finished: Finished): void {
  writeFileSync(path, path.endsWith('.json') ? `${JSON.stringify(asData(finished), null, 2)}\n` : asMarkdown(finished));
}

function asData({
  done,
  retirable,
  retired,
  steps,
  deeds,
  broken,
  firstSeed,
  lastSeed,
  seconds,
  jobs,
  planted,
}: Finished) {
  return {
    runs: done,
    seeds: { first: firstSeed, last: lastSeed },
    seconds: Number(seconds.toFixed(1)),
    jobs,
    planted: planted ?? null,
    steps,
    deeds,
    retirable_runs: retirable,
    retired_runs: retired,
    promises: PROMISES,
    broken: broken === undefined ? null : { seed: broken },
  };
}

function asMarkdown(finished: Finished): string {
  const { done, retirable, retired, steps, deeds, broken, firstSeed, lastSeed, seconds, jobs, planted } = finished;
  const counted = Object.entries(deeds).toSorted(([, a], [, b]) => b - a);
  return [
    '# Simulation of the drain side',
    '',
    `- ${done} runs, seeds ${firstSeed} to ${lastSeed}, in ${seconds.toFixed(0)} s with ${jobs} processes`,
    `- planted bug: ${planted ?? 'none'}`,
    `- ${steps} steps; the tunnel was retirable in ${retirable} runs, and retired in ${retired}`,
    `- ${broken === undefined ? 'every promise held' : `a promise broke with the seed ${broken}`}`,
    '',
    'Promises, checked at each simulated second or after each restart:',
    '',
    ...PROMISES.map((promise) => `- ${promise}`),
    '',
    '| step | times |',
    '| --- | --- |',
    ...counted.map(([what, times]) => `| ${what} | ${times} |`),
    '',
  ].join('\n');
}
