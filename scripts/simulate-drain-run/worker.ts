import { PLANTED } from '../../tests/support/simulation/planted.ts';
import { simulate } from '../../tests/support/simulation/simulate.ts';
import { add, NOTHING, type Order, type Sum } from './workers.ts';

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
  let sum = NOTHING;
  for (let seed = first; seed <= end && sum.broken === undefined; seed++) {
    const { broken, wasRetirable, wasRetired, steps } = await simulate({ seed, bug });
    const deeds: Record<string, number> = {};
    for (const { do: what } of steps) deeds[what] = (deeds[what] ?? 0) + 1;
    sum = add(sum, {
      done: 1,
      retirable: wasRetirable ? 1 : 0,
      retired: wasRetired ? 1 : 0,
      steps: steps.length,
      deeds,
      broken: broken && seed,
    });
  }
  return sum;
}
