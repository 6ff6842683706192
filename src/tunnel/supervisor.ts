import { isDeepStrictEqual } from 'node:util';
import type { Config, TunnelConfig } from '../config/config.ts';
import type { ConfigDiff } from '../config/diff.ts';
import type { LinkStatus, TunnelStatus } from '../health/status.ts';
import { Link, type LinkDependencies, type LinkOptions } from '../link/link.ts';
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

interface Entry {
  readonly link: Link;
  readonly host: string;
  readonly actor: string;
  /** What the link was last told. */
  settings: LinkOptions;
}

/**
 * Owns every link and tunnel, and makes them what the configuration says. Links exist for their tunnels: one comes with
 * the first tunnel over its (host, actor) and goes when no tunnel and no connection is left on it.
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
   * Whether every listener of the configuration is bound; the reasons name those that are not. One on the far side is the
   * peer's: a dead peer is no reason to restart this daemon.
   */
  get readiness(): { ready: boolean; reasons: string[] } {
    const reasons = [...this.#tunnels.values()].flatMap(({ config, condition }) =>
      condition.kind === 'unbound' && config.direction !== 'remote'
        ? [`${config.name}: ${condition.error?.message ?? 'the listen address is not bound yet'}`]
        : [],
    );
    return { ready: reasons.length === 0, reasons };
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
    await Promise.all(diff.removed.map((name) => this.#remove(name)));
    for (const name of diff.changed.keys()) {
      const tunnel = config.tunnels.get(name);
      if (tunnel) await this.#tunnels.get(name)?.reconfigure(tunnel, this.#linkOf(config, tunnel));
    }
    const added = diff.added.map((name) => config.tunnels.get(name)).filter((tunnel) => tunnel !== undefined);
    await Promise.all(added.map((tunnel) => this.#add(config, tunnel)));
    // Whoever reloads has changed something, perhaps outside the file: nobody waits for a backoff then.
    for (const { link } of this.#links.values()) link.kick();
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
    await Promise.all([...this.#links.values()].map(({ link }) => link.stop()));
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

  async #add(config: Config, tunnelConfig: TunnelConfig): Promise<void> {
    const { metrics, log, random } = this.#deps;
    const tunnel = new Tunnel(tunnelConfig, this.#linkOf(config, tunnelConfig), {
      metrics,
      log: log.child({ tunnel: tunnelConfig.name }),
      random,
    });
    this.#tunnels.set(tunnelConfig.name, tunnel);
    await tunnel.start();
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
      const entry = this.#links.get(linkKey(host, actor));
      const settings = settingsOf(config, host, actor);
      if (!entry || !settings) continue;
      entry.settings = settings;
      entry.link.reconfigure(settings, needsNewSessions);
    }
  }

  #linkOf(config: Config, { host, actor }: TunnelConfig): Link {
    const key = linkKey(host, actor);
    const settings = settingsOf(config, host, actor);
    if (!settings) throw new Error(`no host ${host} or no actor ${actor}: the configuration was not checked`);
    const existing = this.#links.get(key);
    if (existing) {
      // While only departing tunnels were on it, no diff has told it of changes.
      const stale = !this.#isWanted(key) && !isDeepStrictEqual(existing.settings, settings);
      if (stale) existing.link.reconfigure(settings, true);
      existing.settings = settings;
      return existing.link;
    }
    const link = new Link(settings, this.#linkDependencies(host, actor));
    this.#links.set(key, { link, host, actor, settings });
    link.start();
    return link;
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
      },
    };
  }

  async #releaseLinks(): Promise<void> {
    if (this.#stopping) return;
    const departing = new Set([...this.#departing].map(keyOf));
    const unused = [...this.#links].filter(
      ([key, { link }]) => !this.#isWanted(key) && !departing.has(key) && link.channels === 0,
    );
    // All at once: by the time that one has stopped, a reload may want another one.
    for (const [key] of unused) this.#links.delete(key);
    await Promise.all(unused.map(([, { link }]) => link.stop()));
    for (const [key, { host, actor }] of unused) {
      if (!this.#links.has(key)) this.#deps.metrics.forgetLink(host, actor);
    }
  }

  #isWanted(key: string): boolean {
    return [...this.#tunnels.values()].some((tunnel) => keyOf(tunnel) === key);
  }
}

/** Names have no slash (see `config/schema`), so this is unambiguous. */
function linkKey(host: string, actor: string): string {
  return `${actor}/${host}`;
}

function keyOf({ config }: Tunnel): string {
  return linkKey(config.host, config.actor);
}

function settingsOf(config: Config, host: string, actor: string): LinkOptions | undefined {
  const hostConfig = config.hosts.get(host);
  const actorConfig = config.actors.get(actor);
  return hostConfig && actorConfig && { host: hostConfig, actor: actorConfig };
}
