import { isDeepStrictEqual } from 'node:util';
import type { Config, TunnelDestination } from '../../config/config.ts';
import type { ConfigDiff } from '../../config/diff.ts';
import { jumpOf, type LinkName, linkKey, settingsOf } from '../../config/way.ts';
import type { Metrics } from '../../telemetry/metrics/metrics.ts';
import type { LinkStatus } from '../../telemetry/status/status.ts';
import { Link } from '../link/link.ts';
import type { LinkDependencies, LinkOptions } from '../link/options.ts';
import { Pacer } from '../link/pacer.ts';
import type { CurrentLink } from './current-link.ts';
import { type LinkRotation, rotationOf } from './rotation-outcome.ts';
import { targetsOf } from './target.ts';

/** A tunnel, as its link sees the tunnel. */
export interface LinkUser {
  /** The table moves this to the link that the tunnel is on. */
  readonly link: CurrentLink;
  readonly config: LinkName & TunnelDestination;
  /** Once settled, the tunnel needs no link. */
  readonly outOfService: { readonly settled: boolean } | undefined;
  /** Whether the host forbids, over the present sessions, something that the tunnel needs. */
  readonly forbidden: boolean;
  /** The link's readiness, state or error has changed. */
  linkChanged(): void;
}

export interface LinkTableDependencies extends Omit<LinkDependencies, 'metrics' | 'pacer' | 'targets' | 'onChange'> {
  readonly metrics: LinkDependencies['metrics'] & Pick<Metrics, 'forgetLink'>;
}

type LinkSettings = LinkOptions & { readonly jump: Link | undefined };

/** A link that runs, and the tunnels over it. */
interface Entry extends LinkName {
  readonly link: Link;
  /** What the link was last told. */
  settings: LinkSettings;
  /** Tunnels of the configuration, told of every change. */
  readonly users: Set<LinkUser>;
  /** Tunnels that have left the configuration: only their open connections need the link. */
  readonly departing: Set<LinkUser>;
}

/** Between the starts of two connection attempts to one host, in milliseconds. */
const ATTEMPT_SPACING_MS = 250;

/**
 * The links, by (host, actor). Links exist for their tunnels: a link comes with the first tunnel over it, or through it as a
 * jump host, and goes when no tunnel, no other link and no connection is left on it.
 */
export class LinkTable {
  readonly #deps: LinkTableDependencies;
  readonly #pacers = new Map<string, Pacer>();
  readonly #entries = new Map<string, Entry>();
  readonly #joined = new Map<LinkUser, Entry>();

  constructor(deps: LinkTableDependencies) {
    this.#deps = deps;
  }

  /** Moves the user to the link of that name. Makes the link, and those under it, where they are not there yet. */
  join(config: Config, user: LinkUser, name: LinkName = user.config): void {
    const entry = this.#entryOf(config, name);
    if (this.#joined.get(user) !== entry) {
      this.leave(user);
      entry.users.add(user);
      this.#joined.set(user, entry);
    }
    user.link.move(entry.link);
  }

  /** The user has left the configuration: it is told nothing more, and its link stays until {@link leave}. */
  depart(user: LinkUser): void {
    const entry = this.#joined.get(user);
    if (entry?.users.delete(user)) entry.departing.add(user);
  }

  /** Nothing of the user is open any more. */
  leave(user: LinkUser): void {
    const entry = this.#joined.get(user);
    entry?.users.delete(user);
    entry?.departing.delete(user);
    this.#joined.delete(user);
  }

  /** A reload has changed the settings of links: each link is told its own. */
  reconfigure(config: Config, changes: ConfigDiff['links']): void {
    for (const { host, actor, needsNewSessions } of changes) {
      const entry = this.#entries.get(linkKey({ host, actor }));
      if (!entry) continue;
      entry.settings = this.#settingsOf(config, { host, actor });
      entry.link.reconfigure(entry.settings, needsNewSessions);
    }
  }

  /**
   * Where a host forbids something, only new sessions can find it changed: base/errors.ts, THEN_RELOAD. They are made
   * first, and the present ones end with their last connection.
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

  /** Lets go of links that nobody uses any more. */
  async release(): Promise<void> {
    const unused = [...this.#entries].filter(([, entry]) => !this.#isUsed(entry));
    // All at once: by the time that one has stopped, a reload may want another one.
    for (const [key] of unused) this.#entries.delete(key);
    await Promise.all(unused.map(([, { link }]) => link.stop()));
    for (const [key, { host, actor }] of unused) {
      if (!this.#entries.has(key)) this.#deps.metrics.forgetLink(host, actor);
    }
  }

  /** Once a second. */
  tick(now: Date): void {
    for (const { link } of this.#all) link.tick(now);
  }

  /** Somebody has changed something: no link waits for its backoff. */
  kick(): void {
    for (const { link } of this.#all) link.kick();
  }

  /** Another credential of the actor is to be used: its links replace their sessions. */
  supersede(actor: string, version: number): void {
    for (const { link } of this.#of(actor)) link.supersede(version);
  }

  /** What becomes of the actor's links while that goes on. Never rejects; bounded. */
  rotations(actor: string): Promise<LinkRotation[]> {
    return Promise.all(this.#of(actor).map(({ link }) => rotationOf(link)));
  }

  /** The actors that links go by. */
  get actors(): ReadonlySet<string> {
    return new Set(this.#all.map(({ actor }) => actor));
  }

  /** Those of them that have a session with a stand-in for the credential that they should have. */
  get actorsStandingIn(): ReadonlySet<string> {
    return new Set(this.#all.filter(({ link }) => link.standIn).map(({ actor }) => actor));
  }

  status(): LinkStatus[] {
    return this.#all.map(({ link }) => link.status());
  }

  /** No peer is waited for any more, be it by a reload or by {@link stop}. */
  cut(): void {
    for (const { link } of this.#all) link.cut();
  }

  /** Ends every link, a jump host's link after those that run over it: every session says goodbye. */
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

  /** The links that run over this one. */
  #behind({ link }: Entry): readonly Entry[] {
    return this.#all.filter(({ settings }) => settings.jump === link);
  }

  /** Whether a tunnel in service goes over the link, or over a link that runs over it. */
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
      // While only departing tunnels were on it, no diff has told it of changes.
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
