import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { LoopLag } from '../../../../src/telemetry/metrics/loop-lag.ts';
import { createMetrics } from '../../../../src/telemetry/metrics/metrics.ts';
import { statusFixture } from '../../../support/fakes/status-fixture.ts';
import { patient } from '../../../support/patience.ts';

/** Longer than any other delay of this process. */
const BLOCKED_MS = 400;

/** Stops the event loop of this process once, between two looks of the histogram. */
async function block(): Promise<void> {
  await pause(30);
  const until = performance.now() + BLOCKED_MS;
  while (performance.now() < until);
  await pause(30);
}

test('shows the longest delay of the event loop, in seconds', async () => {
  const lag = new LoopLag();
  await block();
  const seconds = lag.read();
  expect(seconds).toBeGreaterThan((BLOCKED_MS - 50) / 1_000);
  expect(seconds).toBeLessThan(patient(BLOCKED_MS * 3) / 1_000);
});

test('shows a peak to every reader for a while, then no longer, and the next peak after a rest', async () => {
  const lag = new LoopLag(1_000);
  await block();
  const first = lag.read();
  expect(lag.read()).toBe(first);
  await pause(1_300);
  expect(lag.read()).toBeLessThan(first);
  // The loop has rested by now, so the looks are rare: 250 ms apart.
  await block();
  expect(lag.read()).toBeGreaterThan((BLOCKED_MS - 250 - 50) / 1_000);
});

test('is on the page of metrics', async () => {
  const metrics = createMetrics();
  await block();
  const page = await metrics.renderOwn(statusFixture());
  const [, value] = /^fleet_mesh_event_loop_lag_seconds (\S+)$/m.exec(page) ?? [];
  expect(Number(value)).toBeGreaterThan((BLOCKED_MS - 50) / 1_000);
});
