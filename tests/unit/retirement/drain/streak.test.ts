import { describe, expect, it } from 'vitest';
import { extended, type Streak } from '../../../../src/retirement/drain/streak.ts';
import { type SuccessorRecord, withRecord } from '../../../../src/retirement/evidence/successor-record.ts';

const START = Date.parse('2026-07-20T10:00:00Z');
const WITHIN = 23_000;
const at = (second: number) => START + second * 1_000;

describe(extended, () => {
  /** Checks at these seconds, by the wall clock and by the monotonic clock. */
  const streak = (...checks: readonly [wall: number, really: number][]) =>
    checks.reduce<Streak | undefined>(
      (before, [wall, really]) => extended(before, { wall: at(wall), sinceBootMs: really * 1_000 }, WITHIN),
      undefined,
    );

  it.each<[string, readonly [number, number][], number]>([
    ['a single check', [[0, 0]], 0],
    [
      'regular checks',
      [
        [0, 0],
        [10, 10],
        [20, 20],
      ],
      0,
    ],
    [
      'checks with one missing',
      [
        [0, 0],
        [10, 10],
        [34, 34],
        [44, 44],
      ],
      34,
    ],
    [
      'checks around a clock that is put forward',
      [
        [0, 0],
        [3_610, 10],
      ],
      3_610,
    ],
    [
      'checks around a clock that is put back',
      [
        [0, 0],
        [-3_590, 10],
      ],
      -3_590,
    ],
    [
      'checks around a suspended machine',
      [
        [0, 0],
        [3_600, 5],
      ],
      3_600,
    ],
    [
      'checks around a small clock correction',
      [
        [0, 0],
        [12, 10],
      ],
      0,
    ],
  ])('finds the start of the streak for %s', (_, checks, since) => {
    expect(streak(...checks)?.since.wall).toBe(at(since));
  });
});

describe(withRecord, () => {
  type Second = number | { readonly wall: number; readonly really: number };
  const record = (passing: Second | null, last: Second | null, changes: Partial<SuccessorRecord> = {}) => {
    const wall = (second: Second | null) =>
      second === null ? null : new Date(at(typeof second === 'number' ? second : second.wall)).toISOString();
    const really = (second: Second | null) =>
      second === null ? null : (typeof second === 'number' ? second : second.really) * 1_000;
    return {
      subject: 'a',
      boot: 'boot',
      passing_since: wall(passing),
      last_passed_at: wall(last),
      passing_since_ms: really(passing),
      last_passed_ms: really(last),
      within_ms: WITHIN,
      ...changes,
    };
  };
  const healthySince = (...records: readonly SuccessorRecord[]) =>
    records.reduce<ReturnType<typeof withRecord> | undefined>(withRecord, undefined)?.healthySince;
  const old = { passing_since_ms: undefined, last_passed_ms: undefined, boot: undefined };

  it.each<[string, readonly SuccessorRecord[], number | undefined]>([
    ['one run', [record(0, 0), record(0, 60), record(0, 120)], 0],
    ['a restart that is shorter than two checks', [record(0, 60), record(80, 80), record(80, 140)], 0],
    ['several short restarts', [record(0, 60), record(80, 90), record(100, 160)], 0],
    ['a longer restart', [record(0, 60), record(84, 84)], 84],
    ['a longer restart with the clock put back', [record(0, 60), record({ wall: 70, really: 84 }, 90)], 84],
    ['a short restart with the clock put back', [record(0, 60), record({ wall: -90, really: 70 }, 90)], 0],
    ['a machine that slept during the restart', [record(0, 60), record({ wall: 3_600, really: 70 }, 90)], 70],
    ['a restart of the machine', [record(0, 60), record(70, 70, { boot: 'next' })], 70],
    ['a machine without boot ids', [record(0, 60, { boot: null }), record(70, 70, { boot: null })], 70],
    ['a failure before the restart', [record(0, 60), record(null, null), record(70, 70)], 70],
    ['a failure now', [record(0, 60), record(null, null)], undefined],
    ['another successor', [record(0, 60), record(70, 70, { subject: 'b' })], 70],
    ['an earlier version before', [record(0, 60, old), record(70, 70)], 70],
    ['a run that seems to begin before the last one ended', [record(0, 60), record(-100, -100)], -100],
  ])('finds since when a successor is healthy for %s', (_, records, since) => {
    expect(healthySince(...records)?.sinceBootMs).toBe(since === undefined ? undefined : since * 1_000);
  });
});
