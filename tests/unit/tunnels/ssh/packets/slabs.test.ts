import { expect, it, vi } from 'vitest';
import { Slabs } from '../../../../../src/tunnels/ssh/packets/slabs.ts';

/** A slab, and whether somebody uses it. */
function slab(slabs: Slabs) {
  const state = { memory: slabs.take(), used: true };
  slabs.give(state.memory, () => !state.used);
  return state;
}

it('gives out a full slab again only when nobody uses it', () => {
  const slabs = new Slabs(16);
  const [first, second] = [slab(slabs), slab(slabs)];
  expect(second.memory).not.toBe(first.memory);
  second.used = false;
  expect(slabs.take()).toBe(second.memory);
  expect(slabs.take()).not.toBe(first.memory);
  first.used = false;
  expect(slabs.take()).toBe(first.memory);
});

it('leaves its slabs to the garbage collector when nobody has needed one for two seconds', () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const slabs = new Slabs(16);
  const first = Buffer.alloc(16);
  slabs.give(first, () => true);
  vi.advanceTimersByTime(1_999);
  slabs.give(slabs.take(), () => true);
  vi.advanceTimersByTime(1_999);
  expect(slabs.take()).toBe(first);
  slabs.give(first, () => true);
  vi.advanceTimersByTime(2_000);
  expect(slabs.take()).not.toBe(first);
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});
