import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Repeating, repeat } from '../../../../src/base/async/repeat.ts';

let stop: AbortController;
let started: number;
let running: number;
let finish: () => void;
let repeating: Repeating;

/** A task that runs until the test finishes it, and detects overlapping runs. */
async function task(): Promise<void> {
  started++;
  running++;
  expect(running).toBe(1);
  await new Promise<void>((resolve) => {
    finish = resolve;
  });
  running--;
}

async function finished(): Promise<void> {
  finish();
  await vi.advanceTimersByTimeAsync(0);
}

beforeEach(() => {
  vi.useFakeTimers();
  stop = new AbortController();
  started = 0;
  running = 0;
  repeating = repeat(task, () => 1_000, stop.signal);
});
afterEach(async () => {
  stop.abort();
  if (running > 0) finish();
  await repeating.done;
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

test('waits one pause before the first run and one pause after each run', async () => {
  await vi.advanceTimersByTimeAsync(999);
  expect(started).toBe(0);
  await vi.advanceTimersByTimeAsync(1);
  expect(started).toBe(1);
  await finished();
  await vi.advanceTimersByTimeAsync(999);
  expect(started).toBe(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(started).toBe(2);
});

test('never overlaps a run that takes longer than the pause', async () => {
  await vi.advanceTimersByTimeAsync(10_000);
  expect(started).toBe(1);
});

test('ends the pause on runNow', async () => {
  repeating.runNow();
  await vi.advanceTimersByTimeAsync(0);
  expect(started).toBe(1);
});

test('runs once more after several runNow calls during one run', async () => {
  repeating.runNow();
  await vi.advanceTimersByTimeAsync(0);
  for (let i = 0; i < 3; i++) repeating.runNow();
  await vi.advanceTimersByTimeAsync(0);
  expect(started).toBe(1);
  await finished();
  expect(started).toBe(2);
  await finished();
  await vi.advanceTimersByTimeAsync(999);
  expect(started).toBe(2);
});

test('starts no run after an abort during the pause', async () => {
  await vi.advanceTimersByTimeAsync(500);
  stop.abort();
  await repeating.done;
  expect(started).toBe(0);
});

test('waits for the end of the current run after an abort and starts no other run', async () => {
  await vi.advanceTimersByTimeAsync(1_000);
  repeating.runNow();
  stop.abort();
  let over = false;
  void repeating.done.then(() => {
    over = true;
  });
  await vi.advanceTimersByTimeAsync(5_000);
  expect(over).toBe(false);
  await finished();
  expect(over).toBe(true);
  expect(started).toBe(1);
});
