import type { Repeating } from '../base/async/repeat.ts';
import { settledWithin } from '../base/async/settled-within.ts';
import { NamedTurns, Turns } from '../base/async/turns.ts';
import type { Config } from '../config/config.ts';
import { listenFor } from '../machine/systemd/inherited-sockets.ts';
import { connectSystemd, type Systemd } from '../machine/systemd/systemd.ts';
import { Unit } from '../machine/systemd/unit.ts';
import type { ReloadOutcome } from '../operator/control/answer.ts';
import { ControlPoint } from '../operator/control/point.ts';
import { Fleet } from '../operator/fleet/fleet.ts';
import { EndpointPlace } from '../operator/http/place.ts';
import { PresenceRecord } from '../operator/presence/leave.ts';
import { Cutovers } from '../retirement/cutover/cutovers.ts';
import { CutoverStore } from '../retirement/cutover/store.ts';
import { dueFacts } from '../retirement/drain/gather.ts';
import { Retirement } from '../retirement/drain/retirement.ts';
import { watchedHistory } from '../retirement/drain/watched.ts';
import { StateDirectoryOwner } from '../retirement/evidence/owner.ts';
import { Recorder } from '../retirement/evidence/recorder.ts';
import { Lookout } from '../retirement/lookout/lookout.ts';
import { PlanWatch } from '../retirement/plan/watch.ts';
import type { TakeNote } from '../telemetry/happening.ts';
import type { RootLogger } from '../telemetry/log/log.ts';
import { createMetrics, type Metrics } from '../telemetry/metrics/metrics.ts';
import type { Status } from '../telemetry/status/status.ts';
import { Clients } from '../tunnels/clients/clients.ts';
import { Rotators } from '../tunnels/credential/rotators.ts';
import { DirectSource } from '../tunnels/forward/direct-source.ts';
import { KnownHostsReport } from '../tunnels/link/known-hosts-report.ts';
import { prepare } from '../tunnels/link/prepare.ts';
import { whyNoHybrid } from '../tunnels/ssh/key-exchange/hybrid-exchange.ts';
import { Supervisor } from '../tunnels/tunnel/supervisor.ts';
import { commandActions } from './commands.ts';
import { ConfigInForce } from './config-in-force.ts';
import { refuseCutOffStart } from './cut-off.ts';
import { openDoors } from './doors.ts';
import { Heartbeat } from './heartbeat.ts';
import { Onlookers } from './onlookers.ts';
import { type ReloadParts, reload } from './reload.ts';
import { currentAdvisories, lineForSystemd, type SnapshotSources, takeSnapshot } from './snapshot.ts';
import { keepStateFiles } from './state-files.ts';

export interface DaemonOptions {
  readonly config: Config;
  readonly version: string;
  /** Intervals of the periodic evidence, in milliseconds; only tests change the defaults. */
  readonly evidenceMs?: { readonly heartbeat: number; readonly look: number };
}

/** The stop waits no longer for the release of the state directory, in milliseconds. */
const RELEASE_MS = 1_000;

/** The composition root: the only place that knows all components. Starts in order, stops in reverse order. */
export class Daemon {
  readonly #log: RootLogger;
  readonly #metrics: Metrics;
  readonly #recorder: Recorder;
  readonly #note: TakeNote = (happening, at) => this.#recorder.note(happening, at);
  readonly #rotators: Rotators;
  readonly #cutovers: Cutovers;
  readonly #clients: Clients;
  readonly #supervisor: Supervisor;
  readonly #lookout: Lookout;
  readonly #plan: PlanWatch;
  readonly #retirement: Retirement;
  readonly #onlookers: Onlookers;
  readonly #systemd: Systemd;
  readonly #unit: Unit;
  readonly #stopped = new AbortController();
  readonly #fleet = new Fleet({
    ways: () => this.#supervisor.ways,
    snapshot: () => this.snapshot(),
    stopped: this.#stopped.signal,
  });
  readonly #inForce: ConfigInForce;
  readonly #sources: SnapshotSources;
  readonly #reloaded: ReloadParts;
  readonly #endpoint: EndpointPlace;
  readonly #heartbeat = new Heartbeat();
  #fileWatch: Repeating | undefined;
  #applied = false;
  readonly #owner: StateDirectoryOwner;
  readonly #control: ControlPoint;
  readonly #presence: PresenceRecord;
  /** Changes of the running parts happen one after the other. */
  readonly #changes = new Turns();
  /** What changes one tunnel takes turns with all else that does: also what does not wait for other changes. */
  readonly #tunnelTurns = new NamedTurns();
  readonly #actorTurns = new NamedTurns();

  constructor(options: DaemonOptions, log: RootLogger, systemd: Systemd = connectSystemd({}, process.pid, log)) {
    this.#inForce = new ConfigInForce(options.config);
    this.#log = log;
    this.#systemd = systemd;
    this.#metrics = createMetrics();
    this.#plan = new PlanWatch(log, this.#note);
    this.#onlookers = new Onlookers(log, process.env);
    const knownHosts = new KnownHostsReport(log);
    const { stateDir, node } = options.config;
    const { heartbeat, look } = options.evidenceMs ?? {};
    this.#owner = new StateDirectoryOwner(stateDir, { log });
    this.#recorder = new Recorder(
      { directory: stateDir, version: options.version, node, heartbeatMs: heartbeat },
      {
        log,
        claim: () => this.#owner.claim(),
        onRead: (standing) => {
          this.#retirement.compare(standing);
          this.#cutovers.compare(standing);
        },
      },
    );
    this.#rotators = new Rotators(stateDir, {
      env: process.env,
      metrics: this.#metrics,
      log,
      note: this.#note,
      random: Math.random,
      onChange: (actor, version) => this.#supervisor.supersede(actor, version),
      onDoubt: (actor) => this.#supervisor.testLogins(actor),
    });
    this.#cutovers = new Cutovers({
      turns: this.#tunnelTurns,
      store: new CutoverStore(stateDir, this.#owner.disk),
      tunnel: (name) => this.#supervisor.named([name])[0],
      tunnels: () => this.#inForce.config.tunnels.values(),
      retired: (name) => this.#retirement.retired.of(name) !== undefined,
      gates: (step) => dueFacts(this.#plan.watched, step, new Date()),
      note: this.#note,
      log,
    });
    this.#clients = new Clients(this.#metrics, this.#stopped.signal);
    this.#supervisor = new Supervisor({
      prepare: (host, actor, need) =>
        prepare(host, this.#rotators.of(actor), need, (path, problems) => knownHosts.report(path, problems)),
      credential: (actor) => this.#rotators.status(actor),
      metrics: this.#metrics,
      log,
      note: this.#note,
      entranceOf: (tunnel) => {
        const junction = this.#cutovers.junctionOf(tunnel);
        return this.#clients.watching(tunnel, { listen: listenFor(tunnel, systemd.sockets), junction });
      },
      retired: (tunnel) => this.#retirement.retired.of(tunnel),
      random: Math.random,
    });
    this.#retirement = new Retirement(options.config, {
      disk: this.#owner.disk,
      config: () => this.#inForce.config,
      plan: () => this.#plan.watched,
      historyOf: (tunnel) => {
        const [running] = this.#supervisor.named([tunnel]);
        const configured = this.#inForce.config.tunnels.get(tunnel);
        return watchedHistory(configured, running?.config, this.#recorder.historyOf(tunnel));
      },
      unwritten: () => this.#recorder.unwritten,
      usageOf: (tunnel) => this.#supervisor.usageOf(tunnel),
      clientsOf: (tunnel, now) => this.#clients.of(tunnel, now)?.clients ?? [],
      cutoverSince: (tunnel) => this.#cutovers.cutoverSince(tunnel),
      cutOver: (tunnel) =>
        this.#cutovers.isCutOverTo(tunnel, this.#inForce.config.tunnels.get(tunnel)?.drain?.successor?.target),
      source: new DirectSource('probe'),
      note: this.#note,
      log,
      random: Math.random,
    });
    const links = () => this.#supervisor.links();
    this.#lookout = new Lookout({ everyMs: look }, { links, note: this.#note, random: Math.random });
    this.#unit = new Unit(systemd, {
      notifier: systemd.notifier,
      log,
      statusLine: () => lineForSystemd(this.#sources, new Date()),
      lastEvent: () => this.#recorder.head?.seq,
      vitals: () => ({ heartbeatAgeMs: this.#heartbeat.ageMs, stuck: this.#supervisor.stuck }),
    });
    const parts = {
      inForce: this.#inForce,
      supervisor: this.#supervisor,
      retirement: this.#retirement,
      cutovers: this.#cutovers,
      rotators: this.#rotators,
      plan: this.#plan,
      recorder: this.#recorder,
      metrics: this.#metrics,
      systemd,
      note: this.#note,
      log,
    };
    const applied = () => this.#applied;
    const doors = {
      ...parts,
      fleet: this.#fleet,
      lastHour: this.#onlookers.lastHour,
      snapshot: () => this.snapshot(),
      alive: () => this.#heartbeat.alive,
      applied,
    };
    this.#endpoint = new EndpointPlace(options.config, (config) => openDoors(config, doors));
    const actions = commandActions({
      ...parts,
      changes: this.#changes,
      tunnelTurns: this.#tunnelTurns,
      actorTurns: this.#actorTurns,
      applied,
      reload: () => this.reload(),
    });
    this.#control = new ControlPoint(actions, log.child({ component: 'control' }));
    this.#presence = new PresenceRecord({ env: process.env, takesCommands: () => this.#control.isOpen, log });
    this.#sources = {
      ...parts,
      control: this.#control,
      version: options.version,
      startedAt: new Date(),
      owner: this.#owner,
      presence: this.#presence,
      clients: this.#clients,
    };
    this.#reloaded = {
      ...parts,
      control: this.#control,
      endpoint: this.#endpoint,
      presence: this.#presence,
      lookout: this.#lookout,
      notifier: this.#onlookers.notifier,
    };
  }

  /**
   * Rejects with a TunnelError if the endpoint cannot be bound, or if another daemon uses the control socket or the state
   * directory. An unreachable host is no reason to fail.
   */
  async start(): Promise<void> {
    // Before anything in the state directory is read or written.
    await this.#owner.claimAtStart();
    try {
      await this.#prepare();
    } catch (error) {
      await this.#owner.release(RELEASE_MS);
      throw error;
    }
    await this.#run();
  }

  /** What may refuse the start. Changes nothing in the state directory. */
  async #prepare(): Promise<void> {
    await this.#plan.follow(this.#inForce.config.plan);
    // Before the endpoint, so that its first answer is complete.
    await this.#control.listen(this.#inForce.config.controlSocket);
    await this.#retirement.start();
    // Before any listener, so that the route of each port is known.
    await this.#cutovers.restore(this.#inForce.config);
    try {
      refuseCutOffStart(this.#retirement.retired.names, this.#inForce.config);
      await this.#endpoint.start();
    } catch (error) {
      this.#control.stop();
      throw error;
    }
  }

  async #run(): Promise<void> {
    // Before any listener, but only when nothing can refuse the start any more: the disk is written.
    await this.#retirement.dropContradicted((tunnel) => this.#cutovers.isCutOver(tunnel));
    // Not awaited, as below: no tunnel waits for the disk.
    void this.#presence.leave(this.#inForce.config);
    // Not awaited: the tunnels start while the evidence is read.
    void this.#recorder.start(this.#inForce.config.sha256);
    this.#lookout.start(this.#inForce.config, this.#stopped.signal);
    this.#plan.start(this.#stopped.signal);
    this.#onlookers.notifier.configure(this.#inForce.config.notify);
    this.#heartbeat.start((now) => this.#beat(now), this.#stopped.signal);
    this.#fileWatch = keepStateFiles(this.#retirement, this.#cutovers, this.#log, this.#stopped.signal);
    await this.#supervisor.start(this.#inForce.config);
    this.#systemd.sockets.settle();
    await this.#retirement.forgetRemoved(this.#inForce.config);
    await this.#cutovers.forgetRemoved(this.#inForce.config);
    this.#applied = true;
    const { node, path: config, tunnels } = this.#inForce.config;
    const started = { event: 'daemon.started', version: this.#sources.version, node, config, tunnels: tunnels.size };
    this.#log.info(started, 'fleet-mesh started');
    const classical = whyNoHybrid();
    if (classical !== undefined) this.#log.warn({ event: 'ssh.classical_exchange' }, classical);
    this.#unit.started();
  }

  async #beat(now: Date): Promise<void> {
    const certificates = this.#supervisor.certificates();
    this.#onlookers.advise(currentAdvisories(this.#sources, this.#supervisor.links(), certificates, now));
    await this.#supervisor.tick(now);
    this.#cutovers.sample(now);
    this.#clients.keepOnly(this.#inForce.config.tunnels);
    const pulses = () => this.#retirement.pulses(this.#supervisor.pulses());
    this.#recorder.tick(this.#supervisor.uses(), pulses, () => this.#lookout.takePulses());
    this.#retirement.tick(now);
    this.#onlookers.look(
      () => this.snapshot(),
      () => ({ now, tunnels: this.#supervisor.tunnels() }),
    );
    for (const actor of this.#supervisor.actorsStandingIn) this.#rotators.noteNeeded(actor, now);
    await this.#rotators.keepOnly(this.#supervisor.actors);
  }

  /** Reads the file again and applies the differences. An unusable file changes nothing. One reload at a time. */
  reload(): Promise<ReloadOutcome> {
    return this.#changes.take(() => this.#unit.reloading(() => this.#reloadOnce()));
  }

  /** When `force` aborts, the stop ends everything at once. */
  async stop(force: AbortSignal): Promise<void> {
    if (this.#stopped.signal.aborted) return;
    this.#log.info({ event: 'daemon.stopping', grace_ms: this.#inForce.config.stopGraceMs }, 'stopping');
    this.#applied = false;
    this.#stopped.abort();
    this.#onlookers.notifier.stop();
    this.#unit.stopping(this.#inForce.config.stopGraceMs);
    force.addEventListener('abort', () => this.#supervisor.cut(), { once: true });
    if (force.aborted) this.#supervisor.cut();
    await Promise.all([
      this.#changes.over,
      this.#heartbeat.ended(),
      settledWithin(Promise.resolve(this.#fileWatch?.done), RELEASE_MS),
      this.#plan.done,
      this.#lookout.done,
    ]);
    await this.#tunnelTurns.over;
    this.#systemd.sockets.leave();
    await this.#cutovers.stop();
    await this.#supervisor.stop(this.#inForce.config.stopGraceMs, force);
    await this.#rotators.stop();
    this.#retirement.stop();
    await this.#recorder.stop();
    // A disk that hangs must not keep the daemon: the kernel releases the lock at the end of this process.
    await this.#owner.release(RELEASE_MS);
    await this.#presence.remove();
    this.#control.stop();
    await this.#endpoint.stop();
    await this.#unit.stopped();
    this.#log.info({ event: 'daemon.stopped' }, 'stopped');
  }

  snapshot(): Status {
    return takeSnapshot(this.#sources, new Date());
  }

  async #reloadOnce(): Promise<ReloadOutcome> {
    if (this.#stopped.signal.aborted) return { ok: false, error: 'the daemon is stopping', problems: [], config: '' };
    return reload(this.#inForce, this.#reloaded);
  }
}
