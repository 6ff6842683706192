import { isDeepStrictEqual } from 'node:util';
import { settledWithin } from '../../base/async/settled-within.ts';
import type { TunnelError } from '../../base/errors.ts';
import type { TunnelConfig } from '../../config/config.ts';
import type { Pulse } from '../../telemetry/pulse.ts';
import type { OwnTunnelStatus, UsageCounts } from '../../telemetry/status/status.ts';
import type { ChannelSource } from '../channel/channel-source.ts';
import type { ForwardCondition, ForwardDependencies } from '../forward/forward.ts';
import type { Entrance } from '../forward/junction.ts';
import { Usage } from '../forward/usage.ts';
import { type ConfiguredForward, createListenForward, createRemoteForward } from './create-forward.ts';
import type { CurrentLink } from './current-link.ts';
import { describeTunnel } from './describe.ts';
import { TunnelNews, type TunnelNewsDependencies } from './news.ts';
import { Probing } from './probing.ts';
import { Standing } from './standing.ts';
import { type TunnelFacts, tunnelState } from './state.ts';
import { Suspension } from './suspension.ts';
import { isVerdict } from './target.ts';

export interface TunnelDependencies extends TunnelNewsDependencies {
  readonly entrance: Entrance;
  /** Uniform in [0, 1). */
  random(): number;
}

/** One named forward over a link: its listener, its probe, what clients did with it, and the state that follows. */
export class Tunnel {
  readonly #deps: TunnelDependencies;
  readonly #usage: Usage;
  readonly #standing: Standing;
  readonly #news: TunnelNews;
  readonly #forward: ConfiguredForward;
  /** The link of the tunnel. The tunnel's owner moves this when the tunnel goes over another link. */
  readonly link: CurrentLink;
  readonly #probing: Probing;
  #config: TunnelConfig;
  #removed = false;
  /** Out of service, for a while or for good; aborts when it is taken back into it. */
  #suspension: Suspension | undefined;
  #stopping = false;
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

  /** By an operator's will; once `settled`, nothing of it is open any more and it needs no link. */
  get outOfService(): { readonly settled: boolean } | undefined {
    return this.#suspension;
  }

  /** Whether the host forbids, over the sessions that are there, something that this tunnel needs. */
  get forbidden(): boolean {
    const { code } = tunnelState(this.#facts()).error ?? {};
    return this.link.state === 'up' && (code === 'forward_denied' || code === 'remote_listen_denied');
  }

  /** Makes the listener, once; when that fails, goes on trying in the background until it works. */
  async start(): Promise<void> {
    this.#setProbe();
    this.linkChanged();
    await this.#forward.forward.start();
  }

  /** Out of service until {@link resume}: nothing listens, nothing is probed. Connections that are open live on. */
  suspend(): Promise<void> {
    return this.#suspend(this.#suspension ?? new Suspension('stopped', false));
  }

  /** As {@link suspend}, for good; with `keepsPort` it listens on, for the successor. */
  async retire(keepsPort: boolean): Promise<void> {
    const wasStopped = this.#suspension !== undefined;
    await this.#suspend(new Suspension('retired', keepsPort));
    // Out of service it did not listen; from now on its port is the successor's.
    if (keepsPort && wasStopped) await this.#forward.forward.start();
  }

  /** In the place of {@link start}, for one that was retired before. */
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

  /** After {@link suspend}: what is open gets `graceMs` to finish and is reset then, unless it is resumed before. */
  async settle(graceMs: number): Promise<void> {
    await this.#suspension?.settle(this.#forward.forward, graceMs, () => this.#stopping);
  }

  /** Back into service. */
  async resume(): Promise<void> {
    const keptPort = this.#suspension?.keepsPort === true;
    this.#suspension?.over();
    this.#suspension = undefined;
    this.#targetError = undefined;
    this.#setProbe();
    this.linkChanged();
    if (!keptPort) await this.#forward.forward.start();
  }

  /** New settings, a semantic diff: connections that are open or waiting are not touched by any of them. */
  async reconfigure(config: TunnelConfig): Promise<void> {
    const before = this.#config;
    this.#config = config;
    const target = !isDeepStrictEqual([before.target, before.allow], [config.target, config.allow]);
    const elsewhere = before.host !== config.host || before.actor !== config.actor;
    if (target || elsewhere) this.#targetError = undefined;
    if (target) this.#news.forgetReasons();
    // What is known of the target was learned from another host.
    if (elsewhere) this.#probing.forget();
    if (target || elsewhere || JSON.stringify(before.probe) !== JSON.stringify(config.probe)) this.#setProbe();
    this.linkChanged();
    await this.#forward.reconfigure(config, this.#suspension?.keepsPort ?? true);
  }

  /** Frees the listen address, for another tunnel that takes it over in the same reload or for good. */
  stopAccepting(): Promise<void> {
    return this.#forward.forward.stopAccepting();
  }

  /** The link's readiness, state or error has changed. */
  linkChanged(): void {
    this.#forward.forward.linkChanged?.();
    this.#readinessChanged();
  }

  /** Somebody has changed something: what failed is tried again without waiting for its time. */
  retry(): void {
    this.#forward.forward.retry?.();
  }

  #readinessChanged(): void {
    this.#probing.readinessChanged();
    this.#evaluate();
  }

  /** Out of the configuration: no new connections, the open ones live on. Settles when the last one has ended. */
  async drain(): Promise<void> {
    this.#removed = true;
    this.#setProbe();
    await this.stopAccepting();
    this.#evaluate();
    await this.#forward.forward.whenIdle();
  }

  /** Ends everything. What is open or waiting gets `graceMs` to finish by itself and is reset then. */
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

  /** Why the data path seems to have hung; undefined while it makes progress. `now` as of performance.now(). */
  stuck(now: number): string | undefined {
    return this.#probing.stuck(now);
  }

  /** What a heartbeat of the evidence tells of it. */
  pulse(): Pulse {
    const { open, held, opened_total, last_activity_at } = this.#usage.status();
    const { state, serving } = this.#standing;
    return {
      state,
      serving,
      open: open + held,
      openedTotal: opened_total,
      lastActivityAt: last_activity_at ?? undefined,
    };
  }

  /** What clients did with it. */
  get usage(): UsageCounts {
    return this.#usage.status();
  }

  status(): OwnTunnelStatus {
    return describeTunnel(this.#config, {
      state: tunnelState(this.#facts()),
      since: this.#standing.since,
      condition: this.condition,
      detour: this.#deps.entrance.junction.detour !== undefined,
      lastError: this.#lastError ?? this.link.lastError,
      probe: this.#probing.status(),
      usage: this.#usage.status(),
    });
  }

  /** What a probe goes through: the way of the clients. */
  get probeSource(): ChannelSource {
    return this.#forward.forward.probeSource ?? this.link;
  }

  #createForward(config: TunnelConfig): ConfiguredForward {
    const { entrance, random } = this.#deps;
    const shared: ForwardDependencies = {
      source: this.link,
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
    this.#lastError = error;
    if (isVerdict(this.#config.direction, error)) this.#judgeTarget(error);
  }

  #judgeTarget(error: TunnelError | undefined): void {
    this.#targetError = error;
    this.#evaluate();
  }

  #evaluate(): void {
    const { condition } = this;
    const binding = condition.kind === 'unbound' && !condition.error && this.link.state === 'up';
    // A listener on the move is no news: it is bound in a moment, or there is an error to tell.
    if (binding && !this.#removed && !this.#stopping && !this.#suspension && this.#standing.state !== 'down') return;
    this.#standing.become(tunnelState(this.#facts()), this.link);
  }

  #facts(): TunnelFacts {
    return {
      removed: this.#removed,
      suspended: this.#suspension !== undefined,
      retired: this.#suspension?.as === 'retired' ? this.#suspension : undefined,
      stopping: this.#stopping,
      host: this.#config.host,
      forward: this.condition,
      link: { state: this.link.state, lastError: this.link.lastError, standIn: this.link.standIn },
      probe: this.#probing.verdict,
      targetError: this.#targetError,
      open: this.#usage.open,
    };
  }
}
