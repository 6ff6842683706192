import { Socket } from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type WaitingClient, WaitingClients } from '../../../../../src/tunnels/forward/local/waiting-clients.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const client = (): WaitingClient => ({ place: -1, socket: new Socket(), resets: false, leavesByClosing: () => false });

test('uses one timer for all clients of a forward, and none after a look that finds no client', () => {
  const waiting = new WaitingClients();
  for (let came = 0; came < 3; came++) waiting.watch(client())();
  const leave = waiting.watch(client());
  expect(vi.getTimerCount()).toBe(1);
  vi.advanceTimersByTime(1_000);
  expect(vi.getTimerCount()).toBe(1);
  leave();
  vi.advanceTimersByTime(100);
  expect(vi.getTimerCount()).toBe(0);
  waiting.watch(client());
  expect(vi.getTimerCount()).toBe(1);
});
