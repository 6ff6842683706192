import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { onBeat } from '../../../../src/base/async/beat.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

test('calls all tasks of an interval together, by one timer', () => {
  const called: string[] = [];
  const stopFirst = onBeat(250, () => called.push('first'));
  vi.advanceTimersByTime(100);
  const stopSecond = onBeat(250, () => called.push('second'));
  const stopOther = onBeat(1_000, () => called.push('other'));
  expect(vi.getTimerCount()).toBe(2);
  vi.advanceTimersByTime(150);
  expect(called).toEqual(['first', 'second']);
  stopFirst();
  vi.advanceTimersByTime(250);
  expect(called).toEqual(['first', 'second', 'second']);
  stopSecond();
  stopOther();
  vi.advanceTimersByTime(1_000);
  expect(called).toHaveLength(3);
});

test('does not call a thousand tasks in one turn', () => {
  const stops = Array.from({ length: 1_000 }, () => onBeat(250, () => {}));
  expect(vi.getTimerCount()).toBe(16);
  for (const stop of stops) stop();
});

test('calls a task no more that another task of the beat has stopped, and begins anew after the last stop', () => {
  const task = vi.fn();
  const stops: (() => void)[] = [];
  stops.push(onBeat(250, () => stops[1]?.()));
  stops.push(onBeat(250, task));
  vi.advanceTimersByTime(250);
  expect(task).not.toHaveBeenCalled();
  for (const stop of stops) stop();
  for (const stop of stops) stop();
  vi.advanceTimersByTime(100);
  stops.push(onBeat(250, task));
  vi.advanceTimersByTime(249);
  expect(task).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(task).toHaveBeenCalledTimes(1);
  stops[2]?.();
});
