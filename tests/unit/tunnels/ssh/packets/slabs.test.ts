import { expect, it } from 'vitest';
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

it('leaves slabs that the traffic no longer needs to the garbage collector', () => {
  const slabs = new Slabs(16);
  const all = [slab(slabs), slab(slabs), slab(slabs)];
  for (const each of all) each.used = false;
  const [first, second, third] = all.map(({ memory }) => memory);
  expect([slabs.take(), slabs.take(), slabs.take()]).toSatisfy(
    ([a, b, c]) => a === third && b === second && c !== first,
  );
  slabs.give(Buffer.alloc(16), () => true);
  slabs.clear();
  expect(slabs.take()).not.toBe(third);
});
