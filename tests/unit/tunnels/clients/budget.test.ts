import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Budget } from '../../../../src/tunnels/clients/budget.ts';

describe(Budget, () => {
  it('allows a burst at once, then its share of the time', () => {
    const budget = new Budget({ share: 0.1, burstMs: 10 }, 0);
    expect(budget.waitMs(0)).toBe(0);
    budget.spend(10, 0);
    expect(budget.waitMs(0)).toBe(10);
    expect(budget.waitMs(10)).toBe(0);
    budget.spend(21, 10);
    expect(budget.waitMs(10)).toBe(210);
  });

  it('never spends more than its share, one burst and the last piece of work', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 500 }), fc.integer({ min: 1, max: 30 })), { maxLength: 100 }),
        (work) => {
          const budget = new Budget({ share: 0.05, burstMs: 20 }, 0);
          let [now, spent] = [0, 0];
          for (const [restMs, tookMs] of work) {
            now += restMs;
            now += budget.waitMs(now);
            expect(spent).toBeLessThanOrEqual(20 + 0.05 * now);
            now += tookMs;
            spent += tookMs;
            budget.spend(tookMs, now);
          }
        },
      ),
    );
  });
});
