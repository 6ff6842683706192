import fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Rounds } from '../../../../src/base/async/rounds.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('ends many pauses with few timers, each within half of the time between two rounds', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 5_000, max: 20_000 }), { minLength: 1, maxLength: 50 }), (pauses) => {
      const rounds = new Rounds(1_000, 5_000);
      const from = performance.now();
      const ended: { readonly ms: number; readonly after: number }[] = [];
      for (const ms of pauses) rounds.after(ms, () => ended.push({ ms, after: performance.now() - from }));
      expect(vi.getTimerCount()).toBeLessThanOrEqual(16);
      vi.advanceTimersByTime(21_000);
      expect(ended.map(({ ms }) => ms).sort()).toEqual([...pauses].sort());
      for (const { ms, after } of ended) expect(Math.abs(after - ms)).toBeLessThanOrEqual(501);
    }),
  );
});

test('ends a short pause when it is over', () => {
  const rounds = new Rounds(1_000, 5_000);
  const callBack = vi.fn();
  rounds.after(4_999, callBack);
  const cancel = rounds.after(100, callBack);
  cancel();
  vi.advanceTimersByTime(4_998);
  expect(callBack).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(callBack).toHaveBeenCalledTimes(1);
});

test('calls nobody who has cancelled, also not in the same round, and leaves no timer behind', () => {
  const rounds = new Rounds(1_000, 5_000);
  const callBack = vi.fn();
  const cancels: (() => void)[] = [];
  for (let call = 0; call < 3; call++) cancels.push(rounds.after(6_000, call === 0 ? () => cancels[1]?.() : callBack));
  vi.advanceTimersByTime(7_000);
  expect(callBack).toHaveBeenCalledTimes(1);
  rounds.after(6_000, callBack)();
  expect(vi.getTimerCount()).toBe(0);
});
