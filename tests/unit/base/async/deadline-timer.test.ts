import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { DeadlineTimer } from '../../../../src/base/async/deadline-timer.ts';

let over: ReturnType<typeof vi.fn<() => void>>;

beforeEach(() => {
  over = vi.fn();
  vi.useFakeTimers();
});
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

it('calls at the end of its time, and at the end of the last one after a restart', () => {
  const timer = new DeadlineTimer(1_000, over);
  vi.advanceTimersByTime(900);
  timer.restart();
  vi.advanceTimersByTime(999);
  expect(over).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(over).toHaveBeenCalledOnce();
});

it('calls nothing once ended', () => {
  const timer = new DeadlineTimer(1_000, over);
  timer.end();
  vi.advanceTimersByTime(5_000);
  expect(over).not.toHaveBeenCalled();
});

it.each([
  ['an answer comes then', 40_000, 500, 0],
  ['no answer comes', 40_000, 1_000, 1],
  ['an answer comes soon after a short stop', 300, 299, 0],
  ['no answer comes after a short stop', 300, 300, 1],
])('gives the answers the time of a stop of the process, up to a second: %s', (_, stoppedMs, waitedMs, calls) => {
  const clock = vi.spyOn(performance, 'now');
  const timer = new DeadlineTimer(1_000, over);
  // The clock went on while the timers stood still.
  clock.mockReturnValue(performance.now() + 1_000 + stoppedMs);
  vi.advanceTimersByTime(1_000);
  expect(over).not.toHaveBeenCalled();
  vi.advanceTimersByTime(waitedMs);
  timer.end();
  expect(over).toHaveBeenCalledTimes(calls);
});
