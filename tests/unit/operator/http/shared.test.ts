import { expect, it } from 'vitest';
import { Shared } from '../../../../src/operator/http/shared.ts';
import { Turns } from '../../../../src/operator/http/turns.ts';

/** Results that end when the test says so: each call gets the next number. */
function numbered() {
  const ends: ((error?: Error) => void)[] = [];
  const shared = new Shared(
    () =>
      new Promise<number>((resolve, reject) => {
        const number = ends.length + 1;
        ends.push((error) => (error ? reject(error) : resolve(number)));
      }),
  );
  const begun = (count: number) => expect.poll(() => ends.length, { interval: 1 }).toBe(count);
  return { shared, begun, end: (number: number, error?: Error) => ends[number - 1]?.(error) };
}

it('makes one result for requests that wait together, and a new one for a later request', async () => {
  const { shared, begun, end } = numbered();
  const first = [shared.get(), shared.get()];
  await begun(1);
  // Result 1 may show a time before these requests.
  const later = Array.from({ length: 100 }, () => shared.get());
  end(1);
  expect(await Promise.all(first)).toEqual([1, 1]);
  await begun(2);
  end(2);
  expect(new Set(await Promise.all(later))).toEqual(new Set([2]));
});

it('rejects the requests of a failed result alone', async () => {
  const { shared, begun, end } = numbered();
  const failed = shared.get();
  await begun(1);
  const next = shared.get();
  end(1, new Error('no disk'));
  await expect(failed).rejects.toThrow('no disk');
  await begun(2);
  end(2);
  expect(await next).toBe(2);
});

it('gives one request a turn after the other, and the event loop goes on between them', async () => {
  const turns = new Turns();
  let loops = 0;
  let isOver = false;
  const loop = () => {
    loops += 1;
    if (!isOver) setImmediate(loop);
  };
  loop();
  const order: [string, number][] = [];
  const visit = async (name: string) => {
    await turns.take();
    order.push([name, loops]);
  };
  await Promise.all(['a', 'b', 'c', 'd'].map(visit));
  await visit('e');
  isOver = true;
  expect(order.map(([name]) => name)).toEqual(['a', 'b', 'c', 'd', 'e']);
  const [first = 0, , , fourth = 0] = order.map(([, at]) => at);
  expect(fourth - first).toBeGreaterThanOrEqual(2);
});
