import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TunnelError } from '../../../../src/base/errors.ts';
import { demandedDelayMs, retryDelayMs } from '../../../../src/tunnels/link/backoff.ts';

const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const failures = fc.nat({ max: 5_000 });
const refused = new TunnelError('connect_refused', 'refused');
const rejections = (['auth_rejected', 'penalised', 'host_key_changed'] as const).map(
  (code) => new TunnelError(code, code),
);

describe('after an ordinary failure', () => {
  test('the wait is never below 50 ms nor above 30 s', () => {
    fc.assert(
      fc.property(failures, random, (count, dice) => {
        const ms = retryDelayMs(count, refused, dice);
        expect(ms).toBeGreaterThanOrEqual(50);
        expect(ms).toBeLessThanOrEqual(30_000);
      }),
    );
  });

  test.each([
    [0, 500],
    [1, 1_000],
    [2, 2_000],
    [5, 16_000],
    [6, 30_000],
    [1_000, 30_000],
  ])('%i failures in a row: the jitter is full, up to %i ms', (count, ceiling) => {
    expect(retryDelayMs(count, refused, 0)).toBe(50);
    expect(retryDelayMs(count, refused, 0.5)).toBe(ceiling / 2);
    expect(retryDelayMs(count, refused, 1 - Number.EPSILON)).toBeCloseTo(ceiling, 3);
  });

  test('the first retry after a loss is jittered, too', () => {
    expect(retryDelayMs(0, undefined, 0.2)).not.toBe(retryDelayMs(0, undefined, 0.8));
  });
});

describe.each(rejections)('after $code', (error) => {
  test('the wait is a minute or more, whatever the dice and the count say', () => {
    fc.assert(
      fc.property(failures, random, (count, dice) => {
        expect(retryDelayMs(count, error, dice)).toBeGreaterThanOrEqual(60_000);
        expect(retryDelayMs(count, error, dice)).toBeLessThanOrEqual(75_000);
      }),
    );
  });

  test('a waiting client does not shorten it', () => {
    expect(demandedDelayMs(66_000, error, 0)).toBe(66_000);
  });
});

test('with a client waiting, a retry is at most a second away, and never later than without', () => {
  fc.assert(
    fc.property(failures, random, random, (count, dice, again) => {
      const ms = retryDelayMs(count, refused, dice);
      const demanded = demandedDelayMs(ms, refused, again);
      expect(demanded).toBeLessThanOrEqual(Math.min(ms, 1_000));
      expect(demanded).toBeGreaterThanOrEqual(50);
    }),
  );
});
