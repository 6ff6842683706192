import { describe, expect, it } from 'vitest';
import { soakPlot, soakReport } from '../../../scripts/soak-run/report.ts';
import type { Sample } from '../../../scripts/soak-run/sample.ts';

const sample = (at: number, change: Partial<Sample> = {}): Sample => ({
  at: at * 10,
  residentBytes: 120e6,
  fds: 30,
  served: 200,
  failed: 0,
  medianMs: 5,
  p99Ms: 40,
  entries: at,
  chain: 'whole',
  ...change,
});
const run = (change: (at: number) => Partial<Sample> = () => ({}), count = 40) => ({
  seed: 1,
  samples: Array.from({ length: count }, (_, at) => sample(at, change(at))),
  strikes: [{ at: 12, name: 'a session is killed' }],
  rotations: 3,
  failures: ['12 s: reset'],
  broken: undefined,
});

describe(soakReport, () => {
  it('passes a run in which nothing grew and no request failed', () => {
    const { text, passed } = soakReport(run());
    expect(passed).toBe(true);
    expect(text).toContain('# Soak: PASS\n\n6m 30s, seed 1: 8000 requests served, 0 failed, 3 rotations, 1 faults');
    expect(text).toContain('| resident memory, median, MB | 120.0 | 120.0 | 120.0 | 120.0 |');
  });

  it.each([
    ['memory that grows', run((at) => ({ residentBytes: (120 + at * 2) * 1e6 })), 'memory grew by'],
    ['descriptors that grow', run((at) => ({ fds: 30 + Math.floor(at / 3) })), 'more descriptors'],
    ['a failed request', run((at) => ({ failed: at === 7 ? 1 : 0 })), '1 requests failed, for instance: 12 s: reset'],
    ['a broken chain', run((at) => (at === 9 ? { chain: 'broken' } : {})), 'the chain of the evidence is broken'],
    ['a run that is too short', run(undefined, 3), 'fewer than four samples'],
    ['a daemon that ended', { ...run(), broken: 'the daemon ended (exit code 1)' }, 'the daemon ended'],
  ])('fails for %s', (_, result, reason) => {
    const { text, passed } = soakReport(result);
    expect([passed, text]).toEqual([false, expect.stringContaining(reason)]);
  });

  it('plots a sample without a request as a gap', () => {
    const svg = soakPlot(run((at) => (at === 5 ? { medianMs: Number.NaN, p99Ms: Number.NaN } : {})));
    expect(svg.match(/<polyline/g)).toHaveLength(5);
    expect(svg).not.toContain('NaN');
  });
});
