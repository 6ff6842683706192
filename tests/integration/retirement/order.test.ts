import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { NamedTurns, Turns } from '../../../src/base/async/turns.ts';
import { TunnelError } from '../../../src/base/errors.ts';
import type { Config } from '../../../src/config/config.ts';
import { parseConfig } from '../../../src/config/load.ts';
import { createActions } from '../../../src/operator/control/actions.ts';
import type { ControlActions } from '../../../src/operator/control/answer.ts';
import { Cutovers } from '../../../src/retirement/cutover/cutovers.ts';
import { CutoverStore } from '../../../src/retirement/cutover/store.ts';
import { retireTunnel } from '../../../src/retirement/drain/retire-tunnel.ts';
import { RetiredTunnels, retiredFile } from '../../../src/retirement/drain/retired.ts';
import { Verdicts } from '../../../src/retirement/drain/verdicts.ts';
import { createLogger } from '../../../src/telemetry/log/log.ts';
import { DirectSource } from '../../../src/tunnels/forward/direct-source.ts';
import { planOf, wave } from '../../support/fakes/plan-fixture.ts';
import { patient } from '../../support/patience.ts';
import { type LoopbackServer, listenLoopback } from '../../support/peers/loopback.ts';

const NAME = 'hub';
const log = createLogger({ level: 'fatal' });
const FULL = () => new TunnelError('state_dir_unusable', 'no space is left');

/** The disk, which outlives a daemon. */
class Disk {
  fault: 'none' | 'refuses' | 'keeps and refuses' = 'none';
  faulty = false;
  retired: string | undefined;
  cutover: string | undefined;

  async change(file: 'retired' | 'cutover', content: string | undefined): Promise<void> {
    await sleep(1);
    if (this.fault === 'refuses') throw FULL();
    this[file] = content;
    if (this.fault === 'keeps and refuses') throw FULL();
  }

  get retiredNames(): string[] {
    return this.retired === undefined ? [] : Object.keys(JSON.parse(this.retired).tunnels);
  }

  get phase(): string | undefined {
    return this.cutover === undefined ? undefined : JSON.parse(this.cutover).phase;
  }

  break(fault: Disk['fault']): void {
    this.fault = fault;
    this.faulty ||= fault !== 'none';
  }
}

type Variant = 'first' | 'second' | 'none';
let servers: Record<'first' | 'second', LoopbackServer>;
beforeAll(async () => {
  servers = { first: await listenLoopback((s) => s.end()), second: await listenLoopback((s) => s.end()) };
});
afterAll(async () => {
  await Promise.all([servers.first.stop(), servers.second.stop()]);
});

function configOf(variant: Variant): Config {
  const successor =
    variant === 'none'
      ? undefined
      : {
          target: `127.0.0.1:${servers[variant].port}`,
          probe: { tcp: {}, every: '1s', rise: 1 },
          hold: '100ms',
          verify_for: '1s',
        };
  const drain = { step: '1.1', quiet_for: '1s', rollback: 'back', ...(successor ? { successor } : {}) };
  const yaml = stringify({
    version: 1,
    node: 'there',
    plan: 'plan.yaml',
    hosts: { there: { address: 'a', user: 'u' } },
    actors: { 'agt-key': { key: 'k' } },
    tunnels: { [NAME]: { host: 'there', actor: 'agt-key', target: 't:1', listen: '127.0.0.1:2000', drain } },
  });
  const config = parseConfig(Buffer.from(yaml), 'f.yaml', { HOME: '/h' });
  // Shorter than the file allows: a run lasts a fraction of a second.
  for (const tunnel of config.tunnels.values()) {
    const short = tunnel.drain?.successor as { verifyForMs: number } | undefined;
    if (short) short.verifyForMs = 5;
  }
  return config;
}

/** The parts of a daemon that decide about one tunnel, joined as in the daemon, over a disk that may fail. */
class Node {
  readonly disk: Disk;
  config: Config;
  readonly retired: RetiredTunnels;
  readonly cutovers: Cutovers;
  readonly verdicts: Verdicts;
  readonly actions: ControlActions;
  readonly #changes = new Turns();
  readonly #turns = new NamedTurns();
  #stopped = false;
  #keepsPort: boolean | undefined;

  constructor(disk: Disk, variant: Variant) {
    this.disk = disk;
    this.config = configOf(variant);
    this.retired = new RetiredTunnels(
      retiredFile('/state', () => ({ read: async () => disk.retired, change: (text) => disk.change('retired', text) })),
      log,
    );
    const source = new DirectSource('probe');
    this.cutovers = new Cutovers({
      turns: this.#turns,
      store: new CutoverStore('/state', () => ({
        read: async () => disk.cutover,
        change: (text) => disk.change('cutover', text),
      })),
      tunnel: (name) => {
        const config = this.config.tunnels.get(name);
        const outOfService = this.#stopped || this.#keepsPort !== undefined ? {} : undefined;
        return config && { config, outOfService, condition: { kind: 'serving' }, probeSource: source };
      },
      tunnels: () => this.config.tunnels.values(),
      retired: (name) => this.retired.of(name) !== undefined,
      gates: () => ({ closedGates: [] }),
      note: () => {},
      log,
      patienceMs: patient(100),
    });
    const plan = planOf({ waves: [wave(1, [], 1)] });
    this.verdicts = new Verdicts({
      config: () => this.config,
      plan: () => ({
        path: 'plan.yaml',
        plan,
        loadedAt: new Date(),
        lastLoad: { ok: true, at: new Date(), error: null },
      }),
      historyOf: () => ({
        spans: [
          { from: Date.now() - 10_000, until: Date.now(), state: 'up', serving: true, listening: true, begins: true },
        ],
        lastActivityAt: undefined,
      }),
      unwritten: () => undefined,
      usageOf: () => undefined,
      clientsOf: () => [],
      cutoverSince: (name) => this.cutovers.cutoverSince(name),
      cutOver: (name) => this.cutovers.isCutOver(name),
      successors: {
        factsOf: () => ({ target: 'it', healthyForMs: 1, healthySince: 0, lastError: undefined }),
      },
      retired: this.retired,
      note: () => {},
    });
    const tunnel = {
      status: () => ({ route: this.route, usage: { open: 0, held: 0 } }),
      retire: async (keepsPort: boolean) => {
        this.#keepsPort = keepsPort;
      },
      suspend: async () => {
        this.#stopped = true;
      },
      settle: async () => {},
    };
    const shared = {
      config: () => this.config,
      inTurn: <T>(names: readonly string[], change: () => Promise<T>) =>
        this.#changes.take(() => this.#turns.take(names, change)),
      inTurnOf: <T>(_: string, change: () => Promise<T>) => change(),
      note: () => {},
      supervisor: {
        named: (names: readonly string[]) => names.map((name) => (this.config.tunnels.has(name) ? tunnel : undefined)),
        resume: async () => {
          this.#stopped = false;
          this.#keepsPort = undefined;
        },
        tunnels: () => [],
      },
    };
    this.actions = createActions({
      ...shared,
      applied: () => true,
      reload: async () => ({ ok: true, replaced: [], moved: [], changes: '' }),
      loggedIn: async () => {},
      rotate: async () => '',
      retire: (request) =>
        retireTunnel(request, {
          ...shared,
          retirement: { judge: (name, now) => this.verdicts.on(name, now), retired: this.retired },
          cutovers: this.cutovers,
          plan: { follow: async () => {} },
          evidence: { check: async () => {} },
          metrics: { retireOverrides: { inc: () => {} } },
          closingCommand: () => undefined,
        }),
      followPlan: async () => {},
      recordPlanEdit: async () => ({ seq: 1 }),
      settled: async () => {},
      recorded: async () => ({ seq: 1 }),
      unretire: (names) => this.retired.remove(names),
      cutovers: this.cutovers,
    });
  }

  get route(): 'tunnel' | 'successor' {
    return this.cutovers.junctionOf(NAME).detour ? 'successor' : 'tunnel';
  }

  async start(): Promise<void> {
    await this.retired.load();
    await this.cutovers.restore(this.config);
    await this.retired.dropContradicted((name) => this.cutovers.isCutOver(name));
    const retired = this.retired.of(NAME);
    if (retired) this.#keepsPort = retired.keeps_port;
  }

  reload(variant: Variant): Promise<void> {
    return this.#changes.take(async () => {
      const before = this.config;
      this.config = configOf(variant);
      await this.cutovers.apply(before, this.config);
    });
  }

  get over(): Promise<unknown> {
    return Promise.all([this.#changes.over, this.#turns.over]);
  }
}

/** The system under test: successive nodes over the same disk, and the commands in progress. */
class System {
  readonly disk = new Disk();
  variant: Variant = 'first';
  node = new Node(this.disk, 'first');
  readonly pending = new Set<Promise<unknown>>();

  begin(task: () => Promise<unknown>): void {
    const run = task().catch(() => {});
    this.pending.add(run);
    void run.finally(() => this.pending.delete(run));
  }

  check(): void {
    const { node } = this;
    const retired = node.retired.of(NAME);
    if (retired?.keeps_port) expect(node.route, 'retired, with the route on the tunnel').toBe('successor');
  }

  async settle(): Promise<void> {
    while (this.pending.size > 0) {
      await sleep(1);
      this.check();
    }
    await this.node.over;
    this.check();
    if (this.disk.faulty) return;
    expect(this.disk.retiredNames, 'disk and memory on what is retired').toEqual(this.node.retired.names);
    const memory = this.node.cutovers.isCutOver(NAME);
    expect(this.disk.phase === 'committed', 'disk and memory on the cut-over').toBe(memory);
  }
}

type Model = object;
class Step implements fc.AsyncCommand<Model, System> {
  readonly #name: string;
  readonly #act: (system: System) => Promise<void> | void;
  readonly #pauseMs: number;
  constructor(name: string, pauseMs: number, act: (system: System) => Promise<void> | void) {
    [this.#name, this.#pauseMs, this.#act] = [name, pauseMs, act];
  }
  check = () => true;
  async run(_: Model, system: System): Promise<void> {
    await this.#act(system);
    // The next one may come in the middle of this one.
    if (this.#pauseMs > 0) await sleep(this.#pauseMs);
    system.check();
  }
  toString = () => `${this.#name}+${this.#pauseMs}ms`;
}

const command = (name: string, act: (system: System) => Promise<unknown>) =>
  fc.constantFrom(0, 0, 1, 3, 10).map((ms) => new Step(name, ms, (system) => system.begin(() => act(system))));

const settled = fc.constant(new Step('settle', 0, (system) => system.settle()));
const steps = [
  command('retire', ({ node }) => node.actions.retire({ name: NAME, dryRun: false, overrides: [] })),
  command('retire', ({ node }) => node.actions.retire({ name: NAME, dryRun: false, overrides: [] })),
  command('rollback', ({ node }) => node.actions.rollback(NAME, () => {})),
  command('cutover', ({ node }) => node.actions.cutover(NAME, () => {})),
  command('cutover', ({ node }) => node.actions.cutover(NAME, () => {})),
  command('up', ({ node }) => node.actions.up([NAME])),
  command('down', ({ node }) => node.actions.down([NAME])),
  fc.constantFrom<Variant>('first', 'second').chain((variant) =>
    command(`reload(${variant})`, (system) => {
      system.variant = variant;
      return system.node.reload(variant);
    }),
  ),
  fc
    .constantFrom<Disk['fault']>('none', 'none', 'refuses', 'keeps and refuses')
    .map((fault) => new Step(`disk(${fault})`, 0, ({ disk }) => disk.break(fault))),
  settled,
  settled,
  fc.constant(
    new Step('restart', 0, async (system) => {
      await system.settle();
      system.node = new Node(system.disk, system.variant);
      await system.node.start();
    }),
  ),
];

describe('commands that change a tunnel', () => {
  it('never leave a retired tunnel with its route on the tunnel, in any order and with any disk failure', async () => {
    await fc.assert(
      fc.asyncProperty(fc.commands(steps, { maxCommands: 25, size: 'max' }), async (commands) => {
        const system = new System();
        await system.node.start();
        try {
          await fc.asyncModelRun(() => ({ model: {}, real: system }), commands);
          await system.settle();
        } finally {
          await Promise.all(system.pending);
          await system.node.cutovers.stop();
        }
      }),
      { numRuns: 150, endOnFailure: true },
    );
    // Ends a hang: hundreds of waits for a disk take long on a busy machine.
  }, 900_000);

  it.each([0, 1, 2, 3, 5, 8])('refuse one of a retirement and a rollback %i ms later', async (ms) => {
    const system = new System();
    const { node } = system;
    await node.start();
    expect(await node.actions.cutover(NAME, () => {})).toMatchObject({ outcome: 'committed' });
    const tasks = [
      node.actions.retire({ name: NAME, dryRun: false, overrides: [] }),
      sleep(ms).then(() => node.actions.rollback(NAME, () => {})),
    ];
    const results = await Promise.allSettled(tasks);
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    await system.settle();
    expect([node.route, node.retired.names.length]).toEqual(
      results[0]?.status === 'fulfilled' ? ['successor', 1] : ['tunnel', 0],
    );
  });
});
