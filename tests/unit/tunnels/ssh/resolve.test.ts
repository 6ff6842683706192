import { describe, expect, it, vi } from 'vitest';
import { preferUnused, Resolver } from '../../../../src/tunnels/ssh/resolve.ts';

const never = new AbortController().signal;

/** A resolver with answers from the test. */
function asked(remembers = true) {
  const questions: { name: string; answer(addresses: string[]): void; fail(code: string): void }[] = [];
  const resolver = new Resolver(
    (name) =>
      new Promise((resolve, reject) => {
        questions.push({ name, answer: resolve, fail: (code) => reject(Object.assign(new Error(code), { code })) });
      }),
    remembers,
  );
  return { resolver, questions };
}

describe(Resolver, () => {
  it('returns an address without a lookup', async () => {
    const { resolver, questions } = asked();
    expect(await resolver.resolve('192.0.2.1', 100, never)).toEqual(['192.0.2.1']);
    expect(await resolver.resolve('::1', 100, never)).toEqual(['::1']);
    expect(questions).toEqual([]);
  });

  it('runs one lookup for concurrent callers of the same name, and a new one afterwards', async () => {
    const { resolver, questions } = asked();
    const both = Promise.all([resolver.resolve('a', 1_000, never), resolver.resolve('a', 1_000, never)]);
    const other = resolver.resolve('b', 1_000, never);
    expect(questions.map(({ name }) => name)).toEqual(['a', 'b']);
    questions[0]?.answer(['192.0.2.1']);
    questions[1]?.answer(['192.0.2.2']);
    expect(await both).toEqual([['192.0.2.1'], ['192.0.2.1']]);
    expect(await other).toEqual(['192.0.2.2']);
    const again = resolver.resolve('a', 1_000, never);
    questions[2]?.answer(['192.0.2.3']);
    expect(await again).toEqual(['192.0.2.3']);
  });

  it('asks a stuck resolver only once, and reports the missing answer', async () => {
    const { resolver, questions } = asked();
    for (const _ of [1, 2, 3]) {
      await expect(resolver.resolve('a', 10, never)).rejects.toMatchObject({
        code: 'dns_failed',
        message: 'a was not resolved within 10 ms',
      });
    }
    expect(questions).toHaveLength(1);
  });

  it('remembers no address with remembers: false', async () => {
    const { resolver, questions } = asked(false);
    const first = resolver.resolve('a', 1_000, never);
    questions[0]?.answer(['192.0.2.1']);
    await first;
    await expect(resolver.resolve('a', 10, never)).rejects.toMatchObject({ code: 'dns_failed' });
  });

  it('uses the last addresses when no answer comes, but not after a negative answer', async () => {
    const { resolver, questions } = asked();
    const first = resolver.resolve('a', 1_000, never);
    questions[0]?.answer(['192.0.2.1']);
    await first;
    expect(await resolver.resolve('a', 10, never)).toEqual(['192.0.2.1']);
    const refused = resolver.resolve('a', 1_000, never);
    questions[1]?.fail('ENOTFOUND');
    await expect(refused).rejects.toMatchObject({ code: 'dns_failed', message: 'a cannot be resolved: ENOTFOUND' });
    await expect(resolver.resolve('a', 10, never)).rejects.toMatchObject({ code: 'dns_failed' });
  });

  it('delays no login for longer than 2 s by a stuck resolver once addresses are known', async () => {
    vi.useFakeTimers();
    const { resolver, questions } = asked();
    const first = resolver.resolve('a', 10_000, never);
    questions[0]?.answer(['192.0.2.1']);
    await first;
    for (const _ of [1, 2]) {
      const stuck = resolver.resolve('a', 10_000, never);
      await vi.advanceTimersByTimeAsync(2_000);
      expect(await stuck).toEqual(['192.0.2.1']);
    }
    // The late answer serves the next login.
    questions[1]?.answer(['192.0.2.2']);
    await vi.advanceTimersByTimeAsync(0);
    const stuck = resolver.resolve('a', 10_000, never);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(await stuck).toEqual(['192.0.2.2']);
    vi.useRealTimers();
  });

  it('rejects with the reason of its signal', async () => {
    const { resolver } = asked();
    const stop = new AbortController();
    const resolving = resolver.resolve('a', 1_000, stop.signal);
    stop.abort(new Error('stopping'));
    await expect(resolving).rejects.toThrow('stopping');
  });
});

it.each([
  [['a', 'b', 'c'], [], ['a', 'b', 'c']],
  [['a', 'b', 'c'], ['a'], ['b', 'c', 'a']],
  [
    ['a', 'b'],
    ['a', 'b', 'a'],
    ['b', 'a'],
  ],
  [['a', 'b'], ['z'], ['a', 'b']],
])('orders %j, with %j in use, as %j', (addresses, inUse, order) => {
  expect(preferUnused(addresses, inUse)).toEqual(order);
});
