import type { CredentialFacts } from '../credential/offer.ts';
import type { Held, LinkSession, Route } from './session.ts';

/** The sessions of a link, and the choice of the one that serves. */
export class Roster {
  #held: readonly Held[] = [];
  #generation = 1;
  /** Sessions with a credential of an older version must be replaced. */
  #version = 0;
  #lastId = 0;
  /** Sessions that end with their last channel, and since when, as of performance.now(). */
  readonly #leaving = new WeakMap<Held, number>();
  /** Leaving sessions that take no new connection even when no other session is up. */
  readonly #retired = new WeakSet<Held>();
  /** Sessions that the server will end soon. */
  readonly #ending = new WeakSet<Held>();

  get all(): readonly Held[] {
    return this.#held;
  }

  /** The generation of the present settings. */
  get generation(): number {
    return this.#generation;
  }

  /** Usable sessions with the present settings, which are not leaving. */
  get current(): readonly Held[] {
    return this.#held.filter((held) => !this.isLeaving(held) && held.session.usable);
  }

  /** Whether there are sessions, and none of them answers. */
  get silent(): boolean {
    const { current } = this;
    return current.length > 0 && current.every(({ session }) => session.suspect);
  }

  /** Makes every present session one of an older generation, to be replaced before it ends. */
  nextGeneration(): void {
    this.#generation++;
  }

  /** A credential of that version exists: sessions with an older one must be replaced before they end. */
  supersede(version: number): void {
    this.#version = Math.max(this.#version, version);
  }

  /** The server will end the session soon: another session must replace this one before. */
  renew(held: Held): void {
    this.#ending.add(held);
  }

  /** Whether a newer credential exists. */
  isSuperseded({ version }: CredentialFacts): boolean {
    return version < this.#version;
  }

  /** Outdated sessions that serve until their replacement is up. */
  get superseded(): readonly Held[] {
    return this.#held.filter((held) => this.isLeaving(held) && !this.#leaving.has(held) && held.session.usable);
  }

  /** A superseded session with another credential than this version; undefined if there is none. */
  predecessor(version: number): Held | undefined {
    return this.superseded.find(({ facts }) => facts.version !== version);
  }

  add(session: LinkSession, facts: CredentialFacts, generation: number, route?: Route): Held {
    const carrier = route?.kind === 'jump' ? route.carrier : undefined;
    const held: Held = { id: ++this.#lastId, generation, facts, session, carrier };
    this.#held = [...this.#held, held];
    return held;
  }

  remove(held: Held): void {
    this.#held = this.#held.filter((other) => other !== held);
  }

  /** Whether the session must go: its settings are outdated, it is surplus, it ends soon, or its carrier is leaving. */
  isLeaving(held: Held): boolean {
    const { generation, facts, session } = held;
    const outdated = generation !== this.#generation || this.isSuperseded(facts);
    const worn = session.outworn === true || this.#ending.has(held);
    return outdated || worn || this.#leaving.has(held) || held.carrier?.leaving === true;
  }

  /** Why the session left its service; undefined if another reason than these ended the session. */
  whyLeft(held: Held): string | undefined {
    if (held.generation !== this.#generation) return 'the settings of the link changed';
    if (this.isSuperseded(held.facts)) return 'a newer credential exists';
    if (this.#retired.has(held)) return 'the certificate of the session expired, or drain_timeout is over';
    if (this.#ending.has(held)) return 'the server would soon have ended the unused session';
    if (held.carrier?.leaving === true) return 'the session of the jump host under this session was replaced';
    return this.#leaving.has(held) ? 'other sessions serve in its place' : undefined;
  }

  isRetired(held: Held): boolean {
    return this.#retired.has(held);
  }

  /** Since when the session takes no new connections, as of performance.now(); undefined while it serves. */
  leftSince(held: Held): number | undefined {
    return this.#leaving.get(held);
  }

  /** The session takes no new connections from now on, even when no other session is up. */
  retire(held: Held, now: number): void {
    this.#retired.add(held);
    this.#leave(held, now);
  }

  /** Whether the session has a replacement, so that the sessions over it must move as well. */
  isReplaced(held: Held): boolean {
    return this.#leaving.has(held) || !this.#held.includes(held);
  }

  /**
   * The session for a new connection: the oldest current one that is not suspect, else any that is not suspect, else any
   * usable one.
   */
  choose(except: readonly Held[] = []): Held | undefined {
    // No lists: each connection asks several times, and each tunnel once a second.
    let best: Held | undefined;
    let lowest = Number.POSITIVE_INFINITY;
    for (const held of this.#held) {
      if (!this.#serves(held) || except.includes(held)) continue;
      const rank = (held.session.suspect ? 2 : 0) + (this.isLeaving(held) ? 1 : 0);
      if (rank >= lowest) continue;
      best = held;
      lowest = rank;
      if (rank === 0) break;
    }
    return best;
  }

  /** The session for an open that may freeze the session: of those that answer, the one with the fewest channels. */
  chooseSpare(): Held | undefined {
    const healthy = this.current.filter(({ session }) => !session.suspect);
    return healthy.toReversed().toSorted((a, b) => a.session.channels - b.session.channels)[0] ?? this.choose();
  }

  /**
   * Sessions that a far-side listener may use, best first. A listener stays on its session while that is one of them.
   * Without a current session, the listener may stay on a leaving one.
   */
  get homes(): readonly Held[] {
    const { current } = this;
    const candidates = current.length > 0 ? current : this.#serving;
    const suspects = candidates.filter(({ session }) => session.suspect);
    return [...candidates.filter((held) => !suspects.includes(held)), ...suspects];
  }

  /** Sessions that may carry a session to another host. A session over a replaced one would have to move at once. */
  get carriers(): readonly Held[] {
    return this.#held.filter((held) => held.session.usable && !this.isReplaced(held));
  }

  /**
   * The carrier of a session to a host behind this one: the session that carries the fewest to that host, then the fewest
   * in all. So the sessions of one link do not all depend on one session.
   *
   * @param load how many sessions a session carries already
   */
  chooseCarrier(load: (held: Held) => { readonly toTarget: number; readonly all: number }): Held | undefined {
    const rank = (held: Held) => (this.isLeaving(held) ? 2 : 0) + (held.session.suspect ? 1 : 0);
    const ranked = this.carriers.map((held) => ({ held, rank: rank(held), ...load(held) }));
    return ranked.toSorted((a, b) => a.rank - b.rank || a.toTarget - b.toTarget || a.all - b.all)[0]?.held;
  }

  /**
   * Lets replaced and surplus sessions end with their last channel. One replaced session goes for each new one, so that
   * the link never has fewer sessions than `wanted`.
   *
   * @param now as of performance.now()
   */
  shed(wanted: number, now: number): void {
    const { current, superseded } = this;
    // Without a new session the old ones serve, oldest first, as before.
    const old = current.length === 0 ? wanted : 0;
    const surplus = Math.max(0, superseded.length + current.length - wanted);
    const replaced = superseded.slice(old, old + surplus);
    // While a session is suspect, the one that was made in its place serves.
    const kept = wanted + (current.some(({ session }) => session.suspect) ? 1 : 0);
    for (const held of [...replaced, ...current.slice(kept)]) this.#leave(held, now);
  }

  get #serving(): readonly Held[] {
    return this.#held.filter((held) => this.#serves(held));
  }

  #serves(held: Held): boolean {
    return held.session.usable && !this.#retired.has(held);
  }

  #leave(held: Held, now: number): void {
    if (!this.#leaving.has(held)) this.#leaving.set(held, now);
    held.session.drain();
  }
}
