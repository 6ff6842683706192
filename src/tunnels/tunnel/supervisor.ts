import type { Config, TunnelConfig } from '../../config/config.ts';
import type { ConfigDiff } from '../../config/diff.ts';
import type { LinkName } from '../../config/way.ts';
import type { Metrics } from '../../telemetry/metrics/metrics.ts';
import type { Pulse } from '../../telemetry/pulse.ts';
import type { LinkStatus, OwnTunnelStatus, UsageCounts } from '../../telemetry/status/status.ts';
import type { Entrance } from '../forward/junction.ts';
import { sumOf } from '../forward/usage.ts';
import { ProbePace } from '../probe/pace.ts';
import type { StoppedTunnel } from './advisories.ts';
import { CurrentLink } from './current-link.ts';
import type { LinkOutcome } from './link-outcome.ts';
import { LinkTable, type LinkTableDependencies, type Way } from './link-table.ts';
import { Tunnel } from './tunnel.ts';
import { isHere, unboundListeners } from './unbound.ts';

export interface SupervisorDependencies extends LinkTableDependencies {
  readonly metrics: Metrics;
  /** Undefined unless the tunnel is retired; `keeps_port`: the successor has its local port. */
  retired?(tunnel: string): { readonly keeps_port: boolean } | undefined;
  /** Default: links by SSH. */
  readonly links?: Pick<LinkTable, keyof LinkTable>;
  /** The entrance for the clients of that tunnel on this node. */
  entranceOf(tunnel: string): Entrance;
}

/** Owns every tunnel and the table of links, and applies the configuration to them. */
export class Supervisor {
  readonly #deps: SupervisorDependencies;
  readonly #links: Pick<LinkTable, keyof LinkTable>;
  readonly #tunnels = new Map<string, Tunnel>();
  readonly #pace = new ProbePace();
  /** Removed from the configuration, with connections still open. */
  readonly #departing = new Set<Tunnel>();
  #stopping = false;
  /** Settles once every tunnel of the first configuration has a status. */
  readonly listed: Promise<void>;
  #list = () => {};

  constructor(deps: SupervisorDependencies) {
    this.#deps = deps;
    this.listed = new Promise((resolve) => {
      this.#list = resolve;
    });
    this.#links = deps.links ?? new LinkTable(deps);
  }

  /** One sentence for each listener of this node that is not bound. */
  get unbound(): string[] {
    return unboundListeners(this.#tunnels.values());
  }

  /** One sentence for each tunnel whose data path seems to hang. */
  get stuck(): string[] {
    const now = performance.now();
    return this.#everyTunnel().flatMap((tunnel) => tunnel.stuck(now) ?? []);
  }

  async start(config: Config): Promise<void> {
    const started = [...config.tunnels.values()].map((tunnel) => this.#add(config, tunnel));
    this.#list();
    await Promise.all(started);
  }

  /** Applies a reload. Tunnels that are not in the diff are not touched. */
  async apply(config: Config, diff: ConfigDiff): Promise<void> {
    this.#links.renewForbidden();
    this.#links.reconfigure(config, diff.links);
    const removed = diff.removed.flatMap((name) => this.#depart(name) ?? []);
    await this.#applyWhere(isHere, config, diff, removed);
    // A reload may follow a change outside the file, so every link retries at once.
    this.#links.kick();
    for (const tunnel of this.#tunnels.values()) tunnel.retry();
    // Last, because these wait for their peers: a host that does not answer delays no other tunnel.
    await this.#applyWhere((tunnel) => !isHere(tunnel), config, diff, removed);
  }

  /** The tunnels that an operator took out of service. Empty once the daemon stops: then every tunnel is stopped. */
  get stopped(): StoppedTunnel[] {
    if (this.#stopping) return [];
    return [...this.#tunnels.values()].flatMap(({ config: { name, production }, stoppedSince: since }) =>
      since ? { name, production, since } : [],
    );
  }

  /** The tunnels of those names; undefined for an unknown name. */
  named(names: readonly string[]): (Tunnel | undefined)[] {
    return names.map((name) => this.#tunnels.get(name));
  }

  /** Brings tunnels back into service. Starts their links again if those ended. */
  async resume(config: Config, tunnels: readonly Tunnel[]): Promise<void> {
    const suspended = tunnels.filter(({ outOfService }) => outOfService);
    await Promise.all(
      suspended.map((tunnel) => {
        this.#links.join(config, tunnel);
        return tunnel.resume();
      }),
    );
  }

  /** Once a second: dates the clients' activity, and ends links that nobody uses any more. */
  async tick(now: Date): Promise<void> {
    for (const tunnel of this.#everyTunnel()) tunnel.sample(now);
    this.#links.tick(now);
    if (!this.#stopping) await this.#links.release();
  }

  /** The actors of all links. */
  get actors(): ReadonlySet<string> {
    return this.#links.actors;
  }

  /** The actors whose serving session uses a fallback credential. */
  get actorsStandingIn(): ReadonlySet<string> {
    return this.#links.actorsStandingIn;
  }

  /** A newer credential of the actor exists: its links replace their sessions. */
  supersede(actor: string, version: number): void {
    this.#links.supersede(actor, version);
  }

  /** The next login of the actor may fail: its links test the login. */
  testLogins(actor: string): void {
    this.#links.testLogins(actor);
  }

  /** The outcome of the replacement for each of the actor's links. Never rejects; bounded. */
  rotations(actor: string): Promise<LinkOutcome[]> {
    return this.#links.rotations(actor);
  }

  /** Tests the login of each link about whose host known_hosts says something else. Returns the links that test now. */
  retestLogins(): Promise<LinkName[]> {
    return this.#links.retestLogins();
  }

  /** The outcome of the first login of each named link with its new settings. Never rejects; bounded. */
  firstLogins(links: readonly LinkName[]): Promise<LinkOutcome[]> {
    return this.#links.firstLogins(links);
  }

  /** Closes listeners, gives connections `graceMs` to finish (until `force` aborts), then ends the sessions. */
  async stop(graceMs: number, force: AbortSignal): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#everyTunnel().map((tunnel) => tunnel.stop(graceMs, force)));
    await this.#links.stop();
  }

  /** Cuts every link: neither a reload nor {@link stop} waits for a peer any more. */
  cut(): void {
    this.#links.cut();
  }

  /** Every link, for channels that belong to no tunnel. */
  get ways(): readonly Way[] {
    return this.#links.ways;
  }

  links(): LinkStatus[] {
    return this.#links.status();
  }

  /** The pulse of each tunnel name; a configured tunnel comes before a removed one of the same name. */
  pulses(): ReadonlyMap<string, Pulse> {
    // A map, because this happens once a second: an object with so many names grows in steps, each a new copy.
    const pulses = new Map<string, Pulse>();
    const add = (tunnel: Tunnel) => pulses.set(tunnel.config.name, tunnel.pulse());
    for (const tunnel of this.#departing) add(tunnel);
    for (const tunnel of this.#tunnels.values()) add(tunnel);
    return pulses;
  }

  /** When clients last used the tunnel of each name that they have used, as in {@link pulses}. */
  uses(): ReadonlyMap<string, Date> {
    const uses = new Map<string, Date>();
    for (const { config, lastActivityAt } of this.#departing) if (lastActivityAt) uses.set(config.name, lastActivityAt);
    for (const { config, lastActivityAt } of this.#tunnels.values())
      if (lastActivityAt) uses.set(config.name, lastActivityAt);
      else uses.delete(config.name);
    return uses;
  }

  /** One row for each name. The usage of a removed tunnel is added to the configured one of the same name. */
  tunnels(): OwnTunnelStatus[] {
    const rows = new Map<string, OwnTunnelStatus>();
    for (const tunnel of this.#everyTunnel()) {
      const status = tunnel.status();
      const first = rows.get(status.name);
      rows.set(status.name, first ? { ...first, usage: sumOf(first.usage, status.usage) } : status);
    }
    return [...rows.values()];
  }

  /** The certificate that the probe of each tunnel saw: a small part of {@link tunnels}, at a small part of the cost. */
  certificates(): Pick<OwnTunnelStatus, 'name' | 'probe_certificate'>[] {
    return [...this.#tunnels.values()].map((tunnel) => ({
      name: tunnel.config.name,
      probe_certificate: tunnel.certificate,
    }));
  }

  /** The usage of all tunnels of that name; undefined for an unknown name. */
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
      pace: this.#pace,
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
    // All addresses are freed before any is bound, so that tunnels can swap addresses.
    const moving = changed.filter(({ name }) => diff.changed.get(name)?.has('listen'));
    await Promise.all([
      ...moving.map(({ name }) => this.#tunnels.get(name)?.stopAccepting()),
      ...leaving.map((tunnel) => tunnel.stopAccepting()),
    ]);
    for (const tunnel of leaving) this.#letGo(tunnel);
    await Promise.all([
      ...changed.map((tunnel) => this.#reconfigure(config, tunnel)),
      // A tunnel with a new direction is another tunnel. It stays out of service if the old one was.
      ...named(diff.added).map((tunnel) => {
        const suspended = removed.some((before) => before.config.name === tunnel.name && before.stoppedSince);
        return this.#add(config, tunnel, suspended);
      }),
    ]);
  }

  async #reconfigure(config: Config, tunnelConfig: TunnelConfig): Promise<void> {
    const tunnel = this.#tunnels.get(tunnelConfig.name);
    if (!tunnel) return;
    // The name of a retired tunnel may belong to another one now.
    const returns = tunnel.isRetired && !this.#deps.retired?.(tunnelConfig.name);
    if (returns || !tunnel.outOfService?.settled) this.#links.join(config, tunnel, tunnelConfig);
    await tunnel.reconfigure(tunnelConfig);
    if (returns) await tunnel.resume();
  }

  /** The tunnel was removed from the configuration. A new tunnel may use its name from now on. */
  #depart(name: string): Tunnel | undefined {
    const tunnel = this.#tunnels.get(name);
    if (!tunnel) return undefined;
    this.#tunnels.delete(name);
    this.#departing.add(tunnel);
    this.#links.depart(tunnel);
    return tunnel;
  }

  /** Ends the tunnel after its last connection. */
  #letGo(tunnel: Tunnel): void {
    const { name } = tunnel.config;
    const { open, held } = tunnel.usage;
    void tunnel.drain().then(() => {
      this.#departing.delete(tunnel);
      this.#links.leave(tunnel);
      if (!this.#tunnels.has(name)) {
        this.#deps.metrics.forgetTunnel(name);
        this.#deps.note({ event: 'tunnel.removed', tunnel: name });
      } else if (open + held > 0) {
        // The name is back: to its verdict, this was a use until now.
        this.#deps.note({ event: 'tunnel.used', tunnel: name });
      }
      this.#deps.log.info({ event: 'tunnel.removed', tunnel: name }, 'tunnel removed: its last connection ended');
    });
  }
}
