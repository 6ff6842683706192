import { isDeepStrictEqual } from 'node:util';
import { settledWithin } from '../../base/async/settled-within.ts';
import type { TunnelError } from '../../base/errors.ts';
import type { Config, HostConfig, TunnelDestination } from '../../config/config.ts';
import type { ConfigDiff } from '../../config/diff.ts';
import { jumpOf, type LinkName, linkKey, settingsOf } from '../../config/way.ts';
import type { Metrics } from '../../telemetry/metrics/metrics.ts';
import type { LinkStatus } from '../../telemetry/status/status.ts';
import type { ChannelSource } from '../channel/channel-source.ts';
import { Link } from '../link/link.ts';
import type { LinkDependencies, LinkOptions } from '../link/options.ts';
import { Pacer } from '../link/pacer.ts';
import { TrustWatch } from '../link/trust-watch.ts';
import type { CurrentLink } from './current-link.ts';
import { firstLoginOf, type LinkOutcome, rotationOf } from './link-outcome.ts';
import { targetsOf } from './target.ts';

/** A tunnel, as its link sees the tunnel. */
export interface LinkUser {
  /** The table sets this to the tunnel's link. */
  readonly link: CurrentLink;
  readonly config: LinkName & TunnelDestination;
  /** Undefined while in service. Once settled, the tunnel needs no link. */
  readonly outOfService: { readonly settled: boolean } | undefined;
  /** Whether the host forbids a forward that the tunnel needs, over the present sessions. */
  readonly forbidden: boolean;
  /** The link's readiness, state or error changed. */
  linkChanged(): void;
  /** The link leads elsewhere, or with another login: earlier errors no longer count. */
  forgetErrors(): void;
}

export interface LinkTableDependencies extends Omit<LinkDependencies, 'metrics' | 'pacer' | 'targets' | 'onChange'> {
  readonly metrics: LinkDependencies['metrics'] & Pick<Metrics, 'forgetLink'>;
}

/** A running link, for channels that belong to no tunnel. */
export interface Way {
  readonly host: HostConfig;
  readonly actor: string;
  readonly source: ChannelSource & { readonly lastError: TunnelError | undefined };
}

type LinkSettings = LinkOptions & { readonly jump: Link | undefined };

/** A running link, and its tunnels. */
interface Entry extends LinkName {
  readonly link: Link;
  /** The link's present settings. */
  settings: LinkSettings;
  /** Configured tunnels, which hear of every change. */
  readonly users: Set<LinkUser>;
  /** Removed tunnels: only their open connections need the link. */
  readonly departing: Set<LinkUser>;
}

/** The time between the starts of two attempts to one host, in milliseconds. */
export const ATTEMPT_SPACING_MS = 250;

/** A reload waits this long for a look at known_hosts, in milliseconds. */
const LOOK_MS = 2_000;

/**
 * The links, by (host, actor). A link starts with its first tunnel, or with the first link over it as a jump host. A link
 * ends when no tunnel, no other link and no connection needs it.
 */
export class LinkTable {
  readonly #deps: LinkTableDependencies;
  readonly #pacers = new Map<string, Pacer>();
  readonly #entries = new Map<string, Entry>();
  readonly #joined = new Map<LinkUser, Entry>();
  readonly #trust = new TrustWatch();

  constructor(deps: LinkTableDependencies) {
    this.#deps = deps;
  }

  /** Moves the user to the link of that name. Starts missing links, including those to jump hosts. */
  join(config: Config, user: LinkUser, name: LinkName = user.config): void {
    const entry = this.#entryOf(config, name);
    if (this.#joined.get(user) !== entry) {
      this.leave(user);
      entry.users.add(user);
      this.#joined.set(user, entry);
    }
    user.link.move(entry.link);
  }

  /** The user was removed from the configuration: it hears of no change, and its link stays until {@link leave}. */
  depart(user: LinkUser): void {
    const entry = this.#joined.get(user);
    if (entry?.users.delete(user)) entry.departing.add(user);
  }

  /** The user has no open connection any more. */
  leave(user: LinkUser): void {
    const entry = this.#joined.get(user);
    entry?.users.delete(user);
    entry?.departing.delete(user);
    this.#joined.delete(user);
  }

  /** A reload changed the settings of links: gives each link its own. */
  reconfigure(config: Config, changes: ConfigDiff['links']): void {
    for (const { host, actor, needsNewSessions } of changes) {
      const entry = this.#entries.get(linkKey({ host, actor }));
      if (!entry) continue;
      entry.settings = this.#settingsOf(config, { host, actor });
      if (needsNewSessions) for (const user of entry.users) user.forgetErrors();
      entry.link.reconfigure(entry.settings, needsNewSessions);
    }
  }

  /**
   * Replaces sessions over which the host forbids a forward. Only new sessions see a change on the host: base/errors.ts,
   * THEN_RELOAD. The new sessions come up first; each old one ends with its last connection.
   */
  renewForbidden(): void {
    const forbidding = new Set<Entry>();
    for (const entry of this.#all) {
      if ([...entry.users].some(({ forbidden }) => forbidden)) forbidding.add(entry);
      const { link, settings } = entry;
      const barred = !link.ready && link.lastError?.code === 'forward_denied';
      const jump = barred && this.#all.find((other) => other.link === settings.jump);
      if (jump) forbidding.add(jump);
    }
    for (const entry of this.#all) if (forbidding.has(entry)) entry.link.reconfigure(entry.settings, true);
  }

  /** Ends links that nobody uses any more. */
  async release(): Promise<void> {
    const unused = [...this.#entries].filter(([, entry]) => !this.#isUsed(entry));
    // All at once: while one link stops, a reload may need another one.
    for (const [key] of unused) this.#entries.delete(key);
    await Promise.all(unused.map(([, { link }]) => link.stop()));
    for (const [key, { host, actor }] of unused) {
      if (!this.#entries.has(key)) this.#deps.metrics.forgetLink(host, actor);
    }
  }

  /** Once a second. */
  tick(now: Date): void {
    for (const { link } of this.#all) link.tick(now);
    this.#watchKnownHosts();
  }

  /**
   * Tests the login of each link about whose host known_hosts says something else, until a login succeeds. Returns the
   * links that test now. Never rejects; bounded.
   */
  async retestLogins(): Promise<LinkName[]> {
    // A file system that hangs must not delay a reload.
    await settledWithin(this.#lookAtKnownHosts(), LOOK_MS);
    const concerned = this.#all.filter(({ link }) => link.retesting && link.retestLogin());
    return concerned.map(({ host, actor }) => ({ host, actor }));
  }

  #watchKnownHosts(): void {
    if (!this.#trust.busy) void this.#lookAtKnownHosts();
  }

  async #lookAtKnownHosts(): Promise<void> {
    const changed = await this.#trust.look(this.#all.map(({ settings }) => settings.host));
    for (const { link, settings } of this.#all) if (changed.has(settings.host)) link.retestLogin();
  }

  /** An operator changed something: every link retries at once. */
  kick(): void {
    for (const { link } of this.#all) link.kick();
  }

  /** A newer credential of the actor exists: its links replace their sessions. */
  supersede(actor: string, version: number): void {
    for (const { link } of this.#of(actor)) link.supersede(version);
  }

  /** The next login of the actor may fail: its links test the login. */
  testLogins(actor: string): void {
    for (const { link } of this.#of(actor)) link.testLogin();
  }

  /** The outcome of the replacement for each of the actor's links. Never rejects; bounded. */
  rotations(actor: string): Promise<LinkOutcome[]> {
    return Promise.all(this.#of(actor).map(({ link }) => rotationOf(link)));
  }

  /** The outcome of the first login of each named link with its new settings. Never rejects; bounded. */
  firstLogins(names: readonly LinkName[]): Promise<LinkOutcome[]> {
    const entries = names.flatMap((name) => this.#entries.get(linkKey(name)) ?? []);
    return Promise.all(entries.map(({ link }) => firstLoginOf(link)));
  }

  /** The actors of all links. */
  get actors(): ReadonlySet<string> {
    return new Set(this.#all.map(({ actor }) => actor));
  }

  /** The actors whose serving session uses a fallback credential. */
  get actorsStandingIn(): ReadonlySet<string> {
    return new Set(this.#all.filter(({ link }) => link.fallbackReason).map(({ actor }) => actor));
  }

  /** Every link, those to jump hosts included. */
  get ways(): readonly Way[] {
    return this.#all.map(({ settings, actor, link }) => ({ host: settings.host, actor, source: link }));
  }

  status(): LinkStatus[] {
    return this.#all.map(({ link }) => link.status());
  }

  /** Cuts every link: neither a reload nor {@link stop} waits for a peer any more. */
  cut(): void {
    for (const { link } of this.#all) link.cut();
  }

  /** Ends every link in order. A jump host's link ends after the links over it. */
  async stop(): Promise<void> {
    for (let left = this.#all; left.length > 0; ) {
      const outermost = left.filter(({ link }) => !left.some(({ settings }) => settings.jump === link));
      await Promise.all(outermost.map(({ link }) => link.stop()));
      left = left.filter((entry) => !outermost.includes(entry));
    }
  }

  get #all(): readonly Entry[] {
    return [...this.#entries.values()];
  }

  #of(actor: string): readonly Entry[] {
    return this.#all.filter((entry) => entry.actor === actor);
  }

  /** The links over this one. */
  #behind({ link }: Entry): readonly Entry[] {
    return this.#all.filter(({ settings }) => settings.jump === link);
  }

  /** Whether a tunnel in service uses the link, directly or through another link. */
  #isWanted(entry: Entry): boolean {
    return [...entry.users].some(inService) || this.#behind(entry).some((behind) => this.#isWanted(behind));
  }

  #isUsed(entry: Entry): boolean {
    const { link, departing } = entry;
    return this.#isWanted(entry) || departing.size > 0 || this.#behind(entry).length > 0 || link.channels > 0;
  }

  #entryOf(config: Config, { host, actor }: LinkName): Entry {
    const key = linkKey({ host, actor });
    const settings = this.#settingsOf(config, { host, actor });
    const existing = this.#entries.get(key);
    if (existing) {
      // While only removed tunnels used the link, it got no changes of a reload.
      const stale = !this.#isWanted(existing) && !isDeepStrictEqual(existing.settings, settings);
      if (stale) existing.link.reconfigure(settings, true);
      existing.settings = settings;
      return existing;
    }
    const link: Link = new Link(
      settings,
      this.#linkDependencies({ host, actor }, () => entry),
    );
    const entry: Entry = { link, host, actor, settings, users: new Set(), departing: new Set() };
    this.#entries.set(key, entry);
    link.start();
    // Before the login ends: every later write counts as a change. One look is for all links that start now.
    queueMicrotask(() => this.#watchKnownHosts());
    return entry;
  }

  #settingsOf(config: Config, name: LinkName): LinkSettings {
    const settings = settingsOf(config, name);
    if (!settings) throw new Error(`no host ${name.host} or no actor ${name.actor}: the configuration was not checked`);
    const jump = jumpOf(settings.host, name.actor);
    return { ...settings, jump: jump && this.#entryOf(config, jump).link };
  }

  #linkDependencies({ host, actor }: LinkName, entry: () => Entry): LinkDependencies {
    const { prepare, credential, metrics, log, note, random } = this.#deps;
    const pacer = this.#pacers.get(host) ?? new Pacer(ATTEMPT_SPACING_MS);
    this.#pacers.set(host, pacer);
    return {
      prepare,
      credential,
      targets: () => targetsOf([...entry().users].filter(inService), this.#behind(entry())),
      pacer,
      metrics,
      log: log.child({ link: `${actor}@${host}` }),
      note: (happening, at) => note({ ...happening, host, actor }, at),
      random,
      onChange: () => {
        for (const user of entry().users) user.linkChanged();
        for (const { link } of this.#behind(entry())) link.jumpChanged();
      },
    };
  }
}

function inService({ outOfService }: LinkUser): boolean {
  return !outOfService?.settled;
}
