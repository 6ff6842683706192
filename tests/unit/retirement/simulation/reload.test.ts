import { expect, it } from 'vitest';
import { seededRandom } from '../../../../scripts/chaos-run/random.ts';
import { HUB, QUIET_MS, type Variant } from '../../../support/simulation/fleet.ts';
import { give } from '../../../support/simulation/give.ts';
import { CUTOVER, RETIRE } from '../../../support/simulation/operator.ts';
import { World } from '../../../support/simulation/world.ts';

/** A hub that was cut over and retired, after a reload; and after a restart that follows at once. */
async function retiredThen(variant: Variant) {
  await using world = new World({ random: seededRandom(1) });
  const { clock } = world;
  const standing = () => {
    const { node } = world;
    const { state, route } = node.snapshot().tunnels.find(({ name }) => name === HUB) ?? {};
    return { retired: node.retirement.retired.of(HUB) !== undefined, state, route };
  };
  await world.start();
  await give(world, 'cutover', CUTOVER);
  await clock.run(QUIET_MS);
  await give(world, 'retire', RETIRE);
  world.file = variant;
  await give(world, 'reload', { command: 'reload' });
  const reloaded = standing();
  await world.restart('kill', 0);
  await clock.run(5_000);
  return { reloaded, restarted: standing() };
}

const RETIRED = { retired: true, state: 'retired', route: 'successor' };
const IN_SERVICE = { retired: false, state: 'up', route: 'tunnel' };

it.each<[string, Variant, object]>([
  ['keeps a retired tunnel whose port moves', 'moved', RETIRED],
  ['keeps a retired tunnel whose target changes', 'retargeted', RETIRED],
  ['takes another tunnel under the name of a retired one into service', 'usurped', IN_SERVICE],
])('%s, also after kill -9', async (_, variant, standing) => {
  expect(await retiredThen(variant)).toEqual({ reloaded: standing, restarted: standing });
});

/** The verdict on a quiet hub before a reload, at once after it, and after another quiet period. */
async function verdictsAround(variant: Variant) {
  await using world = new World({ random: seededRandom(1) });
  const { clock, operator } = world;
  const verdict = () => {
    const { verdict: name, unknowns } = world.node.answer(HUB) ?? {};
    return [name, ...(unknowns ?? []).map(({ code }) => code)];
  };
  await world.start();
  await give(world, 'cutover', CUTOVER);
  await clock.run(QUIET_MS);
  const before = verdict();
  world.file = variant;
  operator.send('reload', { command: 'reload' });
  await clock.run(500);
  const after = verdict();
  await clock.run(QUIET_MS + 1_000);
  return { before, after, later: verdict() };
}

it.each<[string, Variant, string[]]>([
  ['starts the quiet period again when a host gets another address', 'readdressed', ['unknown', 'observation_gap']],
  ['starts the quiet period again when the tunnel gets another target', 'retargeted', ['unknown', 'observation_gap']],
  ['goes on with the quiet period when nothing has changed', 'first', ['retirable']],
])('%s', async (_, variant, after) => {
  expect(await verdictsAround(variant)).toEqual({ before: ['retirable'], after, later: ['retirable'] });
});

it('calls no tunnel retirable in the first moment after a process that stood still while the disk hung', async () => {
  await using world = new World({ random: seededRandom(1) });
  await world.start();
  await world.clock.run(100);
  world.file = 'none';
  world.operator.send('reload', { command: 'reload' });
  world.disk.break('hangs');
  await world.clock.freeze(3 * QUIET_MS);
  await world.clock.run(0);
  expect(world.node.answer(HUB)).toMatchObject({ verdict: 'unknown', unknowns: [{ code: 'evidence_unwritten' }] });
});
