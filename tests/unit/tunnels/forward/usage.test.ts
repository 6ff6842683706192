import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { sumOf, Usage } from '../../../../src/tunnels/forward/usage.ts';

class FakeSocket extends EventEmitter {
  bytesRead = 0;
  bytesWritten = 0;
  /** Received, but not yet read by anyone. */
  readableLength = 0;
}

const T0 = new Date('2026-07-20T10:00:00.000Z');
const at = (seconds: number) => new Date(T0.getTime() + seconds * 1_000);

let usage: Usage;
const opened = (): FakeSocket => {
  const socket = new FakeSocket();
  usage.opened(socket as unknown as Socket);
  return socket;
};

beforeEach(() => {
  vi.useFakeTimers({ now: T0 });
  usage = new Usage();
});
afterEach(() => {
  vi.useRealTimers();
});

test('starts with nothing counted', () => {
  expect(usage.status()).toEqual({
    open: 0,
    opened_total: 0,
    failed_total: 0,
    held: 0,
    bytes_to_target: 0,
    bytes_from_target: 0,
    last_activity_at: null,
  });
});

test('adds up the bytes of open and of closed connections, each once', () => {
  const first = opened();
  const second = opened();
  Object.assign(first, { bytesRead: 10, bytesWritten: 100 });
  Object.assign(second, { bytesRead: 1, bytesWritten: 2 });
  expect(usage.status()).toMatchObject({ open: 2, bytes_to_target: 11, bytes_from_target: 102 });
  first.emit('close');
  expect(usage.status()).toMatchObject({ open: 1, opened_total: 2, bytes_to_target: 11, bytes_from_target: 102 });
});

test('counts no bytes of a handshake, but early bytes for the target', () => {
  const socket = new FakeSocket();
  // A SOCKS handshake of 13 and 12 bytes, and 7 bytes that came with it.
  Object.assign(socket, { bytesRead: 20, bytesWritten: 12, readableLength: 7 });
  usage.opened(socket as unknown as Socket);
  expect(usage.status()).toMatchObject({ bytes_to_target: 7, bytes_from_target: 0 });
  Object.assign(socket, { bytesRead: 30, bytesWritten: 112, readableLength: 0 });
  socket.emit('close');
  expect(usage.status()).toMatchObject({ bytes_to_target: 17, bytes_from_target: 100 });
});

test('counts an arrival as activity, even when the connection fails', () => {
  usage.arrived(at(1));
  usage.failed();
  expect(usage.status()).toMatchObject({ failed_total: 1, last_activity_at: at(1) });
});

test('dates activity at a sample only when bytes moved', () => {
  const socket = opened();
  usage.sample(at(1));
  expect(usage.status().last_activity_at).toBeNull();
  socket.bytesRead = 5;
  usage.sample(at(2));
  usage.sample(at(3));
  expect(usage.status().last_activity_at).toEqual(at(2));
});

test('dates the end of a connection at its own time, not at the next sample', () => {
  const socket = opened();
  socket.bytesRead = 5;
  vi.setSystemTime(at(7));
  socket.emit('close');
  usage.sample(at(8));
  expect(usage.status().last_activity_at).toEqual(at(7));
});

test.each(['resolve', 'reject'] as const)(
  'counts and times a held connection until its wait ends (%s)',
  async (how) => {
    const heldSeconds: number[] = [];
    usage = new Usage({ onHeld: (seconds) => heldSeconds.push(seconds) });
    let settle: (() => void) | undefined;
    const wait = new Promise<void>((resolve, reject) => {
      settle = how === 'resolve' ? resolve : () => reject(new Error('too long'));
    });
    const holding = usage.holding(wait);
    expect(usage.held).toBe(1);
    vi.advanceTimersByTime(1_500);
    settle?.();
    await holding.catch(() => {});
    expect(usage.held).toBe(0);
    expect(heldSeconds).toEqual([1.5]);
  },
);

test('counts a client without a channel as held, whatever it waits for, and as use until the end of the wait', async () => {
  let settle: (() => void) | undefined;
  const waiting = usage.waiting(
    new Promise<void>((resolve) => {
      settle = resolve;
    }),
  );
  expect(usage.status().held).toBe(1);
  // Only a hold takes a slot of `while_down.limit`.
  expect(usage.held).toBe(0);
  vi.advanceTimersByTime(1_500);
  settle?.();
  await waiting;
  expect(usage.status()).toMatchObject({ held: 0, last_activity_at: new Date() });
});

test('reports only the first use after an idle minute', () => {
  const uses: number[] = [];
  usage = new Usage({ onUsed: (when) => uses.push((when.getTime() - T0.getTime()) / 1_000) });
  for (const seconds of [0, 1, 50, 111, 150, 200]) usage.arrived(at(seconds));
  const socket = opened();
  socket.bytesRead = 5;
  usage.sample(at(300));
  usage.sample(at(301));
  expect(uses).toEqual([0, 111, 300]);
});

test('counts two forwards as one, and dates their last use by the later', () => {
  const one = {
    open: 1,
    opened_total: 2,
    failed_total: 3,
    held: 4,
    bytes_to_target: 5,
    bytes_from_target: 6,
    last_activity_at: at(1),
  };
  expect(sumOf(one, { ...one, last_activity_at: at(3) })).toEqual({
    open: 2,
    opened_total: 4,
    failed_total: 6,
    held: 8,
    bytes_to_target: 10,
    bytes_from_target: 12,
    last_activity_at: at(3),
  });
  expect(sumOf(one, { ...one, last_activity_at: null }).last_activity_at).toEqual(at(1));
  expect(sumOf({ ...one, last_activity_at: null }, { ...one, last_activity_at: null }).last_activity_at).toBeNull();
});
