import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import type { Config } from '../../../src/config/config.ts';
import { parseConfig } from '../../../src/config/load.ts';
import { ConfigInForce } from '../../../src/daemon/config-in-force.ts';
import { takeSnapshot } from '../../../src/daemon/snapshot.ts';
import { connectSystemd } from '../../../src/machine/systemd/systemd.ts';
import { retire } from '../../../src/operator/commands/retire.ts';
import { wait } from '../../../src/operator/commands/wait.ts';
import { createActions } from '../../../src/operator/control/actions.ts';
import { answer } from '../../../src/operator/control/answer.ts';
import { startControlServer } from '../../../src/operator/control/server.ts';
import { verdictAnswer } from '../../../src/retirement/drain/answer.ts';
import { retireTunnel } from '../../../src/retirement/drain/retire-tunnel.ts';
import { RetiredTunnels, retiredFile } from '../../../src/retirement/drain/retired.ts';
import { Verdicts } from '../../../src/retirement/drain/verdicts.ts';
import type { TunnelHistory } from '../../../src/retirement/evidence/history.ts';
import { PlanWatch } from '../../../src/retirement/plan/watch.ts';
import { createLogger } from '../../../src/telemetry/log/log.ts';
import { createMetrics } from '../../../src/telemetry/metrics/metrics.ts';
import { status as statusSchema } from '../../../src/telemetry/status/status.ts';
import { startEndpoint } from '../../support/daemon/endpoint.ts';
import { planYaml, wave } from '../../support/fakes/plan-fixture.ts';
import { tunnelFixture } from '../../support/fakes/status-fixture.ts';
import { type TempDir, tempDir } from '../../support/machine/temp-dir.ts';

const NAME = 'hub';
const HOUR = 3_600_000;
const SUCCESSOR = '127.0.0.1:3000';
const log = createLogger({ level: 'fatal', stream: { write: () => {} } });

const PLANS = {
  due: { gate: true, done: 1 },
  'gate closed': { gate: false, done: 1 },
  'step before open': { gate: true, done: 0 },
  invalid: undefined,
} as const;

type Evidence = 'watched' | 'unread' | 'unwritten' | 'gap' | 'stopped' | 'outage';

/** Most facts allow the retirement: otherwise one reason would always hide the others. */
const mostly = <T>(usual: T, ...others: readonly T[]) =>
  fc.oneof({ weight: 8, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constantFrom(...others) });
const states = fc.record({
  /** What the plan file says, and what it said when the daemon last read it by itself. */
  plan: mostly<keyof typeof PLANS>('due', 'gate closed', 'step before open', 'invalid'),
  planBefore: mostly<keyof typeof PLANS>('due', 'gate closed', 'step before open', 'invalid'),
  drain: mostly(true, false),
  rollback: mostly(true, false),
  retired: mostly(false, true),
  successor: mostly<'healthy' | 'young' | 'sick' | 'none'>('healthy', 'young', 'sick', 'none'),
  cutOver: mostly(true, false),
  cutoverInProgress: mostly(false, true),
  evidence: mostly<Evidence>('watched', 'unread', 'unwritten', 'gap', 'stopped', 'outage'),

  lastUse: mostly<number | undefined>(undefined, 60_000, 90 * 60_000),
  open: mostly(0, 1),
  held: mostly(0, 1),
});
type State = typeof states extends fc.Arbitrary<infer S> ? S : never;

function planFile(plan: keyof typeof PLANS): string {
  const { gate, done } = PLANS[plan] ?? {};
  if (gate === undefined) return 'waves: {';
  const approved = { by: 'worsch', at: '2026-07-20', evidence: 'decision' };
  const written = { id: 'g', title: 'the gate', owner: 'operator', blocks: ['1.2'], ...(gate && { approved }) };
  return planYaml({ gates: [written], waves: [wave(1, [], 2, done)] });
}

function configOf({ drain, rollback, successor }: State, plan: string): Config {
  const probe = { tcp: {} };
  const section = {
    step: '1.2',
    quiet_for: '1h',
    ...(rollback && { rollback: 'back' }),
    ...(successor !== 'none' && { successor: { target: SUCCESSOR, probe } }),
  };
  const yaml = stringify({
    version: 1,
    node: 'there',
    plan,
    hosts: { there: { address: 'a', user: 'u' } },
    actors: { 'agt-key': { key: 'k' } },
    tunnels: {
      [NAME]: {
        host: 'there',
        actor: 'agt-key',
        target: 't:1',
        listen: '127.0.0.1:2000',
        ...(drain && { drain: section }),
      },
    },
  });
  return parseConfig(Buffer.from(yaml), '/nowhere/f.yaml', { HOME: '/h' });
}

function historyOf({ evidence, lastUse }: State): TunnelHistory | undefined {
  if (evidence === 'unread') return undefined;
  const now = Date.now();
  const watchedMs = evidence === 'gap' ? HOUR / 2 : 3 * HOUR;
  const up = { state: 'up', serving: true, listening: true, begins: false } as const;
  const down = { state: 'down', serving: false, listening: true, begins: false } as const;
  const stopped = { state: 'stopped', serving: false, listening: false, begins: false } as const;
  const spans =
    evidence === 'outage'
      ? [
          { ...up, from: now - watchedMs, until: now - HOUR / 2, begins: true },
          { ...down, from: now - HOUR / 2, until: now - HOUR / 4 },
          { ...up, from: now - HOUR / 4, until: now },
        ]
      : [
          { ...up, from: now - watchedMs, until: now, begins: true },
          // Stopped so lately that no time has passed since.
          ...(evidence === 'stopped' ? [{ ...stopped, from: now, until: now }] : []),
        ];
  const lastActivityAt = lastUse === undefined ? undefined : now - lastUse;
  return { spans, lastActivityAt, lastActivityWallAt: lastActivityAt };
}

/** A daemon's doors over the facts of one state: the endpoint and the control socket, really opened. */
async function openDoors(state: State, dir: string, refreshes: boolean) {
  const planPath = join(dir, 'plan.yaml');
  const config = configOf(state, planPath);
  writeFileSync(planPath, planFile(state.planBefore));
  const plan = new PlanWatch(log, () => {});
  await plan.follow(planPath);
  // Somebody has just written the file.
  writeFileSync(planPath, planFile(state.plan));
  const history = historyOf(state);
  const retired = new RetiredTunnels(retiredFile(join(dir, `state-${Math.random()}`)), log);
  const at = new Date().toISOString();
  if (state.retired) await retired.add(NAME, { at, keeps_port: state.successor !== 'none', overrides: [] });
  const since = { young: Date.now() - 60_000, healthy: Date.now() - 2 * HOUR, sick: undefined, none: undefined };
  const usage = {
    ...tunnelFixture().usage,
    open: state.open,
    held: state.held,
    last_activity_at: history?.lastActivityAt === undefined ? null : new Date(history.lastActivityAt),
  };
  const unwritten = state.evidence === 'unwritten' ? { since: new Date(), message: 'the disk is full' } : undefined;
  const verdicts = new Verdicts({
    config: () => config,
    plan: () => plan.watched,
    historyOf: () => history,
    unwritten: () => unwritten,
    usageOf: () => usage,
    clientsOf: () => [],
    cutoverSince: () => (state.cutoverInProgress ? Date.now() - 1_000 : undefined),
    cutOver: () => state.cutOver,
    successors: {
      factsOf: () =>
        state.successor === 'none'
          ? undefined
          : { target: SUCCESSOR, healthyForMs: HOUR, healthySince: since[state.successor], lastError: 'refused' },
    },
    retired,
    note: () => {},
  });
  const metrics = createMetrics();
  const { retirement: _, cutover: __, availability: ___, ...fixture } = tunnelFixture();
  const own = () => ({
    ...fixture,
    name: NAME,
    state: retired.of(NAME) ? ('retired' as const) : ('up' as const),
    usage,
  });
  const snapshot = () =>
    takeSnapshot(
      {
        version: '1',
        startedAt: new Date(),
        inForce: new ConfigInForce(config),
        supervisor: { links: () => [], stopped: [], tunnels: () => [own()] },
        cutovers: { statusOf: () => null, unwritten: [], advisories: () => [] },
        recorder: { historyOf: () => history, condition: { kind: 'ok' }, head: undefined, unwrittenFiles: [] },
        rotators: { unwritten: [] },
        owner: { advisories: () => [] },
        presence: { unwritten: [] },
        clients: { of: () => undefined },
        retirement: {
          statusOf: (name, now) => verdicts.statusOf(name, now),
          advisories: () => [],
          unwritten: [],
          certificateOf: () => null,
        },
        plan,
        control: { advisories: () => [] },
        systemd: connectSystemd({}, process.pid, log),
      },
      new Date(),
    );
  const tunnel = {
    status: () => ({ route: state.cutOver ? ('successor' as const) : ('tunnel' as const), usage }),
    retire: async () => {},
    suspend: async () => {},
    settle: async () => {},
  };
  const shared = {
    config: () => config,
    inTurn: <T>(_: readonly string[], change: () => Promise<T>) => change(),
    inTurnOf: <T>(_: string, change: () => Promise<T>) => change(),
    note: () => {},
    supervisor: { named: () => [tunnel], resume: async () => {}, tunnels: () => [] },
  };
  const unused = () => Promise.reject(new Error('not asked for'));
  const actions = createActions({
    ...shared,
    applied: () => true,
    reload: unused,
    loggedIn: unused,
    rotate: unused,
    retire: (request) =>
      retireTunnel(request, {
        ...shared,
        retirement: { judge: (name, now) => verdicts.on(name, now), retired },
        cutovers: { confirm: async () => {} },
        plan,
        evidence: { check: async () => {} },
        metrics,
        closingCommand: () => undefined,
      }),
    followPlan: unused,
    recordPlanEdit: unused,
    settled: async () => {},
    recorded: unused,
    unretire: unused,
    cutovers: { start: unused, rehearse: unused, rollback: unused, giveUp: unused, backInService: unused },
  });
  const socket = join(dir, 'run', 'control.sock');
  const control = await startControlServer(socket, {
    answer: (line) => answer(line, actions, () => {}),
    onError: () => {},
  });
  const endpoint = await startEndpoint({
    dependencies: {
      snapshot,
      refreshed: refreshes ? () => plan.refresh() : async () => {},
      tunnelNames: () => [NAME],
      drain: (name, now) => verdicts.answer(name, now),
      metrics,
    },
  });
  return {
    url: endpoint.url,
    port: endpoint.port,
    socket,
    [Symbol.asyncDispose]: async () => {
      control.close();
      control.dropAll();
      await endpoint.stop();
    },
  };
}

/** Whether the tunnel may be retired, or is, as each door says it; the retirement itself last. */
async function askAll(state: State, dir: string, refreshes: boolean) {
  await using doors = await openDoors(state, dir, refreshes);
  const get = (path: string) => fetch(doors.url + path, { headers: { accept: 'application/json' } });
  const io = { out: () => {}, err: () => {}, signal: new AbortController().signal, env: {} };
  const { tunnels } = statusSchema.parse(await (await get('/status')).json());
  const [row] = tunnels;
  const drain = verdictAnswer.parse(await (await get(`/drain/${NAME}`)).json());
  const sample = /^fleet_mesh_tunnel_retirable\{tunnel="hub"\} (\d)$/m.exec(await (await get('/metrics')).text());
  const waiting = { names: [NAME], for: 'retirable', timeout: '1ms', json: false, endpoint: `127.0.0.1:${doors.port}` };
  const options = { socket: doors.socket, config: '', json: false, override: [], reason: [] };
  return {
    status: row?.state === 'retired' || row?.retirement?.verdict === 'retirable',
    drain: drain.retired_at !== null || drain.verdict === 'retirable',
    gate: (await get(`/drain/${NAME}?require=retirable`)).status === 200,
    // Nothing is left to judge of a retired tunnel.
    metric: state.retired ? sample === null : sample?.[1] === '1',
    wait: (await wait(waiting, io)) === 0,
    dryRun: (await retire(NAME, { ...options, dryRun: true }, io)) === 0,
    retire: (await retire(NAME, { ...options, dryRun: false }, io)) === 0,
  };
}

let dir: TempDir;
beforeAll(() => {
  dir = tempDir('agreement');
});
afterAll(() => dir[Symbol.dispose]());

const agreement = (refreshes: boolean, onSaid: (may: boolean) => void) =>
  fc.asyncProperty(states, async (state) => {
    const says = await askAll(state, dir.path, refreshes);
    expect(says).toEqual(Object.fromEntries(Object.keys(says).map((door) => [door, says.retire])));
    onSaid(says.retire);
  });

describe('verdict, gate, wait, metric and retire', () => {
  it('agree on every state, also right after a change of the plan file', async () => {
    const count = { may: 0, mayNot: 0 };
    await fc.assert(
      agreement(true, (may) => {
        if (may) count.may++;
        else count.mayNot++;
      }),
      { numRuns: 80, endOnFailure: true },
    );
    expect(Math.min(count.may, count.mayNot), 'both answers were given').toBeGreaterThan(5);
  }, 300_000);

  it('are seen to differ if one of them goes by an older plan file', async () => {
    const found = await fc.check(
      agreement(false, () => {}),
      { numRuns: 300, endOnFailure: true },
    );
    expect(found.failed).toBe(true);
  }, 300_000);
});
