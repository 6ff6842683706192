import { repeat } from '../../../src/base/async/repeat.ts';
import { NamedTurns, Turns } from '../../../src/base/async/turns.ts';
import type { Config } from '../../../src/config/config.ts';
import { ConfigInForce } from '../../../src/daemon/config-in-force.ts';
import { reload } from '../../../src/daemon/reload.ts';
import { type SnapshotSources, takeSnapshot } from '../../../src/daemon/snapshot.ts';
import { connectSystemd } from '../../../src/machine/systemd/systemd.ts';
import { createActions } from '../../../src/operator/control/actions.ts';
import type { ControlActions, ReloadOutcome } from '../../../src/operator/control/answer.ts';
import { Cutovers } from '../../../src/retirement/cutover/cutovers.ts';
import { CutoverStore } from '../../../src/retirement/cutover/store.ts';
import { dueFacts } from '../../../src/retirement/drain/gather.ts';
import { retireTunnel } from '../../../src/retirement/drain/retire-tunnel.ts';
import { Retirement } from '../../../src/retirement/drain/retirement.ts';
import { watchedHistory } from '../../../src/retirement/drain/watched.ts';
import type { TunnelHistory } from '../../../src/retirement/evidence/history.ts';
import { StateDirectoryOwner } from '../../../src/retirement/evidence/owner.ts';
import { Recorder } from '../../../src/retirement/evidence/recorder.ts';
import type { WatchedPlan } from '../../../src/retirement/plan/watch.ts';
import type { Happening } from '../../../src/telemetry/happening.ts';
import { createLogger } from '../../../src/telemetry/log/log.ts';
import { createMetrics } from '../../../src/telemetry/metrics/metrics.ts';
import type { Status } from '../../../src/telemetry/status/status.ts';
import { Supervisor } from '../../../src/tunnels/tunnel/supervisor.ts';
import { SimLinks } from './links.ts';
import type { SimNetwork } from './network.ts';

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
  /** What a planted bug makes of a history. */
  bug?(history: TunnelHistory): TunnelHistory;
}

/** Shared by all runs: nothing in the simulation reads them, and they are costly to make. */
const metrics = createMetrics();
const log = createLogger({ level: 'fatal', stream: { write: () => {} } });

const TICK_MS = 1_000;
const STATE_DIR = '/sim/state';

/**
 * One run of the daemon: the drain side, the tunnels and the commands, joined as in daemon.ts. SSH, sockets, disk, clocks and
 * the two files are simulated.
 */
export class SimNode {
  readonly #ports: NodePorts;
  readonly #inForce: ConfigInForce;
  readonly #changes = new Turns();
  readonly #turns = new NamedTurns();
  readonly #stopped = new AbortController();
  readonly #sources: SnapshotSources;
  readonly #supervisor: Supervisor;
  readonly #links: SimLinks;
  readonly #owner: StateDirectoryOwner;
  #plan: WatchedPlan;
  #applied = false;
  #heartbeat: Promise<void> | undefined;
  readonly recorder: Recorder;
  readonly retirement: Retirement;
  readonly cutovers: Cutovers;
  readonly actions: ControlActions;

  constructor(ports: NodePorts) {
    this.#ports = ports;
    const { network, random } = ports;
    this.#plan = ports.planFile();
    this.#inForce = new ConfigInForce(ports.configFile());
    const note = (happening: Happening, at?: Date) => {
      ports.onEvent(happening);
      this.recorder.note(happening, at);
    };
    // The kernel's lock ends with the process, and so does this one.
    this.#owner = new StateDirectoryOwner(STATE_DIR, { log, lock: async () => 'locked' });
    this.recorder = new Recorder(
      { directory: STATE_DIR, version: '1', node: 'here', heartbeatMs: 5_000 },
      { log, claim: () => this.#owner.claim() },
    );
    const successorSource = () => network.successors();
    this.cutovers = new Cutovers({
      turns: this.#turns,
      store: new CutoverStore(STATE_DIR),
      tunnel: (name) => this.#supervisor.named([name])[0],
      tunnels: () => this.#inForce.config.tunnels.values(),
      retired: (name) => this.retirement.retired.of(name) !== undefined,
      gates: (step) => dueFacts(this.#plan, step, new Date()),
      successorSource,
      note,
      log,
    });
    this.#links = new SimLinks(network);
    const listen = network.listenFor(this);
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
      entranceOf: (tunnel) => ({ listen, junction: this.cutovers.junctionOf(tunnel) }),
    });
    const { bug = (history: TunnelHistory) => history } = ports;
    this.retirement = new Retirement(
      { stateDir: STATE_DIR },
      {
        config: () => this.#inForce.config,
        plan: () => this.#plan,
        historyOf: (tunnel) => {
          const [running] = this.#supervisor.named([tunnel]);
          const history = watchedHistory(
            this.config.tunnels.get(tunnel),
            running?.config,
            this.recorder.historyOf(tunnel),
          );
          return history && bug(history);
        },
        unwritten: () => this.recorder.unwritten,
        usageOf: (tunnel) => this.#supervisor.usageOf(tunnel),
        clientsOf: () => [],
        cutoverSince: (tunnel) => this.cutovers.cutoverSince(tunnel),
        cutOver: (tunnel) =>
          this.cutovers.isCutOverTo(tunnel, this.config.tunnels.get(tunnel)?.drain?.successor?.target),
        source: network.successors(),
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
      retire: (request) =>
        retireTunnel(request, {
          ...shared,
          retirement: this.retirement,
          plan: { follow: async () => this.followPlan() },
          evidence: this.recorder,
          metrics,
          closingCommand: () => undefined,
        }),
      unretire: (names) => this.retirement.retired.remove(names),
      followPlan: async () => this.followPlan(),
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
    await this.retirement.retired.dropContradicted((tunnel) => this.cutovers.isCutOver(tunnel));
    void this.recorder.start(this.config.sha256);
    this.#heartbeat = repeat(
      async () => {
        const now = new Date();
        this.followPlan();
        await this.#supervisor.tick(now);
        this.cutovers.sample(now);
        this.recorder.tick(this.retirement.pulses(this.#supervisor.pulses()));
        this.retirement.tick(now);
      },
      () => TICK_MS,
      this.#stopped.signal,
    ).done;
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
    await Promise.all([this.#changes.over, this.#heartbeat]);
    await this.#turns.over;
    await this.cutovers.stop();
    await this.#supervisor.stop(this.config.stopGraceMs, new AbortController().signal);
    this.retirement.stop();
    await this.recorder.stop();
    await this.#owner.release(1_000);
  }

  linkChanged(): void {
    this.#links.changed();
  }

  /** A change of the plan file counts from now on. */
  followPlan(): void {
    this.#plan = this.#ports.planFile();
  }

  #reload(note: (happening: Happening) => void): Promise<ReloadOutcome> {
    return this.#changes.take(async () => {
      if (this.#stopped.signal.aborted) return { ok: false, error: 'stopping', problems: [], config: '' };
      return reload(this.#inForce, {
        endpoint: { move: async () => {} },
        control: { listen: async () => {} },
        lookout: { follow: () => {} },
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

function watchedPlan(now: () => WatchedPlan): { readonly watched: WatchedPlan } {
  return {
    get watched() {
      return now();
    },
  };
}
