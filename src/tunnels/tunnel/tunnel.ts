import { isDeepStrictEqual } from 'node:util';
import { settledWithin } from '../../base/async/settled-within.ts';
import type { TunnelError } from '../../base/errors.ts';
import type { TunnelConfig } from '../../config/config.ts';
import type { Pulse } from '../../telemetry/pulse.ts';
import type { OwnTunnelStatus, ProbeCertificateStatus, UsageCounts } from '../../telemetry/status/status.ts';
import type { ChannelSource } from '../channel/channel-source.ts';
import type { ForwardCondition, ForwardDependencies } from '../forward/forward.ts';
import type { Entrance } from '../forward/junction.ts';
import { Usage } from '../forward/usage.ts';
import { describeCertificate } from '../probe/certificate.ts';
import type { ProbePace } from '../probe/pace.ts';
import { type ConfiguredForward, createListenForward, createRemoteForward } from './create-forward.ts';
import type { CurrentLink } from './current-link.ts';
import { DatedErrors } from './dated-errors.ts';
import { describeTunnel } from './describe.ts';
import { TunnelNews, type TunnelNewsDependencies } from './news.ts';
import { Probing } from './probing.ts';
import { isSameTunnel } from './sameness.ts';
import { Standing } from './standing.ts';
import { type TunnelFacts, tunnelState } from './state.ts';
import { Suspension } from './suspension.ts';
import { isVerdict } from './target.ts';

export interface TunnelDependencies extends TunnelNewsDependencies {
  readonly entrance: Entrance;
  /** Shared by the probes of all tunnels. */
  readonly pace?: ProbePace | undefined;
  /** Uniform in [0, 1). */
  random(): number;
}

/** One named forward over a link: its listener, its probe, its usage, and its state. */
export class Tunnel {
  readonly #deps: TunnelDependencies;
  readonly #usage: Usage;
  readonly #standing: Standing;
  readonly #news: TunnelNews;
  readonly #forward: ConfiguredForward;
  /** The link of the tunnel. The owner changes this when the tunnel moves to another link. */
  readonly link: CurrentLink;
  readonly #probing: Probing;
  #config: TunnelConfig;
  #removed = false;
  /** Set while the tunnel is out of service, for a while or for good. */
  #suspension: Suspension | undefined;
  #stopping = false;
  #starting = false;
  readonly #dated = new DatedErrors();
  #targetError: TunnelError | undefined;
  #lastError: TunnelError | undefined;

  constructor(config: TunnelConfig, link: CurrentLink, deps: TunnelDependencies) {
    this.#config = config;
    this.link = link;
    this.#deps = deps;
    this.#news = new TunnelNews(config.name, deps);
    this.#standing = new Standing(config.name, deps);
    this.#usage = new Usage({ onUsed: (at) => this.#news.used(at), onHeld: (seconds) => this.#news.held(seconds) });
    this.#forward = this.#createForward(config);
    this.#probing = new Probing(config.name, {
      source: this.probeSource,
      pace: deps.pace,
      observeSeconds: (seconds) => this.#news.probed(seconds),
      onProbed: (error) => this.#onProbed(error),
      random: deps.random,
    });
  }

  get config(): TunnelConfig {
    return this.#config;
  }

  get condition(): ForwardCondition {
    return this.#forward.forward.condition;
  }

  /** Set by an operator. Once `settled`, no connection is open and the tunnel needs no link. */
  get outOfService(): { readonly settled: boolean } | undefined {
    return this.#suspension;
  }

  /** Since when an operator keeps the tunnel out of service, until the tunnel is started again or retired. */
  get stoppedSince(): Date | undefined {
    return this.#suspension?.as === 'stopped' ? this.#standing.since : undefined;
  }

  get isRetired(): boolean {
    return this.#suspension?.as === 'retired';
  }

  /** Whether the host forbids a forward that this tunnel needs, over the present sessions. */
  get forbidden(): boolean {
    const { code } = tunnelState(this.#facts()).error ?? {};
    return this.link.state === 'up' && (code === 'forward_denied' || code === 'remote_listen_denied');
  }

  /** Binds the listener. After a failure, tries again in the background until it works. */
  async start(): Promise<void> {
    this.#setProbe();
    // The first state is told once the listener has been tried: no moment of before counts as an outage.
    this.#starting = true;
    this.linkChanged();
    try {
      await this.#forward.forward.start();
    } finally {
      this.#starting = false;
    }
    this.#evaluate();
  }

  /** Takes the tunnel out of service until {@link resume}: no listener, no probe. Open connections continue. */
  suspend(): Promise<void> {
    return this.#suspend(this.#suspension ?? new Suspension('stopped', false));
  }

  /** As {@link suspend}, but for good. With `keepsPort` the listener stays open, for the successor. */
  async retire(keepsPort: boolean): Promise<void> {
    const wasStopped = this.#suspension !== undefined;
    await this.#suspend(new Suspension('retired', keepsPort));
    // A stopped tunnel does not listen. From now on the port belongs to the successor.
    if (keepsPort && wasStopped) await this.#forward.forward.start();
  }

  /** Instead of {@link start}, for a tunnel that was retired before. */
  async startRetired(keepsPort: boolean): Promise<void> {
    await this.retire(keepsPort);
    if (keepsPort) await this.#forward.forward.start();
  }

  async #suspend(suspension: Suspension): Promise<void> {
    this.#suspension = suspension;
    this.#setProbe();
    if (!suspension.keepsPort) await this.stopAccepting();
    this.#evaluate();
  }

  /** After {@link suspend}: gives open connections `graceMs` to finish, then resets them, unless resumed before. */
  async settle(graceMs: number): Promise<void> {
    await this.#suspension?.settle(this.#forward.forward, graceMs, () => this.#stopping);
  }

  /** Brings the tunnel back into service. */
  async resume(): Promise<void> {
    const keptPort = this.#suspension?.keepsPort === true;
    this.#suspension?.over();
    this.#suspension = undefined;
    this.#targetError = undefined;
    this.#setProbe();
    this.linkChanged();
    if (!keptPort) await this.#forward.forward.start();
  }

  /** Applies new settings. Open and waiting connections are not touched. */
  async reconfigure(config: TunnelConfig): Promise<void> {
    const before = this.#config;
    this.#config = config;
    const target = !isDeepStrictEqual([before.target, before.allow], [config.target, config.allow]);
    const elsewhere = before.host !== config.host || before.actor !== config.actor;
    const checked = JSON.stringify(before.probe) !== JSON.stringify(config.probe);
    if (target || elsewhere || checked) this.forgetErrors();
    if (target) this.#news.forgetReasons();
    if (!isSameTunnel(before, config)) this.#news.changed();
    // The verdict on the target came from another host.
    if (elsewhere) this.#probing.forget();
    if (target || elsewhere || checked) this.#setProbe();
    this.linkChanged();
    await this.#forward.reconfigure(config, this.#suspension?.keepsPort ?? true);
  }

  /** Another target, probe, host or login is configured: earlier errors say nothing about that. */
  forgetErrors(): void {
    this.#dated.begin();
    this.#targetError = undefined;
    this.#lastError = undefined;
  }

  /** Closes the listener, and so frees its address. */
  stopAccepting(): Promise<void> {
    return this.#forward.forward.stopAccepting();
  }

  /** The link's readiness, state or error changed. */
  linkChanged(): void {
    this.#forward.forward.linkChanged?.();
    this.#readinessChanged();
  }

  /** An operator changed something: a failed listener is tried again at once. */
  retry(): void {
    this.#forward.forward.retry?.();
  }

  #readinessChanged(): void {
    this.#probing.readinessChanged();
    this.#evaluate();
  }

  /** The tunnel was removed from the configuration: accepts no new connections. Settles when the last one ended. */
  async drain(): Promise<void> {
    this.#removed = true;
    this.#setProbe();
    await this.stopAccepting();
    this.#evaluate();
    await this.#forward.forward.whenIdle();
  }

  /** Ends the tunnel. Open and waiting connections get `graceMs` to finish, then they are reset. */
  async stop(graceMs: number, force: AbortSignal): Promise<void> {
    this.#stopping = true;
    this.#probing.stop();
    this.#evaluate();
    await this.stopAccepting();
    await settledWithin(this.#forward.forward.whenIdle(), graceMs, force);
    this.#forward.forward.resetAll();
    await this.#forward.forward.whenIdle();
  }

  /** Once a second: dates the clients' last activity. */
  sample(now: Date): void {
    this.#usage.sample(now);
  }

  /** The reason why the data path seems to hang; undefined while probes end in time. `now` as of performance.now(). */
  stuck(now: number): string | undefined {
    return this.#probing.stuck(now);
  }

  get lastActivityAt(): Date | undefined {
    return this.#usage.lastActivityAt;
  }

  /** The tunnel's part in a heartbeat of the evidence. */
  pulse(): Pulse {
    const { open, held, opened_total, last_activity_at } = this.#usage.status();
    const { state, serving } = this.#standing;
    return {
      state,
      serving,
      listening: this.#listening,
      open: open + held,
      openedTotal: opened_total,
      lastActivityAt: last_activity_at ?? undefined,
    };
  }

  /** The traffic of clients. */
  get usage(): UsageCounts {
    return this.#usage.status();
  }

  /** The certificate that the probe saw at the target. */
  get certificate(): ProbeCertificateStatus | null {
    return describeCertificate('target', this.#probing.validity);
  }

  status(): OwnTunnelStatus {
    return describeTunnel(this.#config, {
      state: tunnelState(this.#facts()),
      since: this.#standing.since,
      condition: this.condition,
      detour: this.#deps.entrance.junction.detour !== undefined,
      lastError: this.#lastError ?? this.link.lastError,
      probe: this.#probing.status(),
      validity: this.#probing.validity,
      usage: this.#usage.status(),
    });
  }

  /** The channels of a probe: the same route as the clients'. */
  get probeSource(): ChannelSource {
    return this.#forward.forward.probeSource ?? this.link;
  }

  #createForward(config: TunnelConfig): ConfiguredForward {
    const { entrance, random } = this.#deps;
    const shared: ForwardDependencies = {
      source: this.#dated.watch(this.link),
      usage: this.#usage,
      onChange: () => this.#readinessChanged(),
      onOpened: (seconds) => {
        this.#news.opened(seconds);
        if (this.#targetError) this.#judgeTarget(undefined);
      },
      onFailed: (error) => this.#onConnectionFailed(error),
      onAcceptError: (error) => this.#news.notAccepted(error),
    };
    if (config.direction !== 'remote') return createListenForward(config, { ...shared, entrance });
    return createRemoteForward(config, {
      ...shared,
      sessions: () => this.link.farSessions,
      onBound: (gapSeconds) => this.#news.listening(this.#config, gapSeconds),
      random,
    });
  }

  #setProbe(): void {
    const { probe, target } = this.#config;
    const inService = !this.#removed && !this.#suspension;
    this.#probing.set(inService && probe && target ? { config: probe, target } : undefined);
  }

  #onProbed(error: TunnelError | undefined): void {
    this.#lastError = error ?? this.#lastError;
    if (error) this.link.check();
    else this.#targetError = undefined;
    this.#evaluate();
  }

  #onConnectionFailed(error: TunnelError): void {
    this.#news.failed(error);
    if (this.#dated.isOutdated(error)) return;
    this.#lastError = error;
    if (isVerdict(this.#config.direction, error)) this.#judgeTarget(error);
  }

  #judgeTarget(error: TunnelError | undefined): void {
    this.#targetError = error;
    this.#evaluate();
  }

  #evaluate(): void {
    if (this.#starting) return;
    const { condition } = this;
    const binding = condition.kind === 'unbound' && !condition.error && this.link.state === 'up';
    // A moving listener is not reported: it is bound in a moment, or fails with an error.
    if (binding && !this.#removed && !this.#stopping && !this.#suspension && this.#standing.state !== 'down') return;
    this.#standing.become(tunnelState(this.#facts()), this.link, this.#listening);
  }

  get #listening(): boolean {
    return this.condition.kind === 'serving';
  }

  #facts(): TunnelFacts {
    return {
      removed: this.#removed,
      suspended: this.#suspension !== undefined,
      retired: this.#suspension?.as === 'retired' ? this.#suspension : undefined,
      stopping: this.#stopping,
      tunnel: this.#config.name,
      host: this.#config.host,
      forward: this.condition,
      link: { state: this.link.state, lastError: this.link.lastError, fallbackReason: this.link.fallbackReason },
      probe: this.#probing.verdict,
      targetError: this.#targetError,
      open: this.#usage.open,
    };
  }
}
