import { seededRandom } from '../../../scripts/chaos-run/random.ts';
import { HEALTHY_MS, HUB, QUIET_MS, SUCCESSORS } from './fleet.ts';
import { check, checkAgreement, checkChain, checkConfirmed, checkDisk } from './invariants.ts';
import { CUTOVER, RETIRE } from './operator.ts';
import type { Bug } from './planted.ts';
import { play } from './play.ts';
import { Violation } from './promises.ts';
import { type Step, stepsOf } from './steps.ts';
import type { StateFileName } from './tamper.ts';
import { World } from './world.ts';

export interface RunOptions {
  readonly seed: number;
  /** Default: the steps of the seed. */
  readonly steps?: readonly Step[];
  readonly bug?: Bug | undefined;
  /** Whether errors say where they were made, which takes a tenth of the time. Default: no. */
  readonly stacks?: boolean | undefined;
}

/** How a run ended. */
export interface Run {
  readonly steps: readonly Step[];
  /** Undefined when every promise held. */
  readonly broken: { readonly promise: string; readonly message: string } | undefined;
  readonly trace: readonly string[];
  /** Whether the hub was retirable, and retired, at some moment. */
  readonly wasRetirable: boolean;
  readonly wasRetired: boolean;
}

/** What the looks have seen so far. */
interface Watch {
  wasRetirable: boolean;
  isRetirable: boolean;
  looks: number;
}

/** Time between two checks, in milliseconds. */
const LOOK_MS = 1_000;
/** Of so many looks one asks all doors, and so does each after a change. */
const AGREEING = 16;
/** Of so many runs one goes on until the tunnel is retired: that takes as long as all the rest. */
const CONVERGING = 4;
/** By then the events of a command are on the disk, in milliseconds. */
const WRITTEN_MS = 4_000;
/** By then everything that a fault has left behind is put right. In milliseconds. */
const HEALED_MS = 12_000;

/** One run: the same seed and steps give the same run, to the last line of the trace. */
export async function simulate({ seed, steps = stepsOf(seed), bug, stacks = false }: RunOptions): Promise<Run> {
  const { stackTraceLimit } = Error;
  if (!stacks) Error.stackTraceLimit = 0;
  const random = seededRandom(seed ^ 0x5eed);
  await using world = new World({ random, bug });
  const watch: Watch = { wasRetirable: false, isRetirable: false, looks: 0 };
  const ended = (broken?: Run['broken']): Run => {
    const { trace, wasRetired } = world;
    return { steps, broken, trace, wasRetirable: watch.wasRetirable, wasRetired };
  };
  try {
    await world.start();
    for (const step of steps) {
      await play(world, step);
      if (step.do === 'restart') {
        checkConfirmed(world);
        await checkChain(world);
      }
      await pass(world, step.thenMs, watch);
    }
    const loses = seed % (2 * CONVERGING) === 0 ? 'retired.json' : undefined;
    await (seed % CONVERGING === 0 ? converge(world, watch, loses) : end(world, watch));
    return ended();
  } catch (error) {
    const promise = error instanceof Violation ? error.promise : 'nothing throws';
    const message = error instanceof Error ? error.message : String(error);
    world.say(`BROKEN ${message}`);
    if (!(error instanceof Violation) && error instanceof Error) world.say(error.stack ?? '');
    return ended({ promise, message });
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

async function pass(world: World, ms: number, watch: Watch): Promise<void> {
  for (let left = ms; ; left -= LOOK_MS) {
    await world.clock.run(Math.max(0, Math.min(LOOK_MS, left)));
    const retirable = check(world);
    // The dearest look.
    if (retirable !== watch.isRetirable || watch.looks++ % AGREEING === 0) await checkAgreement(world);
    checkDisk(world);
    watch.isRetirable = retirable;
    watch.wasRetirable ||= retirable;
    if (left <= LOOK_MS) return;
  }
}

/**
 * All faults end and the operator does what is left to do: the hub must become retirable, and retire, also if the next daemon
 * finds a state file missing.
 */
async function converge(world: World, watch: Watch, loses: StateFileName | undefined): Promise<void> {
  const { network, disk, plan, planned } = world;
  world.say('all faults end');
  disk.heal();
  network.link.set(true);
  world.node.linkChanged();
  for (const address of Object.values(SUCCESSORS)) network.setHealth(address, 'healthy');
  Object.assign(plan, { approved: true, done: true, valid: true });
  planned.set(true);
  for (const client of network.clients) client.leave();
  await pass(world, HEALED_MS, watch);
  await settled(world, watch);
  // As its remedy says.
  if (world.node.retirement.advisories().some(({ code }) => code === 'retirement_unreadable'))
    await world.restart('clean', 0);
  world.file = 'first';
  await order(world, 'reload', { command: 'reload' }, watch);
  await order(world, 'up', { command: 'up', names: [HUB] }, watch);
  const cut = await order(world, 'cutover', CUTOVER, watch);
  if (!cut.ok) throw new Violation('everything converges', `the cut-over fails: ${cut.error?.message}`);
  await pass(world, QUIET_MS + HEALTHY_MS, watch);
  const retired = await order(world, 'retire', RETIRE, watch);
  if (!retired.ok) throw new Violation('everything converges', `the hub does not retire: ${retired.error?.message}`);
  await pass(world, WRITTEN_MS, watch);
  await world.restart('kill', 0, () => loses && world.intruder.lose(loses));
  checkConfirmed(world);
  await checkChain(world);
  await pass(world, 2_000, watch);
}

/** The daemon dies: what was confirmed is still so. */
async function end(world: World, watch: Watch): Promise<void> {
  world.disk.heal();
  await settled(world, watch);
  await world.restart('kill', 0);
  checkConfirmed(world);
  await checkChain(world);
  await pass(world, LOOK_MS, watch);
}

async function settled(world: World, watch: Watch): Promise<void> {
  for (let waited = 0; world.operator.pending.size > 0; waited += LOOK_MS) {
    if (waited > 60_000)
      throw new Violation('every command ends', [...world.operator.pending].map(({ what }) => what).join(', '));
    await pass(world, LOOK_MS, watch);
  }
}

async function order(world: World, what: string, request: Record<string, unknown>, watch: Watch) {
  world.say(what);
  const sent = world.operator.send(what, request);
  await settled(world, watch);
  return sent.reply;
}
