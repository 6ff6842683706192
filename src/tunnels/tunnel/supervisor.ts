import { isDeepStrictEqual } from 'node:util';
import type { Listen } from '../../base/net/listener.ts';
import type { ActorConfig, Config, TunnelConfig } from '../../config/config.ts';
import type { ConfigDiff } from '../../config/diff.ts';
import { jumpOf, type LinkName, linkKey, settingsOf } from '../../config/way.ts';
import type { TakeNote } from '../../telemetry/happening.ts';
import type { Logger } from '../../telemetry/log/log.ts';
import type { Metrics } from '../../telemetry/metrics/metrics.ts';
import type { Pulse } from '../../telemetry/pulse.ts';
import type { CredentialStatus, LinkStatus, OwnTunnelStatus, UsageCounts } from '../../telemetry/status/status.ts';
import type { Junction } from '../forward/junction.ts';
import { sumOf } from '../forward/usage.ts';
import { Link } from '../link/link.ts';
import type { LinkDependencies } from '../link/options.ts';
import { Pacer } from '../link/pacer.ts';
import type { Prepare } from '../link/session.ts';
import { endLinks } from './end-links.ts';
import { type Entry, entryOf, type LinkSettings, wantedLinks } from './link-table.ts';
import { NO_LINK } from './no-link.ts';
import { type LinkRotation, rotationOf } from './rotation-outcome.ts';
import { targetsOf } from './target.ts';
import { Tunnel } from './tunnel.ts';
import { isHere, unboundListeners } from './unbound.ts';

export interface SupervisorDependencies {
  readonly prepare: Prepare;
  /** As shown in `/status`. */
  credential(actor: ActorConfig): CredentialStatus;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly note: TakeNote;
  /** Whether the tunnel is retired, and then whether its local port is its successor's. */
  retired?(tunnel: string): { readonly keeps_port: boolean } | undefined;
  /** How the listener of that tunnel is made, if it is on this node. */
  listenFor(tunnel: string): Listen;
  /** Where its clients go; undefined: through it, always. */
  junctionOf?(tunnel: string): Junction;
  /** Uniform in [0, 1). */
  random(): number;
}

/** Between the starts of two connection attempts to one host, in milliseconds. */
const ATTEMPT_SPACING_MS = 250;

/**
 * Owns every link and tunnel, and makes them what the configuration says. Links exist for their tunnels: one comes with
 * the first tunnel over its (host, actor), or through it as a jump host, and goes when no tunnel, no other link and no
 * connection is left on it.
 */
export class Supervisor {
  readonly #deps: SupervisorDependencies;
  readonly #pacers = new Map<string, Pacer>();
  readonly #links = new Map<string, Entry>();
  readonly #tunnels = new Map<string, Tunnel>();
  /** Taken out of the configuration, but with connections still open. */
  readonly #departing = new Set<Tunnel>();
  #stopping = false;

  constructor(deps: SupervisorDependencies) {
    this.#deps = deps;
  }

  /** One sentence for each listener of this node that is not bound. */
  get unbound(): string[] {
    return unboundListeners(this.#tunnels.values());
  }

  /** One sentence for each tunnel whose data path seems to have hung. */
  get stuck(): string[] {
    const now = performance.now();
    return this.#everyTunnel().flatMap((tunnel) => tunnel.stuck(now) ?? []);
  }

  async start(config: Config): Promise<void> {
    await Promise.all([...config.tunnels.values()].map((tunnel) => this.#add(config, tunnel)));
  }

  /** A reload: what the diff does not name is not touched. */
  async apply(config: Config, diff: ConfigDiff): Promise<void> {
    this.#renewForbidden();
    this.#reconfigureLinks(config, diff);
    const removed = diff.removed.flatMap((name) => this.#depart(name) ?? []);
    await this.#applyWhere(isHere, config, diff, removed);
    // Whoever reloads has changed something, perhaps outside the file: nobody waits for a backoff then.
    for (const { link } of this.#links.values()) link.kick();
    for (const tunnel of this.#tunnels.values()) tunnel.retry();
    // Last, because it takes as long as the peers take: a host that does not answer holds up nobody else.
    await this.#applyWhere((tunnel) => !isHere(tunnel), config, diff, removed);
  }

  /** The tunnels of those names; undefined stands for a name that is none. */
  named(names: readonly string[]): (Tunnel | undefined)[] {
    return names.map((name) => this.#tunnels.get(name));
  }

  /** Back into service, over links that are made anew where they were let go. */
  async resume(config: Config, tunnels: readonly Tunnel[]): Promise<void> {
    const suspended = tunnels.filter(({ outOfService }) => outOfService);
    await Promise.all(suspended.map((tunnel) => tunnel.resume(this.#linkOf(config, tunnel.config))));
  }

  /** Once a second: dates the clients' activity, and lets go of links that nobody uses any more. */
  async tick(now: Date): Promise<void> {
    for (const tunnel of this.#everyTunnel()) tunnel.sample(now);
    for (const { link } of this.#links.values()) link.tick(now);
    await this.#releaseLinks();
  }

  /** The actors that links go by. */
  get actors(): ReadonlySet<string> {
    return new Set([...this.#links.values()].map(({ actor }) => actor));
  }

  /** Those of them that have a session with a stand-in for the credential that they should have. */
  get actorsStandingIn(): ReadonlySet<string> {
    return new Set([...this.#links.values()].filter(({ link }) => link.standIn).map(({ actor }) => actor));
  }

  /** Another credential of the actor is to be used: its links replace their sessions. */
  supersede(actor: string, version: number): void {
    for (const entry of this.#links.values()) if (entry.actor === actor) entry.link.supersede(version);
  }

  /** What becomes of the actor's links while that goes on. Never rejects; bounded. */
  rotations(actor: string): Promise<LinkRotation[]> {
    const links = [...this.#links.values()].filter((entry) => entry.actor === actor);
    return Promise.all(links.map(({ link }) => rotationOf(link)));
  }

  /** Listeners close, connections get `graceMs` to finish (none once `force` aborts), sessions say goodbye. */
  async stop(graceMs: number, force: AbortSignal): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#everyTunnel().map((tunnel) => tunnel.stop(graceMs, force)));
    await endLinks([...this.#links.values()].map(({ link, settings }) => ({ link, jump: settings.jump })));
  }

  /** No peer is waited for any more, be it by a reload or by {@link stop}. */
  cut(): void {
    for (const { link } of this.#links.values()) link.cut();
  }

  links(): LinkStatus[] {
    return [...this.#links.values()].map(({ link }) => link.status());
  }

  /** Of each tunnel; one of the configuration speaks for its name. */
  pulses(): Record<string, Pulse> {
    const named = [...this.#departing, ...this.#tunnels.values()];
    return Object.fromEntries(named.map((tunnel) => [tunnel.config.name, tunnel.pulse()]));
  }

  /** One row a name: what clients do with departing tunnels of the same name is added to that of the configured one. */
  tunnels(): OwnTunnelStatus[] {
    const rows = new Map<string, OwnTunnelStatus>();
    for (const tunnel of this.#everyTunnel()) {
      const status = tunnel.status();
      const first = rows.get(status.name);
      rows.set(status.name, first ? { ...first, usage: sumOf(first.usage, status.usage) } : status);
    }
    return [...rows.values()];
  }

  /** What clients did with every tunnel of that name; undefined where there is none. */
  usageOf(name: string): UsageCounts | undefined {
    const named = this.#everyTunnel().filter(({ config }) => config.name === name);
    return named
      .map(({ usage }) => usage)
      .reduce<UsageCounts | undefined>((sum, usage) => (sum ? sumOf(sum, usage) : usage), undefined);
  }

  #everyTunnel(): Tunnel[] {
    return [...this.#tunnels.values(), ...this.#departing];
  }

  async #add(config: Config, tunnelConfig: TunnelConfig, suspended = false): Promise<void> {
    const { metrics, log, note, random, listenFor } = this.#deps;
    const retired = this.#deps.retired?.(tunnelConfig.name);
    const tunnel = new Tunnel(tunnelConfig, retired ? NO_LINK : this.#linkOf(config, tunnelConfig), {
      metrics,
      log: log.child({ tunnel: tunnelConfig.name }),
      note,
      listen: listenFor(tunnelConfig.name),
      junction: this.#deps.junctionOf?.(tunnelConfig.name),
      random,
    });
    this.#tunnels.set(tunnelConfig.name, tunnel);
    if (!suspended && !retired) return tunnel.start();
    if (retired) await tunnel.startRetired(retired.keeps_port);
    else await tunnel.suspend();
    await tunnel.settle(0);
  }

  async #applyWhere(
    concerned: (tunnel: TunnelConfig) => boolean,
    config: Config,
    diff: ConfigDiff,
    removed: readonly Tunnel[],
  ): Promise<void> {
    const named = (names: Iterable<string>) =>
      [...names].flatMap((name) => config.tunnels.get(name) ?? []).filter(concerned);
    const changed = named(diff.changed.keys());
    const leaving = removed.filter((tunnel) => concerned(tunnel.config));
    // Addresses are freed before any is bound, so that tunnels may swap theirs.
    const moving = changed.filter(({ name }) => diff.changed.get(name)?.has('listen'));
    await Promise.all([
      ...moving.map(({ name }) => this.#tunnels.get(name)?.stopAccepting()),
      ...leaving.map((tunnel) => tunnel.stopAccepting()),
    ]);
    for (const tunnel of leaving) this.#letGo(tunnel);
    await Promise.all([
      ...changed.map((tunnel) => this.#reconfigure(config, tunnel)),
      // One that turns its direction is another tunnel of the same name, and that name was taken out of service.
      ...named(diff.added).map((tunnel) => {
        const suspended = removed.some((before) => before.config.name === tunnel.name && before.outOfService);
        return this.#add(config, tunnel, suspended);
      }),
    ]);
  }

  async #reconfigure(config: Config, tunnelConfig: TunnelConfig): Promise<void> {
    const tunnel = this.#tunnels.get(tunnelConfig.name);
    await tunnel?.reconfigure(
      tunnelConfig,
      tunnel.outOfService?.settled ? undefined : this.#linkOf(config, tunnelConfig),
    );
  }

  /** Out of the configuration. A tunnel of the same name may take its place from now on. */
  #depart(name: string): Tunnel | undefined {
    const tunnel = this.#tunnels.get(name);
    if (!tunnel) return undefined;
    this.#tunnels.delete(name);
    this.#departing.add(tunnel);
    return tunnel;
  }

  /** The tunnel goes when its last connection ends. */
  #letGo(tunnel: Tunnel): void {
    const { name } = tunnel.config;
    void tunnel.drain().then(() => {
      this.#departing.delete(tunnel);
      if (!this.#tunnels.has(name)) {
        this.#deps.metrics.forgetTunnel(name);
        this.#deps.note({ event: 'tunnel.removed', tunnel: name });
      }
      this.#deps.log.info(
        { event: 'tunnel.removed', tunnel: name },
        'the last connection of a removed tunnel has ended',
      );
    });
  }

  /**
   * sshd holds a session to the configuration that it began with. Where that forbids something, only new sessions can
   * find it mended: they are made first, and the present ones end with their last connection.
   */
  #renewForbidden(): void {
    const entries = [...this.#links.values()];
    const forbidding = new Set([
      ...[...this.#tunnels.values()].filter(({ forbidden }) => forbidden).map(({ config }) => linkKey(config)),
      ...entries.flatMap(({ link, settings }) => {
        const barred = !link.ready && link.lastError?.code === 'forward_denied';
        const jump = barred ? entryOf(this.#links, settings.jump) : undefined;
        return jump ? [linkKey(jump)] : [];
      }),
    ]);
    for (const entry of entries) if (forbidding.has(linkKey(entry))) entry.link.reconfigure(entry.settings, true);
  }

  #reconfigureLinks(config: Config, diff: ConfigDiff): void {
    for (const { host, actor, needsNewSessions } of diff.links) {
      const entry = this.#links.get(linkKey({ host, actor }));
      if (!entry) continue;
      entry.settings = this.#settingsOf(config, { host, actor });
      entry.link.reconfigure(entry.settings, needsNewSessions);
    }
  }

  /** The link of that name, made with those that it runs over if it is not there yet. */
  #linkOf(config: Config, { host, actor }: LinkName): Link {
    const key = linkKey({ host, actor });
    const settings = this.#settingsOf(config, { host, actor });
    const existing = this.#links.get(key);
    if (existing) {
      // While only departing tunnels were on it, no diff has told it of changes.
      const stale =
        !wantedLinks(this.#tunnels.values(), this.#links).has(existing.link) &&
        !isDeepStrictEqual(existing.settings, settings);
      if (stale) existing.link.reconfigure(settings, true);
      existing.settings = settings;
      return existing.link;
    }
    const link = new Link(settings, this.#linkDependencies(host, actor));
    this.#links.set(key, { link, host, actor, settings });
    link.start();
    return link;
  }

  #settingsOf(config: Config, name: LinkName): LinkSettings {
    const settings = settingsOf(config, name);
    if (!settings) throw new Error(`no host ${name.host} or no actor ${name.actor}: the configuration was not checked`);
    const jump = jumpOf(settings.host, name.actor);
    return { ...settings, jump: jump && this.#linkOf(config, jump) };
  }

  #linkDependencies(host: string, actor: string): LinkDependencies {
    const { prepare, credential, metrics, log, note, random } = this.#deps;
    const pacer = this.#pacers.get(host) ?? new Pacer(ATTEMPT_SPACING_MS);
    this.#pacers.set(host, pacer);
    return {
      prepare,
      credential,
      targets: () => {
        const own = [...this.#tunnels.values()].filter(({ config }) => config.host === host && config.actor === actor);
        const link = this.#links.get(linkKey({ host, actor }))?.link;
        const behind = [...this.#links.values()].filter(({ settings }) => link && settings.jump === link);
        return targetsOf(own, behind);
      },
      pacer,
      metrics,
      log: log.child({ link: `${actor}@${host}` }),
      note: (happening) => note({ ...happening, host, actor }),
      random,
      onChange: () => {
        for (const tunnel of this.#tunnels.values())
          if (tunnel.config.host === host && tunnel.config.actor === actor) tunnel.linkChanged();
        const changed = this.#links.get(linkKey({ host, actor }))?.link;
        for (const { link, settings } of this.#links.values())
          if (changed && settings.jump === changed) link.jumpChanged();
      },
    };
  }

  async #releaseLinks(): Promise<void> {
    if (this.#stopping) return;
    const wanted = wantedLinks(this.#tunnels.values(), this.#links);
    const used = new Set([
      ...[...this.#departing].map(({ config }) => this.#links.get(linkKey(config))?.link),
      ...[...this.#links.values()].map(({ settings }) => settings.jump),
    ]);
    const unused = [...this.#links].filter(
      ([, { link }]) => !wanted.has(link) && !used.has(link) && link.channels === 0,
    );
    // All at once: by the time that one has stopped, a reload may want another one.
    for (const [key] of unused) this.#links.delete(key);
    await Promise.all(unused.map(([, { link }]) => link.stop()));
    for (const [key, { host, actor }] of unused) {
      if (!this.#links.has(key)) this.#deps.metrics.forgetLink(host, actor);
    }
  }
}
