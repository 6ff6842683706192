import { formatAddress } from '../../../src/base/net/address.ts';
import { retireResult } from '../../../src/operator/control/protocol.ts';
import { holds } from '../../../src/operator/text/holds.ts';
import { isPassed } from '../../../src/retirement/drain/answer.ts';
import { verifyLog } from '../../../src/retirement/evidence/verify.ts';
import { FAMILIES } from '../../../src/telemetry/metrics/families.ts';
import { HUB, hubIn } from './fleet.ts';
import { DRY_RUN, RETIRE } from './operator.ts';
import { type Promised, Violation } from './promises.ts';
import { truthAgainst } from './truth.ts';
import type { World } from './world.ts';

function broken(promise: Promised, details: string): void {
  throw new Violation(promise, details);
}

const [RETIRABLE] = FAMILIES.flatMap((each) => (each.name === 'tunnel_retirable' && 'series' in each ? [each] : []));

/** Checks at any moment. Returns whether the hub is retirable. */
export function check(world: World): boolean {
  const { node, operator } = world;
  if (operator.bugs.length > 0) throw operator.bugs[0];
  for (const { promise, details } of world.misdeeds) broken(promise, details);
  const happened = world.happened();
  if (!node.applied) return false;
  neverRetiredWithTheRouteOnTheTunnel(world);
  oneOwnerOfAPort(world);
  const answer = node.answer(HUB);
  if (answer?.verdict !== 'retirable') return false;
  const against = truthAgainst(happened);
  if (against !== undefined) broken('never retirable unless it is so', against);
  return true;
}

/** Checks that all doors agree. Nothing may be under way. */
export async function checkAgreement(world: World): Promise<void> {
  const { node, operator } = world;
  if (!node.applied || operator.pending.size > 0) return;
  // As each door does before it answers.
  node.followPlan();
  await world.until(node.recorder.check());
  const before = doors(world);
  if (!before) return;
  const reply = await world.until(world.operator.send(DRY_RUN, { ...RETIRE, dry_run: true }).reply);
  if (!reply) return broken('all doors agree', `${DRY_RUN} does not answer`);
  const dryRun = reply.ok && retireResult.parse(reply.result).left.length === 0;
  const after = doors(world);
  // Time may pass while the command looks at the disk.
  if (before.gate !== dryRun && after?.gate !== dryRun)
    broken('all doors agree', JSON.stringify({ ...before, [DRY_RUN]: dryRun }));
}

/** What the doors say at this moment; undefined without a verdict. */
function doors({ node }: World): { readonly gate: boolean } | undefined {
  const snapshot = node.snapshot();
  const row = snapshot.tunnels.find(({ name }) => name === HUB);
  const answer = node.answer(HUB);
  if (!row || !answer || answer.retired_at !== null) return undefined;
  let metric: number | undefined;
  RETIRABLE?.series(row, (value) => {
    metric = value;
  });
  const says = {
    status: row.retirement?.verdict === 'retirable',
    drain: answer.verdict === 'retirable',
    gate: isPassed(answer),
    wait: holds('retirable', row).kind === 'holds',
    metric: metric === 1,
  };
  if (new Set(Object.values(says)).size > 1) broken('all doors agree', JSON.stringify(says));
  return says;
}

/** Checks when nothing was under way for a while: disk and memory are the same. */
export function checkDisk(world: World): void {
  const { node, disk, clock } = world;
  const { pending } = world.operator;
  if (!node.applied || pending.size > 0 || disk.fault !== undefined || clock.now - disk.healedAt < 10_000) return;
  // A daemon that stands still puts nothing right.
  const lookedBy = Math.max(world.intruder.lostAt, world.goesOnSince);
  if (node.cutovers.cutoverSince(HUB) !== undefined || clock.now - lookedBy < 15_000) return;
  if (node.retirement.advisories().some(({ code }) => code === 'retirement_unreadable')) return;
  const saved = JSON.parse(disk.peek('/sim/state/retired.json') ?? '{"tunnels":{}}') as { tunnels: object };
  same('retired tunnels', Object.keys(saved.tunnels), node.retirement.retired.names);
  if (!hubIn(world.variant)) return;
  const record = JSON.parse(disk.peek(`/sim/state/cutover/${HUB}.json`) ?? '{}') as { phase?: string };
  same('the committed cut-over', record.phase === 'committed', node.cutovers.isCutOver(HUB));
}

/** Checks after a restart: what was confirmed before has not been lost. */
export function checkConfirmed(world: World): void {
  const { node } = world;
  const { confirmed } = world.operator;
  if (!node.applied) return;
  const retired = node.retirement.retired.of(HUB) !== undefined;
  if (confirmed.retired !== undefined && confirmed.retired !== retired)
    broken('nothing confirmed is lost', `retired: ${confirmed.retired} was confirmed, now ${retired}`);
  const route = node.cutovers.junctionOf(HUB).detour ? 'successor' : 'tunnel';
  if (confirmed.route !== undefined && confirmed.route !== route)
    broken('nothing confirmed is lost', `the route ${confirmed.route} was confirmed, now ${route}`);
}

/** Checks the chain on the disk, which must not hang. */
export async function checkChain(world: World): Promise<void> {
  if (world.disk.fault !== undefined) return;
  // The head is read in turn with what the daemon writes, which takes time.
  const { problems } = (await world.until(verifyLog('/sim/state')).catch(() => undefined)) ?? {};
  if (problems === undefined) return broken('the chain is unbroken', 'the log cannot be read');
  if (world.intruder.tampered === 'provable' && problems.length === 0)
    broken('the chain tells of tampering', 'the whole log was found to be in order');
  if (world.intruder.tampered === 'not' && problems.length > 0)
    broken('the chain is unbroken', problems.map(({ message }) => message).join('; '));
}

function neverRetiredWithTheRouteOnTheTunnel({ node, operator: { pending } }: World): void {
  const retired = node.retirement.retired.of(HUB);
  if (!retired?.keeps_port || pending.size > 0 || !node.config.tunnels.has(HUB)) return;
  if (!node.cutovers.junctionOf(HUB).detour)
    broken('never retired with the route on the tunnel', 'its clients are held, and reset');
}

function oneOwnerOfAPort({ network, node, operator: { pending } }: World): void {
  if (pending.size > 0) return;
  const configured = [...node.config.tunnels.values()].map(({ listen }) => formatAddress(listen));
  const foreign = network.bound.filter((address) => !configured.includes(address));
  if (foreign.length > 0) broken('no port without an owner', foreign.join());
  const twice = configured.filter((address, index) => configured.indexOf(address) !== index);
  if (twice.length > 0) broken('never two owners of a port', twice.join());
}

function same(what: string, disk: unknown, memory: unknown): void {
  const [a, b] = [JSON.stringify(disk), JSON.stringify(memory)];
  if (a !== b) broken('disk and memory agree', `${what}: ${a} on the disk, ${b} in memory`);
}
