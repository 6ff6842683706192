import { markdownTable } from '../../src/base/text/markdown.ts';
import { formatSpan } from '../../src/base/text/span.ts';
import { plot } from './plot.ts';
import { quantile, type Sample, type Strike } from './sample.ts';

export interface SoakResult {
  readonly seed: number;
  readonly samples: readonly Sample[];
  readonly strikes: readonly Strike[];
  /** New certificates in use. */
  readonly rotations: number;
  /** Reasons of the first failed requests. */
  readonly failures: readonly string[];
  /** The failure that ended the run early. */
  readonly broken: string | undefined;
}

/** More growth between the first and the last quarter is a leak. V8 leaves tens of megabytes uncollected for a while. */
const MEMORY_BOUND_MB = 40;
const FDS_BOUND = 6;

/** Megabytes in a sample. */
const memory = ({ residentBytes }: Sample) => residentBytes / 1e6;

/** The report as Markdown, beside `soak.svg`, and whether the run passed. Pure. */
export function soakReport(result: SoakResult): { readonly text: string; readonly passed: boolean } {
  const { samples, strikes, rotations, seed } = result;
  const wrong = faultsOf(result);
  const served = sum(samples.map((each) => each.served));
  const seconds = samples.at(-1)?.at ?? 0;
  const quarters = [0, 1, 2, 3].map((at) => quarter(samples, at));
  const row = (name: string, of: (sample: Sample) => number, share: number) => [
    name,
    ...quarters.map((part) => quantile(part.map(of).filter(Number.isFinite), share).toFixed(1)),
  ];
  const text = `# Soak: ${wrong.length === 0 ? 'PASS' : 'FAIL'}

${formatSpan(seconds * 1_000)}, seed ${seed}: ${served} requests served, ${sum(samples.map((each) => each.failed))} failed, ${rotations} rotations, ${strikes.length} faults, ${samples.at(-1)?.entries ?? 0} entries of evidence.

${wrong.length === 0 ? 'Nothing grew without bound, no request failed, and the chain of the evidence is whole.' : wrong.map((each) => `- ${each}`).join('\n')}

![memory, descriptors, latency and evidence over time](soak.svg)

${markdownTable(
  ['quarter of the run', '1', '2', '3', '4'],
  [
    row('resident memory, median, MB', memory, 0.5),
    row('descriptors, median', ({ fds }) => fds, 0.5),
    row('latency, median, ms', ({ medianMs }) => medianMs, 0.5),
    row('latency, 99th percentile of a sample, median, ms', ({ p99Ms }) => p99Ms, 0.5),
    row('latency, 99th percentile of a sample, worst, ms', ({ p99Ms }) => p99Ms, 1),
  ],
)}

${markdownTable(['fault', 'count'], countsOf(strikes))}

Latency is that of a new connection with one HTTP request, and includes the load program. Faults strike while no request runs.
`;
  return { text, passed: wrong.length === 0 };
}

/** The plots of a run. Pure. */
export function soakPlot({ samples, strikes }: SoakResult): string {
  const line = (name: string, colour: string, of: (sample: Sample) => number) => ({
    name,
    colour,
    values: samples.map(of),
  });
  return plot(
    samples.map(({ at }) => at),
    [
      { title: 'Resident memory', unit: 'MB', lines: [line('resident', '#2b7a4b', memory)] },
      { title: 'Descriptors', unit: 'count', lines: [line('open', '#2b5c9a', ({ fds }) => fds)] },
      {
        title: 'Latency of a request',
        unit: 'ms',
        lines: [
          line('median', '#2b7a4b', ({ medianMs }) => medianMs),
          line('99th percentile', '#b4532a', ({ p99Ms }) => p99Ms),
        ],
      },
      { title: 'Evidence', unit: 'entries', lines: [line('entries', '#6a4b9a', ({ entries }) => entries)] },
    ],
    strikes.map(({ at }) => at),
  );
}

function faultsOf({ samples, failures, broken }: SoakResult): string[] {
  const failed = sum(samples.map((each) => each.failed));
  const grown = (of: (sample: Sample) => number) =>
    quantile(quarter(samples, 3).map(of), 0.5) - quantile(quarter(samples, 0).map(of), 0.5);
  const [megabytes, fds] = [grown(memory), grown((each) => each.fds)];
  return [
    ...(broken === undefined ? [] : [broken]),
    ...(samples.length < 4 ? ['the run has fewer than four samples, which prove nothing'] : []),
    ...(failed === 0 ? [] : [`${failed} requests failed, for instance: ${failures.slice(0, 3).join('; ')}`]),
    ...(samples.every(({ chain }) => chain === 'whole') ? [] : ['the chain of the evidence is broken']),
    ...(megabytes > MEMORY_BOUND_MB
      ? [`memory grew by ${megabytes.toFixed(0)} MB from the first quarter to the last`]
      : []),
    ...(fds > FDS_BOUND ? [`the daemon has ${fds} more descriptors in the last quarter than in the first`] : []),
  ];
}

function quarter(samples: readonly Sample[], at: number): readonly Sample[] {
  return samples.slice(Math.floor((samples.length * at) / 4), Math.floor((samples.length * (at + 1)) / 4));
}

function countsOf(strikes: readonly Strike[]): string[][] {
  const names = [...new Set(strikes.map(({ name }) => name))].sort();
  return names.map((name) => [name, `${strikes.filter((each) => each.name === name).length}`]);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
