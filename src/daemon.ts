import { formatAddress } from './address.ts';
import { type Repeating, repeat } from './async/repeat.ts';
import { Clients } from './clients/clients.ts';
import type { Config } from './config/config.ts';
import { diffConfig, summarizeDiff } from './config/diff.ts';
import { loadConfig } from './config/load.ts';
import { ConfigError, formatProblem } from './config/problem.ts';
import { createActions } from './control/actions.ts';
import type { ReloadOutcome } from './control/answer.ts';
import { ControlPoint } from './control/point.ts';
import { Rotators } from './credential/rotators.ts';
import { describeEvidence, evidenceAdvisories, withHistory } from './evidence/describe.ts';
import type { TakeNote } from './evidence/happening.ts';
import { Recorder } from './evidence/recorder.ts';
import { credentialAdvisories } from './health/advisories.ts';
import type { Advisory } from './health/advisory.ts';
import { AdvisoryLog } from './health/advisory-log.ts';
import { overallState } from './health/overall.ts';
import type { ConfigStatus, Status } from './health/status.ts';
import { createEndpoint, type Endpoint } from './http/server.ts';
import { KnownHostsReport } from './link/known-hosts-report.ts';
import { prepare } from './link/prepare.ts';
import type { RootLogger } from './log.ts';
import { Lookout } from './lookout/lookout.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { advisoriesOf } from './plan/advisories.ts';
import { planStatus } from './plan/status.ts';
import { viewPlan } from './plan/view.ts';
import { PlanWatch } from './plan/watch.ts';
import { rotateActor } from './rotate.ts';
import { listenFor } from './systemd/listen.ts';
import { statusLine } from './systemd/status-line.ts';
import { connectSystemd, type Systemd, systemdStatus } from './systemd/systemd.ts';
import { Unit } from './systemd/unit.ts';
import { Supervisor } from './tunnel/supervisor.ts';

export interface DaemonOptions {
  readonly config: Config;
  readonly version: string;
  /** How often evidence is gathered that no event gives; by default as often as it is meant to be. */
  readonly evidenceMs?: { readonly heartbeat: number; readonly look: number };
}

/** The supervisor's heartbeat. */
const TICK_MS = 1_000;
/** A heartbeat older than this, and `/livez` says no. */
const ALIVE_MS = 10_000;

/** Everything that is running, and the only place that knows all of it. Starts in order, stops in reverse. */
export class Daemon {
  readonly #log: RootLogger;
  readonly #version: string;
  readonly #metrics: Metrics;
  readonly #recorder: Recorder;
  readonly #note: TakeNote = (happening, at) => this.#recorder.note(happening, at);
  readonly #rotators: Rotators;
  readonly #clients: Clients;
  readonly #supervisor: Supervisor;
  readonly #lookout: Lookout;
  readonly #plan: PlanWatch;
  readonly #advisoryLog: AdvisoryLog;
  readonly #systemd: Systemd;
  readonly #unit: Unit;
  readonly #startedAt = new Date();
  readonly #stopped = new AbortController();
  #config: Config;
  #loadedAt = new Date();
  #lastReload: ConfigStatus['last_reload'] = null;
  #endpoint: Endpoint;
  #heartbeat: Repeating | undefined;
  #heartbeatAt = performance.now();
  #applied = false;
  readonly #control: ControlPoint;
  /** Changes of what runs are made one after the other. */
  #changing: Promise<unknown> = Promise.resolve();

  constructor(options: DaemonOptions, log: RootLogger, systemd: Systemd = connectSystemd({}, process.pid, log)) {
    this.#config = options.config;
    this.#version = options.version;
    this.#log = log;
    this.#systemd = systemd;
    this.#metrics = createMetrics();
    this.#plan = new PlanWatch(log);
    this.#advisoryLog = new AdvisoryLog(log);
    const knownHosts = new KnownHostsReport(log);
    const { stateDir } = options.config;
    const { heartbeat, look } = options.evidenceMs ?? {};
    this.#recorder = new Recorder({ directory: stateDir, version: options.version, heartbeatMs: heartbeat }, { log });
    this.#rotators = new Rotators(stateDir, {
      env: process.env,
      metrics: this.#metrics,
      log,
      note: this.#note,
      random: Math.random,
      onChange: (actor, version) => this.#supervisor.supersede(actor, version),
    });
    this.#clients = new Clients(this.#metrics, this.#stopped.signal);
    this.#supervisor = new Supervisor({
      prepare: (host, actor, need) =>
        prepare(host, this.#rotators.of(actor), need, (path, problems) => knownHosts.report(path, problems)),
      credential: (actor) => this.#rotators.status(actor),
      metrics: this.#metrics,
      log,
      note: this.#note,
      listenFor: (tunnel) => this.#clients.watching(tunnel, listenFor(tunnel, systemd.sockets)),
      random: Math.random,
    });
    const links = () => this.#supervisor.links();
    this.#lookout = new Lookout({ everyMs: look }, { links, note: this.#note, random: Math.random });
    this.#unit = new Unit(systemd, {
      notifier: systemd.notifier,
      log,
      statusLine: () => statusLine(this.snapshot()),
      vitals: () => ({ heartbeatAgeMs: performance.now() - this.#heartbeatAt, stuck: this.#supervisor.stuck }),
    });
    this.#endpoint = this.#createEndpoint(options.config);
    const actions = createActions({
      config: () => this.#config,
      applied: () => this.#applied,
      reload: () => this.reload(),
      inTurn: (change) => this.#inTurn(change),
      supervisor: this.#supervisor,
      rotate: (actor) => rotateActor(actor, this.#rotators, this.#supervisor),
      note: this.#note,
    });
    this.#control = new ControlPoint(actions, log.child({ component: 'control' }));
  }

  /**
   * Rejects with a TunnelError when the endpoint cannot be bound, or another daemon has the control socket; a peer that is
   * away is no reason to fail.
   */
  async start(): Promise<void> {
    await this.#plan.follow(this.#config.plan);
    // First: from the endpoint's first answer on, what it tells is to be whole.
    await this.#control.listen(this.#config.controlSocket);
    try {
      await this.#endpoint.start();
    } catch (error) {
      this.#control.stop();
      throw error;
    }
    // Nobody waits for what happened before: the tunnels are up meanwhile.
    void this.#recorder.start(this.#config.sha256);
    this.#lookout.start(this.#config, this.#stopped.signal);
    this.#plan.start(this.#stopped.signal);
    this.#heartbeat = repeat(
      async () => {
        this.#heartbeatAt = performance.now();
        const now = new Date();
        this.#advisoryLog.update(this.#advisories(this.#supervisor.links()));
        await this.#supervisor.tick(now);
        this.#clients.keepOnly(this.#config.tunnels);
        this.#recorder.tick(this.#supervisor.pulses(), () => this.#lookout.takePulses());
        for (const actor of this.#supervisor.actorsStandingIn) this.#rotators.noteNeeded(actor, now);
        await this.#rotators.keepOnly(this.#supervisor.actors);
      },
      () => TICK_MS,
      this.#stopped.signal,
    );
    await this.#supervisor.start(this.#config);
    this.#systemd.sockets.settle();
    this.#applied = true;
    const { node, path, tunnels } = this.#config;
    this.#log.info(
      { event: 'daemon.started', version: this.#version, node, config: path, tunnels: tunnels.size },
      'fleet-mesh started',
    );
    this.#unit.started();
  }

  /** Reads the file again and applies the difference. A file that cannot be used changes nothing. One at a time. */
  reload(): Promise<ReloadOutcome> {
    return this.#inTurn(() => this.#unit.reloading(() => this.#reloadOnce()));
  }

  /** `force`, once aborted, ends what still runs at once. */
  async stop(force: AbortSignal): Promise<void> {
    if (this.#stopped.signal.aborted) return;
    this.#log.info({ event: 'daemon.stopping', grace_ms: this.#config.stopGraceMs }, 'stopping');
    this.#applied = false;
    this.#stopped.abort();
    this.#unit.stopping(this.#config.stopGraceMs);
    force.addEventListener('abort', () => this.#supervisor.cut(), { once: true });
    if (force.aborted) this.#supervisor.cut();
    await Promise.all([this.#changing, this.#heartbeat?.done, this.#plan.done, this.#lookout.done]);
    this.#systemd.sockets.leave();
    await this.#supervisor.stop(this.#config.stopGraceMs, force);
    await this.#rotators.stop();
    await this.#recorder.stop();
    this.#control.stop();
    await this.#endpoint.stop();
    await this.#unit.stopped();
    this.#log.info({ event: 'daemon.stopped' }, 'stopped');
  }

  snapshot(): Status {
    const now = new Date();
    const known = (name: string) => this.#recorder.historyOf(name);
    const tunnels = this.#supervisor
      .tunnels()
      .map((tunnel) => withHistory(tunnel, known(tunnel.name), now.getTime()))
      .map((tunnel) => this.#clients.describe(tunnel, now));
    const links = this.#supervisor.links();
    const evidence = describeEvidence(this.#recorder.condition, this.#recorder.head);
    return {
      schema: 1,
      node: this.#config.node,
      version: this.#version,
      now: now.toISOString(),
      started_at: this.#startedAt.toISOString(),
      ...overallState(tunnels),
      config: {
        path: this.#config.path,
        sha256: this.#config.sha256,
        loaded_at: this.#loadedAt.toISOString(),
        last_reload: this.#lastReload,
      },
      plan: planStatus(this.#plan.watched),
      systemd: systemdStatus(this.#systemd),
      evidence,
      links,
      tunnels,
      advisories: [...this.#advisories(links), ...evidenceAdvisories(evidence)],
    };
  }

  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const run = this.#changing.then(task);
    this.#changing = run.catch(() => {});
    return run;
  }

  #advisories(links: Status['links']): Advisory[] {
    const { trouble } = this.#control;
    const own: Advisory[] =
      trouble === undefined ? [] : [{ code: 'control_unavailable', message: `no commands: ${trouble}` }];
    const policy = advisoriesOf(this.#config, this.#plan.watched, new Date());
    return [...own, ...policy, ...credentialAdvisories(links)];
  }

  async #reloadOnce(): Promise<ReloadOutcome> {
    if (this.#stopped.signal.aborted) return { ok: false, error: 'the daemon is stopping', problems: [], config: '' };
    const at = new Date();
    const before = this.#config;
    try {
      const next = await loadConfig(before.path, process.env);
      // Only another address: the endpoint itself still holds the one that it has.
      if (formatAddress(before.endpoint.listen) !== formatAddress(next.endpoint.listen)) await this.#moveEndpoint(next);
      if (before.controlSocket !== next.controlSocket) await this.#control.listen(next.controlSocket);
      this.#config = next;
    } catch (error) {
      return this.#refuseReload(error, at);
    }
    this.#lookout.follow(this.#config);
    const diff = diffConfig(before, this.#config);
    if (diff.daemon.has('log')) this.#log.setLevel(this.#config.logLevel);
    await this.#plan.follow(this.#config.plan);
    try {
      this.#rotators.apply(this.#config);
      await this.#supervisor.apply(this.#config, diff);
    } catch (error) {
      // A bug of ours: it must end neither the daemon nor the reloads after this one, and not pass for "nothing changed".
      const reason = `applied in part: ${error instanceof Error ? error.message : String(error)}`;
      this.#lastReload = { ok: false, at: at.toISOString(), error: reason };
      this.#log.error({ event: 'config.reload_failed', err: error }, `reload ${reason}`);
      return { ok: false, error: reason, problems: [], config: before.path };
    }
    this.#loadedAt = at;
    this.#lastReload = { ok: true, at: at.toISOString(), error: null };
    const changes = summarizeDiff(diff);
    this.#log.info({ event: 'config.reloaded', changes }, `reloaded: ${changes}`);
    this.#note({ event: 'config.reloaded', changes, config_sha256: this.#config.sha256 });
    return { ok: true, changes };
  }

  /** A typing error is the operator's, not ours: the log names the places, and where all of them are listed. */
  #refuseReload(error: unknown, at: Date): ReloadOutcome {
    const reason = error instanceof Error ? error.message : String(error);
    this.#lastReload = { ok: false, at: at.toISOString(), error: reason };
    this.#note({ event: 'config.reload_refused', reason });
    const what = 'reload refused, nothing was changed';
    if (!(error instanceof ConfigError)) {
      this.#log.error({ event: 'config.reload_failed', err: error }, `${what}: ${reason}`);
      return { ok: false, error: reason, problems: [], config: this.#config.path };
    }
    const problems = error.problems.map(formatProblem);
    const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
    this.#log.error(
      { event: 'config.reload_failed', problems, hint: `Run \`fleet-mesh check --config ${this.#config.path}\`.` },
      `${what}: ${problems[0]}${more}`,
    );
    return { ok: false, error: reason, problems, config: this.#config.path };
  }

  /**
   * Make before break; when the new address cannot be bound, the reload is refused and the old one serves on. On the same
   * port the two may overlap (127.0.0.1 and 0.0.0.0): there the old one has to go first, and comes back on failure.
   */
  async #moveEndpoint(next: Config): Promise<void> {
    const old = this.#endpoint;
    const overlaps = next.endpoint.listen.port === this.#config.endpoint.listen.port;
    if (overlaps) await old.stop();
    const endpoint = this.#createEndpoint(next);
    try {
      await endpoint.start();
      this.#endpoint = endpoint;
    } catch (error) {
      if (overlaps) {
        this.#endpoint = this.#createEndpoint(this.#config);
        await this.#endpoint.start();
      }
      throw error;
    }
    if (!overlaps) await old.stop();
  }

  /** What a request may call this node besides loopback. */
  #ownNames(): string[] {
    const { node, hosts } = this.#config;
    return [node, hosts.get(node)?.address].filter((name) => name !== undefined);
  }

  #createEndpoint(config: Config): Endpoint {
    return createEndpoint(
      { listen: config.endpoint.listen, allowedHosts: () => this.#ownNames() },
      {
        snapshot: () => this.snapshot(),
        plan: () => {
          const { plan } = this.#plan.watched ?? {};
          return plan && viewPlan(plan, this.#config.tunnels.values(), new Date());
        },
        alive: () => performance.now() - this.#heartbeatAt < ALIVE_MS,
        events: this.#recorder.recent,
        opened: () => this.#recorder.opened(),
        recorded: () => this.#recorder.settled(),
        readiness: () => ({ applied: this.#applied, unbound: this.#supervisor.unbound }),
        metrics: this.#metrics,
        log: this.#log.child({ component: 'endpoint' }),
        adopt: (address, taker) => this.#systemd.sockets.claim({ user: { kind: 'endpoint' }, address }, taker),
      },
    );
  }
}
