import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TunnelError } from '../../../../src/base/errors.ts';
import { demandedDelayMs, lossDelayMs, retryDelayMs, welcomeDelayMs } from '../../../../src/tunnels/link/backoff.ts';

const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const failures = fc.nat({ max: 5_000 });
const refused = new TunnelError('connect_refused', 'refused');
const unreachable = new TunnelError('connect_timeout', 'no answer');
const rejections = (['auth_rejected', 'penalised', 'host_key_changed'] as const).map(
  (code) => new TunnelError(code, code),
);

describe('after an ordinary failure', () => {
  test('waits between 50 ms and 30 s after an ordinary failure', () => {
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
  ])('jitters the wait after %i failures in a row from zero to %i ms', (count, ceiling) => {
    expect(retryDelayMs(count, refused, 0)).toBe(50);
    expect(retryDelayMs(count, refused, 0.5)).toBe(ceiling / 2);
    expect(retryDelayMs(count, refused, 1 - Number.EPSILON)).toBeCloseTo(ceiling, 3);
  });

  test('jitters the first retry after a loss', () => {
    expect(retryDelayMs(0, undefined, 0.2)).not.toBe(retryDelayMs(0, undefined, 0.8));
  });
});

describe.each(rejections)('after $code', (error) => {
  test('waits at least a minute after a rejection, however many failures came before', () => {
    fc.assert(
      fc.property(failures, random, (count, dice) => {
        expect(retryDelayMs(count, error, dice)).toBeGreaterThanOrEqual(60_000);
        expect(retryDelayMs(count, error, dice)).toBeLessThanOrEqual(75_000);
      }),
    );
  });

  test('does not shorten the wait after a rejection for a waiting client', () => {
    expect(demandedDelayMs(66_000, error, 0)).toBe(66_000);
  });
});

test('retries within a second while a client waits, and never later than without one', () => {
  fc.assert(
    fc.property(failures, random, random, (count, dice, again) => {
      const ms = retryDelayMs(count, refused, dice);
      const demanded = demandedDelayMs(ms, refused, again);
      expect(demanded).toBeLessThanOrEqual(Math.min(ms, 1_000));
      expect(demanded).toBeGreaterThanOrEqual(50);
    }),
  );
});

test('never waits longer than 5 s for a host that lets us in, and never longer than a second within its first minute', () => {
  fc.assert(
    fc.property(failures, fc.nat({ max: 10_000_000 }), random, (count, missingMs, dice) => {
      const ms = welcomeDelayMs(count, unreachable, missingMs, dice);
      expect(ms).toBeGreaterThanOrEqual(50);
      expect(ms).toBeLessThanOrEqual(missingMs <= 60_000 ? 1_000 : 5_000);
      expect(welcomeDelayMs(count, refused, missingMs, dice)).toBeLessThanOrEqual(ms);
      expect(ms).toBeLessThanOrEqual(Math.max(50, retryDelayMs(count, undefined, dice)));
      expect(lossDelayMs(count, dice)).toBeLessThanOrEqual(count === 0 ? 500 : 5_000);
    }),
  );
});
