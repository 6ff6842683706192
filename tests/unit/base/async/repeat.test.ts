import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Repeating, repeat } from '../../../../src/base/async/repeat.ts';

let stop: AbortController;
let started: number;
let running: number;
let finish: () => void;
let repeating: Repeating;

/** A task that runs until the test finishes it, and notices an overlap. */
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

test('the first run waits one pause, and the next a pause after its end', async () => {
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

test('a run that takes longer than the pause is not overlapped', async () => {
  await vi.advanceTimersByTimeAsync(10_000);
  expect(started).toBe(1);
});

test('runNow ends the pause', async () => {
  repeating.runNow();
  await vi.advanceTimersByTimeAsync(0);
  expect(started).toBe(1);
});

test('runNow during a run, however often, runs once more after it', async () => {
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

test('an abort during the pause starts no further run', async () => {
  await vi.advanceTimersByTimeAsync(500);
  stop.abort();
  await repeating.done;
  expect(started).toBe(0);
});

test('an abort during a run waits for its end and starts no other', async () => {
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
