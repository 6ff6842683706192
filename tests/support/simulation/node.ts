import { type Repeating, repeat } from '../../../src/base/async/repeat.ts';
import { settledWithin } from '../../../src/base/async/settled-within.ts';
import { NamedTurns, Turns } from '../../../src/base/async/turns.ts';
import type { Config } from '../../../src/config/config.ts';
import { ConfigInForce } from '../../../src/daemon/config-in-force.ts';
import { reload } from '../../../src/daemon/reload.ts';
import { type SnapshotSources, takeSnapshot } from '../../../src/daemon/snapshot.ts';
import { keepStateFiles } from '../../../src/daemon/state-files.ts';
import { connectSystemd } from '../../../src/machine/systemd/systemd.ts';
import { createActions } from '../../../src/operator/control/actions.ts';
import type { ControlActions, ReloadOutcome } from '../../../src/operator/control/answer.ts';
import { Cutovers } from '../../../src/retirement/cutover/cutovers.ts';
import { CutoverStore } from '../../../src/retirement/cutover/store.ts';
import type { VerdictAnswer } from '../../../src/retirement/drain/answer.ts';
import { dueFacts } from '../../../src/retirement/drain/gather.ts';
import { retireTunnel } from '../../../src/retirement/drain/retire-tunnel.ts';
import { Retirement } from '../../../src/retirement/drain/retirement.ts';
import { watchedHistory } from '../../../src/retirement/drain/watched.ts';
import type { KernelLock } from '../../../src/retirement/evidence/kernel-lock.ts';
import { StateDirectoryOwner } from '../../../src/retirement/evidence/owner.ts';
import { Recorder } from '../../../src/retirement/evidence/recorder.ts';
import { routesOf } from '../../../src/retirement/evidence/routes.ts';
import type { WatchedPlan } from '../../../src/retirement/plan/watch.ts';
import type { Happening, TakeNote } from '../../../src/telemetry/happening.ts';
import { createLogger } from '../../../src/telemetry/log/log.ts';
import { createMetrics } from '../../../src/telemetry/metrics/metrics.ts';
import type { Status } from '../../../src/telemetry/status/status.ts';
import { Supervisor } from '../../../src/tunnels/tunnel/supervisor.ts';
import { HUB } from './fleet.ts';
import { SimLinks } from './links.ts';
import type { SimNetwork } from './network.ts';
import type { Bug } from './planted.ts';

/** The outside of a simulated daemon. */
export interface NodePorts {
  readonly network: SimNetwork;
  /** The configuration file, as it is now. */
  configFile(): Config;
  /** The plan file, as it is now. */
  planFile(): WatchedPlan;
  random(): number;
  /** Each event of the daemon, for the trace. */
  onEvent(happening: Happening): void;
  /** As this process sees it. */
  readonly stateDir: string;
  /** Locks the open file of a descriptor. */
  lock(fd: number): Promise<KernelLock>;
  readonly bug: Bug;
}

/** Shared by all runs: nothing in the simulation reads them, and they are costly to make. */
const metrics = createMetrics();
const log = createLogger({ level: 'fatal', stream: { write: () => {} } });

const TICK_MS = 1_000;
/** A planted bug answers with a verdict of this age, in milliseconds. */
const LATE_ANSWER_MS = 2_000;

/**
 * One run of the daemon: the drain side, the tunnels and the commands, joined as in daemon.ts. SSH, sockets, disk, clocks and
 * the two files are simulated.
 */
export class SimNode {
  readonly #ports: NodePorts;
  readonly #inForce: ConfigInForce;
  readonly #changes: Turns;
  readonly #turns: NamedTurns;
  readonly #stopped = new AbortController();
  readonly #sources: SnapshotSources;
  readonly #supervisor: Supervisor;
  readonly #links: SimLinks;
  readonly #owner: StateDirectoryOwner;
  #plan: WatchedPlan;
  #fileWatch: Repeating | undefined;
  #applied = false;
  /** The older verdict of a planted bug. */
  #answered: { readonly at: number; readonly answer: VerdictAnswer | undefined } | undefined;
  #heartbeat: Promise<void> | undefined;
  readonly recorder: Recorder;
  readonly retirement: Retirement;
  readonly cutovers: Cutovers;
  readonly actions: ControlActions;

  constructor(ports: NodePorts) {
    this.#ports = ports;
    const { network, random, stateDir, bug } = ports;
    this.#changes = bug.forgetsTurns ? new NoTurns() : new Turns();
    this.#turns = bug.forgetsTurns ? new NoNamedTurns() : new NamedTurns();
    this.#plan = ports.planFile();
    this.#inForce = new ConfigInForce(ports.configFile());
    const note: TakeNote = (happening, at) => this.#note(happening, at);
    this.#owner = new StateDirectoryOwner(stateDir, { log, lock: (fd) => ports.lock(fd) });
    this.recorder = new Recorder(
      { directory: stateDir, version: '1', node: this.config.node, heartbeatMs: 5_000 },
      {
        log,
        claim: () => this.#owner.claim(),
        onRead: (standing) => {
          this.retirement.compare(standing);
          this.cutovers.compare(standing);
        },
      },
    );
    const source = network.successors(bug.ignoresSuccessor);
    const successorSource = () => source;
    this.cutovers = new Cutovers({
      turns: this.#turns,
      store: new CutoverStore(stateDir, this.#owner.disk),
      tunnel: (name) => this.#supervisor.named([name])[0],
      tunnels: () => this.#inForce.config.tunnels.values(),
      retired: (name) => this.retirement.retired.of(name) !== undefined,
      gates: (step) => dueFacts(this.#plan, step, new Date()),
      successorSource,
      note,
      log,
    });
    this.#links = new SimLinks(network);
    this.#supervisor = new Supervisor({
      prepare: () => Promise.reject(new Error('no SSH in the simulation')),
      credential: () => {
        throw new Error('no credentials in the simulation');
      },
      links: this.#links,
      metrics,
      log,
      note,
      random,
      retired: (tunnel) => this.retirement.retired.of(tunnel),
      entranceOf: (tunnel) => ({
        listen: network.listenFor(this, tunnel),
        junction: this.cutovers.junctionOf(tunnel),
      }),
    });
    this.retirement = new Retirement(
      { stateDir },
      {
        disk: this.#owner.disk,
        config: () => this.#inForce.config,
        plan: () => this.#plan,
        historyOf: (tunnel) => {
          const [running] = this.#supervisor.named([tunnel]);
          const history = watchedHistory(
            this.config.tunnels.get(tunnel),
            running?.config,
            this.recorder.historyOf(tunnel),
          );
          return history && (bug.history?.(history) ?? history);
        },
        unwritten: () => (bug.ignoresDisk ? undefined : this.recorder.unwritten),
        usageOf: (tunnel) => this.#supervisor.usageOf(tunnel),
        clientsOf: () => [],
        cutoverSince: (tunnel) => this.cutovers.cutoverSince(tunnel),
        cutOver: (tunnel) =>
          this.cutovers.isCutOverTo(tunnel, this.config.tunnels.get(tunnel)?.drain?.successor?.target),
        source,
        note,
        log,
        random,
      },
    );
    const shared = {
      config: () => this.#inForce.config,
      inTurn: <T>(tunnels: readonly string[], change: () => Promise<T>) =>
        this.#changes.take(() => this.#turns.take(tunnels, change)),
      inTurnOf: <T>(_: string, change: () => Promise<T>) => change(),
      supervisor: this.#supervisor,
      note,
    };
    this.actions = createActions({
      ...shared,
      applied: () => this.#applied,
      reload: () => this.#reload(note),
      loggedIn: async () => {},
      rotate: async () => 'rotated',
      retire: (request) => {
        const { retirement } = this;
        const early = retirement.judge(HUB, new Date());
        return retireTunnel(request, {
          ...shared,
          retirement: bug.judgesEarly ? { retired: retirement.retired, judge: () => early } : retirement,
          cutovers: this.cutovers,
          plan: { follow: async () => this.followPlan() },
          evidence: this.recorder,
          metrics,
          closingCommand: () => undefined,
        });
      },
      unretire: (names) => this.retirement.unretire(names),
      followPlan: async () => this.followPlan(),
      settled: () => this.recorder.settled(),
      recorded: () => Promise.reject(new Error('no installation happens here')),
      recordPlanEdit: () => Promise.reject(new Error('the plan is no file here')),
      cutovers: this.cutovers,
    });
    this.#sources = {
      version: '1',
      startedAt: new Date(),
      inForce: this.#inForce,
      supervisor: this.#supervisor,
      cutovers: this.cutovers,
      recorder: this.recorder,
      rotators: { unwritten: [] },
      owner: this.#owner,
      presence: { unwritten: [] },
      clients: { of: () => undefined },
      retirement: this.retirement,
      plan: watchedPlan(() => this.#plan),
      control: { advisories: () => [] },
      systemd: connectSystemd({}, process.pid, log),
    };
  }

  /** Whether the start is over, and the stop has not begun. */
  get applied(): boolean {
    return this.#applied;
  }

  get config(): Config {
    return this.#inForce.config;
  }

  snapshot(): Status {
    return takeSnapshot(this.#sources, new Date());
  }

  /** As Daemon.start. */
  async start(): Promise<void> {
    await this.#owner.claimAtStart();
    this.followPlan();
    await this.retirement.start();
    await this.cutovers.restore(this.config);
    await this.retirement.dropContradicted((tunnel) => this.cutovers.isCutOver(tunnel));
    void this.recorder.start(this.config.sha256);
    this.#inForceFrom(this.config);
    this.#heartbeat = repeat(
      async () => {
        const now = new Date();
        this.followPlan();
        await this.#supervisor.tick(now);
        this.cutovers.sample(now);
        this.recorder.tick(this.#supervisor.uses(), () => this.retirement.pulses(this.#supervisor.pulses()));
        this.retirement.tick(now);
      },
      () => TICK_MS,
      this.#stopped.signal,
    ).done;
    this.#fileWatch = keepStateFiles(this.retirement, this.cutovers, log, this.#stopped.signal);
    await this.#supervisor.start(this.config);
    await this.retirement.forgetRemoved(this.config);
    await this.cutovers.forgetRemoved(this.config);
    this.#applied = true;
  }

  /** As Daemon.stop. */
  async stop(): Promise<void> {
    if (this.#stopped.signal.aborted) return;
    this.#applied = false;
    this.#stopped.abort();
    await Promise.all([
      this.#changes.over,
      this.#heartbeat,
      settledWithin(Promise.resolve(this.#fileWatch?.done), 1_000),
    ]);
    await this.#turns.over;
    await this.cutovers.stop();
    await this.#supervisor.stop(this.config.stopGraceMs, new AbortController().signal);
    this.retirement.stop();
    await this.recorder.stop();
    await this.#owner.release(1_000);
  }

  #note(happening: Happening, at?: Date): void {
    this.#ports.onEvent(happening);
    this.recorder.note(happening, at);
  }

  /** The answer of `/drain/{tunnel}`. */
  answer(tunnel: string): VerdictAnswer | undefined {
    const now = new Date();
    if (!this.#ports.bug.answersLate) return this.retirement.answer(tunnel, now);
    const { at, answer } = this.#answered ?? { at: 0, answer: undefined };
    if (Math.abs(now.getTime() - at) >= LATE_ANSWER_MS)
      this.#answered = { at: now.getTime(), answer: this.retirement.answer(tunnel, now) };
    return this.#answered?.answer ?? answer;
  }

  linkChanged(): void {
    this.#links.changed();
  }

  /** A change of the plan file counts from now on. */
  followPlan(): void {
    if (!this.#ports.bug.ignoresPlan) this.#plan = this.#ports.planFile();
  }

  /** As the lookout does. */
  #inForceFrom(config: Parameters<typeof routesOf>[0]): void {
    this.#note({ event: 'config.in_force', ...routesOf(config) });
  }

  #reload(note: (happening: Happening) => void): Promise<ReloadOutcome> {
    return this.#changes.take(async () => {
      if (this.#stopped.signal.aborted) return { ok: false, error: 'stopping', problems: [], config: '' };
      return reload(this.#inForce, {
        endpoint: { move: async () => {} },
        control: { listen: async () => {} },
        lookout: { follow: (config) => this.#inForceFrom(config) },
        plan: { follow: async () => this.followPlan() },
        cutovers: this.cutovers,
        rotators: { apply: () => {} },
        retirement: this.retirement,
        notifier: { configure: () => {} },
        presence: { leave: async () => {} },
        supervisor: this.#supervisor,
        load: async () => this.#ports.configFile(),
        log,
        note,
      });
    });
  }
}

/** Turns that nobody waits for: a planted bug. */
class NoTurns extends Turns {
  override take<Result>(task: () => Promise<Result>): Promise<Result> {
    return task();
  }
}

class NoNamedTurns extends NamedTurns {
  override take<Result>(_: readonly string[], task: () => Promise<Result>): Promise<Result> {
    return task();
  }
}

function watchedPlan(now: () => WatchedPlan): { readonly watched: WatchedPlan } {
  return {
    get watched() {
      return now();
    },
  };
}
