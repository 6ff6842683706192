import { isDeepStrictEqual } from 'node:util';

import type { Config, TunnelConfig } from '../config/config.ts';
import type { ConfigDiff } from '../config/diff.ts';
import { jumpOf, type LinkName, linkKey, settingsOf } from '../config/way.ts';
import type { LinkStatus, TunnelStatus } from '../health/status.ts';
import { Link } from '../link/link.ts';
import type { LinkDependencies, LinkOptions } from '../link/options.ts';
import { Pacer } from '../link/pacer.ts';
import type { Prepare } from '../link/session.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { Tunnel } from './tunnel.ts';

export interface SupervisorDependencies {
  readonly prepare: Prepare;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** Uniform in [0, 1). */
  random(): number;
}

/** Between the starts of two connection attempts to one host, in milliseconds. */
const ATTEMPT_SPACING_MS = 250;

type LinkSettings = LinkOptions & { readonly jump: Link | undefined };

interface Entry extends LinkName {
  readonly link: Link;
  /** What the link was last told. */
  settings: LinkSettings;
}

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

  /**
   * The listeners that are not bound, and why. One on the far side is the peer's: a dead peer is no reason to restart
   * this daemon.
   */
  get unbound(): string[] {
    return [...this.#tunnels.values()].flatMap(({ config, condition, suspended }) =>
      condition.kind === 'unbound' && config.direction !== 'remote' && !suspended
        ? [`${config.name}: ${condition.error?.message ?? 'the listen address is not bound yet'}`]
        : [],
    );
  }

  async start(config: Config): Promise<void> {
    await Promise.all([...config.tunnels.values()].map((tunnel) => this.#add(config, tunnel)));
  }

  /** A reload: what the diff does not name is not touched. */
  async apply(config: Config, diff: ConfigDiff): Promise<void> {
    this.#reconfigureLinks(config, diff);
    // Addresses are freed before any is bound, so that tunnels may swap theirs.
    const moving = [...diff.changed].filter(([, aspects]) => aspects.has('listen')).map(([name]) => name);
    await Promise.all(moving.map((name) => this.#tunnels.get(name)?.stopAccepting()));
    // One that turns its direction is another tunnel of the same name, and that name was taken out of service.
    const suspended = diff.removed.filter((name) => this.#tunnels.get(name)?.suspended);
    await Promise.all(diff.removed.map((name) => this.#remove(name)));
    for (const name of diff.changed.keys()) {
      const tunnel = config.tunnels.get(name);
      const present = this.#tunnels.get(name);
      if (tunnel && present)
        await present.reconfigure(tunnel, present.outOfUse ? undefined : this.#linkOf(config, tunnel));
    }
    const added = diff.added.map((name) => config.tunnels.get(name)).filter((tunnel) => tunnel !== undefined);
    await Promise.all(added.map((tunnel) => this.#add(config, tunnel, suspended.includes(tunnel.name))));
    // Whoever reloads has changed something, perhaps outside the file: nobody waits for a backoff then.
    for (const { link } of this.#links.values()) link.kick();
  }

  /** The tunnels of those names; undefined stands for a name that is none. */
  named(names: readonly string[]): (Tunnel | undefined)[] {
    return names.map((name) => this.#tunnels.get(name));
  }

  /** Back into service, over links that are made anew where they were let go. */
  async resume(config: Config, tunnels: readonly Tunnel[]): Promise<void> {
    const suspended = tunnels.filter((tunnel) => tunnel.suspended);
    await Promise.all(suspended.map((tunnel) => tunnel.resume(this.#linkOf(config, tunnel.config))));
  }

  /** Once a second: dates the clients' activity, and lets go of links that nobody uses any more. */
  async tick(now: Date): Promise<void> {
    for (const tunnel of this.#everyTunnel()) tunnel.sample(now);
    await this.#releaseLinks();
  }

  /** Listeners close, connections get `graceMs` to finish (none once `force` aborts), sessions say goodbye. */
  async stop(graceMs: number, force: AbortSignal): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#everyTunnel().map((tunnel) => tunnel.stop(graceMs, force)));
    // Those that others run over come after them: every session is to say goodbye.
    for (let left = [...this.#links.values()]; left.length > 0; ) {
      const outermost = left.filter(({ link }) => !left.some(({ settings }) => settings.jump === link));
      await Promise.all(outermost.map(({ link }) => link.stop()));
      left = left.filter((entry) => !outermost.includes(entry));
    }
  }

  links(): LinkStatus[] {
    return [...this.#links.values()].map(({ link }) => link.status());
  }

  tunnels(): TunnelStatus[] {
    return this.#everyTunnel().map((tunnel) => tunnel.status());
  }

  #everyTunnel(): Tunnel[] {
    return [...this.#tunnels.values(), ...this.#departing];
  }

  async #add(config: Config, tunnelConfig: TunnelConfig, suspended = false): Promise<void> {
    const { metrics, log, random } = this.#deps;
    const tunnel = new Tunnel(tunnelConfig, this.#linkOf(config, tunnelConfig), {
      metrics,
      log: log.child({ tunnel: tunnelConfig.name }),
      random,
    });
    this.#tunnels.set(tunnelConfig.name, tunnel);
    if (!suspended) return tunnel.start();
    await tunnel.suspend();
    await tunnel.settle(0);
  }

  /** Frees the address at once; the tunnel itself goes when its last connection ends. */
  async #remove(name: string): Promise<void> {
    const tunnel = this.#tunnels.get(name);
    if (!tunnel) return;
    this.#tunnels.delete(name);
    this.#departing.add(tunnel);
    await tunnel.stopAccepting();
    void tunnel.drain().then(() => {
      this.#departing.delete(tunnel);
      if (!this.#tunnels.has(name)) this.#deps.metrics.forgetTunnel(name);
      this.#deps.log.info(
        { event: 'tunnel.removed', tunnel: name },
        'the last connection of a removed tunnel has ended',
      );
    });
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
      const stale = !this.#wanted().has(existing.link) && !isDeepStrictEqual(existing.settings, settings);
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
    const { prepare, metrics, log, random } = this.#deps;
    const pacer = this.#pacers.get(host) ?? new Pacer(ATTEMPT_SPACING_MS);
    this.#pacers.set(host, pacer);
    return {
      prepare,
      pacer,
      metrics,
      log: log.child({ link: `${actor}@${host}` }),
      random,
      onChange: () => {
        for (const tunnel of this.#tunnels.values()) {
          if (tunnel.config.host === host && tunnel.config.actor === actor) tunnel.linkChanged();
        }
        const changed = this.#links.get(linkKey({ host, actor }))?.link;
        for (const { link, settings } of this.#links.values())
          if (changed && settings.jump === changed) link.jumpChanged();
      },
    };
  }

  async #releaseLinks(): Promise<void> {
    if (this.#stopping) return;
    const wanted = this.#wanted();
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

  /** The links that tunnels of the configuration go over, and those that these run over. */
  #wanted(): ReadonlySet<Link> {
    const wanted = new Set<Link>();
    for (const { config, outOfUse } of this.#tunnels.values()) {
      if (outOfUse) continue;
      for (let entry = this.#links.get(linkKey(config)); entry; entry = this.#entryOf(entry.settings.jump))
        wanted.add(entry.link);
    }
    return wanted;
  }

  #entryOf(link: Link | undefined): Entry | undefined {
    return [...this.#links.values()].find((entry) => entry.link === link);
  }
}
