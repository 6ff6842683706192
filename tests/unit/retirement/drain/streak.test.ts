import { describe, expect, it } from 'vitest';
import { extended, type Streak } from '../../../../src/retirement/drain/streak.ts';
import { type SuccessorRecord, withRecord } from '../../../../src/retirement/evidence/successor-record.ts';

const START = Date.parse('2026-07-20T10:00:00Z');
const WITHIN = 23_000;
const at = (second: number) => START + second * 1_000;

describe('checks that pass', () => {
  /** At those seconds, by the wall clock and by the one that never jumps. */
  const streak = (...checks: readonly [wall: number, really: number][]) =>
    checks.reduce<Streak | undefined>(
      (before, [wall, really]) => extended(before, { at: at(wall), uptimeMs: really * 1_000 }, WITHIN),
      undefined,
    );

  it.each<[string, readonly [number, number][], number]>([
    ['once', [[0, 0]], 0],
    [
      'one after the other',
      [
        [0, 0],
        [10, 10],
        [20, 20],
      ],
      0,
    ],
    [
      'with one missing',
      [
        [0, 0],
        [10, 10],
        [34, 34],
        [44, 44],
      ],
      34,
    ],
    [
      'over a clock that is put forward',
      [
        [0, 0],
        [3_610, 10],
      ],
      3_610,
    ],
    [
      'over a clock that is put back',
      [
        [0, 0],
        [-3_590, 10],
      ],
      -3_590,
    ],
    [
      'over a machine that slept',
      [
        [0, 0],
        [3_600, 5],
      ],
      3_600,
    ],
    [
      'over a clock that is corrected a little',
      [
        [0, 0],
        [12, 10],
      ],
      0,
    ],
  ])('%s', (_, checks, since) => {
    expect(streak(...checks)?.since).toBe(at(since));
  });
});

describe('what the evidence has of a successor', () => {
  const record = (passing: number | null, last: number | null, subject = 'a'): SuccessorRecord => ({
    subject,
    passing_since: passing === null ? null : new Date(at(passing)).toISOString(),
    last_passed_at: last === null ? null : new Date(at(last)).toISOString(),
    within_ms: WITHIN,
  });
  const healthySince = (...records: readonly SuccessorRecord[]) =>
    records.reduce<ReturnType<typeof withRecord> | undefined>(withRecord, undefined)?.healthySince;

  it.each<[string, readonly SuccessorRecord[], number | undefined]>([
    ['one run', [record(0, 0), record(0, 60), record(0, 120)], 0],
    ['a restart within the time of two checks', [record(0, 60), record(80, 80), record(80, 140)], 0],
    ['several of them', [record(0, 60), record(80, 90), record(100, 160)], 0],
    ['a restart that took longer', [record(0, 60), record(84, 84)], 84],
    ['a failure before the restart', [record(0, 60), record(null, null), record(70, 70)], 70],
    ['a failure now', [record(0, 60), record(null, null)], undefined],
    ['another successor', [record(0, 60), record(70, 70, 'b')], 70],
    ['a clock that was put back meanwhile', [record(0, 60), record(-100, -100)], -100],
  ])('%s', (_, records, since) => {
    expect(healthySince(...records)).toBe(since === undefined ? undefined : at(since));
  });
});
