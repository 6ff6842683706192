import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  dueAt,
  endsWithin,
  isDue,
  type Lifetime,
  leftMs,
  remainingMs,
  renewalDelayMs,
  renewalRetryMs,
  wasSet,
} from '../../../../src/tunnels/credential/renewal-policy.ts';

const NOW = Date.UTC(2026, 10, 21, 12);
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Valid from `after` to `before`, relative to {@link NOW}. */
const life = (after: number, before: number): Lifetime => ({ validAfterMs: NOW + after, validBeforeMs: NOW + before });

const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const lifetime = fc
  .tuple(fc.integer({ min: -30 * DAY, max: HOUR }), fc.integer({ min: -HOUR, max: 400 * DAY }))
  .map(([after, before]) => life(after, before));

describe(renewalDelayMs, () => {
  test.each([
    ['a fresh one', life(0, HOUR), 0.5, 0.5, 30 * MINUTE],
    ['the least jitter', life(0, HOUR), 0.5, 0, 27 * MINUTE],
    ['renew_after', life(0, HOUR), 0.25, 0.5, 15 * MINUTE],
    ['a CA that backdates', life(-5 * MINUTE, HOUR), 0.5, 0.5, 30 * MINUTE],
    ['our clock is 10 minutes ahead', life(-10 * MINUTE, 50 * MINUTE), 0.5, 0.5, 25 * MINUTE],
    ['our clock is 10 minutes behind', life(10 * MINUTE, 70 * MINUTE), 0.5, 0.5, 30 * MINUTE],
    ['half used up already', life(-HOUR, HOUR), 0.5, 0.5, 30 * MINUTE],
    ['20 seconds', life(0, 20_000), 0.5, 0.5, 10_000],
    ['expired', life(-HOUR, -MINUTE), 0.5, 0.5, 1_000],
    ['one that begins after its end', life(HOUR, MINUTE), 0.5, 0.5, 1_000],
    ['no end', { validAfterMs: 0, validBeforeMs: Number.POSITIVE_INFINITY }, 0.5, 0.5, 7 * DAY],
  ])('plans the renewal: %s', (_, lifetime, renewAfter, dice, expected) => {
    expect(renewalDelayMs(lifetime, NOW, renewAfter, dice)).toBeCloseTo(expected, 3);
  });

  test('plans a renewal after now, before the expiry, and within 10 % of renew_after', () => {
    fc.assert(
      fc.property(lifetime, fc.double({ min: 0.01, max: 0.99, noNaN: true }), random, (each, renewAfter, dice) => {
        const delay = renewalDelayMs(each, NOW, renewAfter, dice);
        const left = remainingMs(each, NOW);
        expect(delay).toBeGreaterThanOrEqual(1_000);
        expect(delay).toBeLessThanOrEqual(7 * DAY);
        if (left <= 10_000) return;
        expect(delay).toBeLessThan(Math.max(left, 1_000.1));
        const wanted = Math.min(7 * DAY, left * renewAfter);
        expect(delay).toBeLessThanOrEqual(Math.max(1_000, wanted * 1.1) + 1);
        expect(delay).toBeGreaterThanOrEqual(Math.min(wanted * 0.9, left * 0.5 * renewAfter) - 1);
      }),
    );
  });
});

describe(isDue, () => {
  const since = { wallMs: NOW, monotonicMs: 5_000 };
  test.each([
    ['neither clock', 9_999, 9_999, false],
    ['both', 10_000, 10_000, true],
    ['the machine slept: only the wall clock went on', 3 * HOUR, 10, true],
    ['the wall clock was set back', -HOUR, 10_000, true],
    ['the wall clock was set back, early', -HOUR, 9_999, false],
  ])('decides whether a delay is over: %s', (_, wall, monotonic, due) => {
    expect(isDue(since, 10_000, { wallMs: NOW + wall, monotonicMs: 5_000 + monotonic })).toBe(due);
  });
});

describe('a clock that was set', () => {
  const since = { wallMs: NOW, monotonicMs: 5_000 };
  const later = (wall: number, monotonic: number) => ({ wallMs: NOW + wall, monotonicMs: 5_000 + monotonic });

  test.each([
    ['both clocks went on', 60_000, 60_000, HOUR - 60_000],
    ['the wall clock was set back', -HOUR, 60_000, HOUR - 60_000],
    ['the machine slept', 30 * 60_000, 10, HOUR / 2],
    ['the wall clock was set forward beyond the date', 2 * HOUR, 10, -HOUR],
  ])('leaves the rest of a delay: %s', (_, wall, monotonic, left) => {
    expect(leftMs(since, HOUR, later(wall, monotonic))).toBe(left);
  });

  test.each([
    ['stays for clocks that drift a little', 60_000, 60_300, NOW + HOUR],
    ['moves with a clock that was set back', -2 * HOUR, 60_000, NOW - 2 * HOUR + HOUR - 60_000],
    ['stays for a machine that slept', 30 * 60_000, 10, NOW + HOUR],
  ])('tells the date of a renewal by the clock of now: it %s', (_, wall, monotonic, date) => {
    expect(dueAt(since, HOUR, later(wall, monotonic)).getTime()).toBe(date);
  });

  test.each([
    [60_000, 60_000, false],
    [60_000, 61_500, false],
    [-5_000, 1_000, true],
    [HOUR, 1_000, true],
  ])('notices whether the clock was set: the wall clock went %i ms and the other %i ms', (wall, monotonic, set) => {
    expect(wasSet(since, later(wall, monotonic))).toBe(set);
  });
});

describe(renewalRetryMs, () => {
  test.each([
    [1, HOUR, 1_000],
    [3, HOUR, 4_000],
    [20, DAY, 300_000],
    [20, 6 * MINUTE, MINUTE],
    [5, 12_000, 2_000],
    [5, 600, 250],
    [20, 0, 30_000],
  ])('waits after %i failures with %i ms left at most %i ms', (failures, left, most) => {
    expect(renewalRetryMs(failures, left, 0.999_999_9)).toBeCloseTo(most, 0);
  });

  test('always waits, within the caps, and leaves time for more tries', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e6 }), fc.integer({ min: 0, max: 100 * DAY }), random, (n, left, dice) => {
        const wait = renewalRetryMs(n, left, dice);
        expect(wait).toBeGreaterThanOrEqual(250);
        expect(wait).toBeLessThanOrEqual(left > 0 ? 300_000 : 30_000);
        if (left > 1_500) expect(wait).toBeLessThanOrEqual(left / 6);
      }),
    );
  });
});

describe(endsWithin, () => {
  test.each([
    ['fresh', life(0, HOUR), HOUR, false],
    ['ends during the attempt', life(-HOUR, 9_000), HOUR, true],
    ['has ended', life(-HOUR, -1), HOUR, true],
    ['a short one in its middle', life(-10_000, 10_000), 20_000, false],
    ['a short one at its end', life(-17_000, 3_000), 20_000, true],
    ['a short one, fresh, by a CA that backdates', life(-2 * MINUTE, 7_000), 7_000, false],
    ['no end', { validAfterMs: 0, validBeforeMs: Number.POSITIVE_INFINITY }, Number.POSITIVE_INFINITY, false],
  ])('decides whether a certificate could expire during a login: %s', (_, lifetime, lifeMs, ends) => {
    expect(endsWithin(lifetime, lifeMs, NOW, 10_000)).toBe(ends);
  });

  test('accepts every valid certificate that was received now', () => {
    fc.assert(
      fc.property(lifetime, fc.integer({ min: 0, max: HOUR }), (each, attemptMs) => {
        const left = remainingMs(each, NOW);
        fc.pre(left > 0);
        expect(endsWithin(each, left, NOW, attemptMs)).toBe(false);
      }),
    );
  });
});
