import type { Config, TunnelConfig } from '../../config/config.ts';
import type { ConfigDiff } from '../../config/diff.ts';
import type { Metrics } from '../../telemetry/metrics/metrics.ts';
import type { Pulse } from '../../telemetry/pulse.ts';
import type { LinkStatus, OwnTunnelStatus, UsageCounts } from '../../telemetry/status/status.ts';
import type { Entrance } from '../forward/junction.ts';
import { sumOf } from '../forward/usage.ts';
import { CurrentLink } from './current-link.ts';
import { LinkTable, type LinkTableDependencies } from './link-table.ts';
import type { LinkRotation } from './rotation-outcome.ts';
import { Tunnel } from './tunnel.ts';
import { isHere, unboundListeners } from './unbound.ts';

export interface SupervisorDependencies extends LinkTableDependencies {
  readonly metrics: Metrics;
  /** Whether the tunnel is retired, and then whether its local port is its successor's. */
  retired?(tunnel: string): { readonly keeps_port: boolean } | undefined;
  /** For the clients of that tunnel, if they are on this node. */
  entranceOf(tunnel: string): Entrance;
}

/** Owns every tunnel and the table of their links, and makes them what the configuration says. */
export class Supervisor {
  readonly #deps: SupervisorDependencies;
  readonly #links: LinkTable;
  readonly #tunnels = new Map<string, Tunnel>();
  /** Taken out of the configuration, but with connections still open. */
  readonly #departing = new Set<Tunnel>();
  #stopping = false;

  constructor(deps: SupervisorDependencies) {
    this.#deps = deps;
    this.#links = new LinkTable(deps);
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
    this.#links.renewForbidden();
    this.#links.reconfigure(config, diff.links);
    const removed = diff.removed.flatMap((name) => this.#depart(name) ?? []);
    await this.#applyWhere(isHere, config, diff, removed);
    // Whoever reloads has changed something, perhaps outside the file: nobody waits for a backoff then.
    this.#links.kick();
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
    await Promise.all(
      suspended.map((tunnel) => {
        this.#links.join(config, tunnel);
        return tunnel.resume();
      }),
    );
  }

  /** Once a second: dates the clients' activity, and lets go of links that nobody uses any more. */
  async tick(now: Date): Promise<void> {
    for (const tunnel of this.#everyTunnel()) tunnel.sample(now);
    this.#links.tick(now);
    if (!this.#stopping) await this.#links.release();
  }

  /** The actors that links go by. */
  get actors(): ReadonlySet<string> {
    return this.#links.actors;
  }

  /** Those of them that have a session with a stand-in for the credential that they should have. */
  get actorsStandingIn(): ReadonlySet<string> {
    return this.#links.actorsStandingIn;
  }

  /** Another credential of the actor is to be used: its links replace their sessions. */
  supersede(actor: string, version: number): void {
    this.#links.supersede(actor, version);
  }

  /** What becomes of the actor's links while that goes on. Never rejects; bounded. */
  rotations(actor: string): Promise<LinkRotation[]> {
    return this.#links.rotations(actor);
  }

  /** Listeners close, connections get `graceMs` to finish (none once `force` aborts), sessions say goodbye. */
  async stop(graceMs: number, force: AbortSignal): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#everyTunnel().map((tunnel) => tunnel.stop(graceMs, force)));
    await this.#links.stop();
  }

  /** No peer is waited for any more, be it by a reload or by {@link stop}. */
  cut(): void {
    this.#links.cut();
  }

  links(): LinkStatus[] {
    return this.#links.status();
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
    const { metrics, log, note, random, entranceOf } = this.#deps;
    const retired = this.#deps.retired?.(tunnelConfig.name);
    const tunnel = new Tunnel(tunnelConfig, new CurrentLink(), {
      metrics,
      log: log.child({ tunnel: tunnelConfig.name }),
      note,
      entrance: entranceOf(tunnelConfig.name),
      random,
    });
    if (!retired) this.#links.join(config, tunnel);
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
    if (!tunnel) return;
    if (!tunnel.outOfService?.settled) this.#links.join(config, tunnel, tunnelConfig);
    await tunnel.reconfigure(tunnelConfig);
  }

  /** Out of the configuration. A tunnel of the same name may take its place from now on. */
  #depart(name: string): Tunnel | undefined {
    const tunnel = this.#tunnels.get(name);
    if (!tunnel) return undefined;
    this.#tunnels.delete(name);
    this.#departing.add(tunnel);
    this.#links.depart(tunnel);
    return tunnel;
  }

  /** The tunnel goes when its last connection ends. */
  #letGo(tunnel: Tunnel): void {
    const { name } = tunnel.config;
    void tunnel.drain().then(() => {
      this.#departing.delete(tunnel);
      this.#links.leave(tunnel);
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
}
