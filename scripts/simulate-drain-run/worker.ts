import { PLANTED } from '../../tests/support/simulation/planted.ts';
import { simulate } from '../../tests/support/simulation/simulate.ts';
import type { Order, Sum } from './workers.ts';

/** Carries out one order after the other, until the parent disconnects. */
let last: Promise<void> = Promise.resolve();
process.on('message', (order: Order) => {
  last = last.then(async () => {
    const sum = await carryOut(order);
    process.send?.(sum);
  });
});

async function carryOut({ first, last: end, planted }: Order): Promise<Sum> {
  const bug = planted && PLANTED[planted];
  let sum: Sum = { done: 0, retirable: 0, steps: 0, broken: undefined };
  for (let seed = first; seed <= end && sum.broken === undefined; seed++) {
    const { broken, wasRetirable, steps } = await simulate({ seed, bug });
    sum = {
      done: sum.done + 1,
      retirable: sum.retirable + (wasRetirable ? 1 : 0),
      steps: sum.steps + steps.length,
      broken: broken && seed,
    };
  }
  return sum;
}
