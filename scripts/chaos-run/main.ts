import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { hasSessions } from '../../tests/support/daemon/mesh.ts';
import { daemonHoldings, expectNothingLeaked, residentBytes } from '../../tests/support/machine/daemon-holdings.ts';
import { CHAOS_FAULTS, NAME_FREEZES } from './faults.ts';
import { type Ground, startGround } from './ground.ts';
import { type Load, startLoad } from './load.ts';
import { seededRandom } from './random.ts';
import { type Lost, report, type Struck } from './report.ts';

const USAGE = 'usage: scripts/chaos [--minutes N] [--seed S]\n';

/** From the end of a fault until the link serves. Clients always wait, so no backoff is longer than a second. */
const RECOVER_WITHIN_MS = 15_000;
/** Until the standby is up too. After several losses its backoff is up to 30 s. */
const ALL_SESSIONS_WITHIN_MS = 40_000;

async function strikeUntil(
  end: number,
  ground: Ground,
  load: Load,
  random: () => number,
  struck: Struck[],
  interrupted: AbortSignal,
): Promise<void> {
  const { stage } = ground;
  const faults = CHAOS_FAULTS.filter(({ name }) => ground.resolver !== undefined || name !== NAME_FREEZES);
  const from = performance.now();
  const between = ([from, to]: readonly [number, number]) => from + random() * (to - from);
  while (performance.now() < end && !interrupted.aborted) {
    await pause(between([200, 1_000]));
    const fault = faults[Math.floor(random() * faults.length)];
    if (fault === undefined) throw new Error('no faults defined');
    process.stderr.write(`${((performance.now() - from) / 1000).toFixed(1).padStart(6)} s  ${fault.name}\n`);
    const at = performance.now();
    const index = struck.push({ name: fault.name, at, lastedMs: Number.NaN, recoveredMs: Number.NaN }) - 1;
    await fault.strike(ground, random);
    await pause(between(fault.lasts));
    await fault.heal?.(ground);
    const healedAt = performance.now();
    await stage.mesh.waitFor(
      (status) => status.tunnels.every(({ state }) => state === 'up') && load.lastServedAt() > healedAt,
      RECOVER_WITHIN_MS,
    );
    struck[index] = { name: fault.name, at, lastedMs: healedAt - at, recoveredMs: performance.now() - healedAt };
  }
  await stage.mesh.waitFor(hasSessions(stage.sessions), ALL_SESSIONS_WITHIN_MS);
}

/** What the log of the daemon says about lost sessions. */
function lostSessions(records: readonly Record<string, unknown>[]): readonly Lost[] {
  return records
    .filter(({ event }) => event === 'session.lost')
    .map(({ time, session, msg }) => ({
      at: Date.parse(String(time)) - performance.timeOrigin,
      what: `session ${session}: ${msg}`,
    }));
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '1' },
      seed: { type: 'string', default: '1' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  const [minutes, seed] = [Number(values.minutes), Number(values.seed)];
  if (!(minutes > 0) || !Number.isInteger(seed))
    throw new Error('--minutes needs a positive number, --seed a whole number');
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const interruption = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => interruption.abort());

  await using ground = await startGround();
  if (!ground.resolver) process.stderr.write(`without root no "${NAME_FREEZES}"\n`);
  const { stage } = ground;
  await stage.mesh.waitFor(hasSessions(stage.sessions));
  const baseline = await daemonHoldings(stage.mesh);
  const memory = residentBytes(stage.mesh.daemon.pid);
  const load = startLoad(stage);
  const from = performance.now();
  const struck: Struck[] = [];
  const broken = await strikeUntil(
    from + minutes * 60_000,
    ground,
    load,
    seededRandom(seed),
    struck,
    interruption.signal,
  ).then(
    () => undefined,
    (error: unknown) => `no recovery from "${struck.at(-1)?.name}": ${error instanceof Error ? error.message : error}`,
  );
  const seconds = (performance.now() - from) / 1000;
  const result = await load.stop();
  const leaks = await expectNothingLeaked(stage.mesh, baseline).then(
    () => [],
    (error: unknown) => [error instanceof Error ? error.message : String(error)],
  );
  const memoryGrownBytes = residentBytes(stage.mesh.daemon.pid) - memory;
  const { text, passed } = report({
    seed,
    seconds,
    struck,
    cuts: ground.cuts,
    load: result,
    leaks,
    memoryGrownBytes,
    broken,
    sessionsLost: lostSessions(stage.mesh.daemon.records()),
  });
  process.stdout.write(text);
  return passed ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`scripts/chaos: ${error instanceof Error ? error.message : error}\n${USAGE}`);
  process.exitCode = 64;
}
