import type { CredentialFacts } from '../credential/offer.ts';
import type { Held, LinkSession, Route } from './session.ts';

/** The sessions of a link, and which of them serves. */
export class Roster {
  #held: readonly Held[] = [];
  #generation = 1;
  /** Sessions with a credential of an older version are to be replaced. */
  #version = 0;
  #lastId = 0;
  /** No longer wanted: they end with their last channel, and nothing depends on them. Since when, as of performance.now(). */
  readonly #leaving = new WeakMap<Held, number>();
  /** Leaving, and not even to be used for want of another. */
  readonly #retired = new WeakSet<Held>();

  get all(): readonly Held[] {
    return this.#held;
  }

  /** Of the settings that hold now. */
  get generation(): number {
    return this.#generation;
  }

  /** Sessions made with the settings that hold now, and there to stay, as far as they can serve. */
  get current(): readonly Held[] {
    return this.#held.filter((held) => !this.isLeaving(held) && held.session.usable);
  }

  /** From here on every present session is of an older generation, to be replaced before it ends. */
  nextGeneration(): void {
    this.#generation++;
  }

  /** The credential of that version is out: those with an older one are to be replaced before they end. */
  supersede(version: number): void {
    this.#version = Math.max(this.#version, version);
  }

  /** Sessions that serve until somebody takes their place. */
  get superseded(): readonly Held[] {
    return this.#held.filter((held) => this.isLeaving(held) && !this.#leaving.has(held) && held.session.usable);
  }

  /** A session that serves by another credential, and that one of this version is to replace; undefined if there is none. */
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

  /** Whether it is to give way: its settings no longer hold, it is one too many, or what it runs over is going away. */
  isLeaving(held: Held): boolean {
    const outdated = held.generation !== this.#generation || held.facts.version < this.#version;
    return outdated || this.#leaving.has(held) || held.carrier?.leaving === true;
  }

  isRetired(held: Held): boolean {
    return this.#retired.has(held);
  }

  /** Since when it is left to its open connections, as of performance.now(); undefined while it serves. */
  leftSince(held: Held): number | undefined {
    return this.#leaving.get(held);
  }

  /** It takes no new connections from here on, not even while there is no other. */
  retire(held: Held, now: number): void {
    this.#retired.add(held);
    this.#leave(held, now);
  }

  /** Whether its place is taken already, so that what runs over it is to move as well. */
  isReplaced(held: Held): boolean {
    return this.#leaving.has(held) || !this.#held.includes(held);
  }

  /**
   * Where a new connection goes: the oldest current session that is not suspect, else any such, else whatever still
   * might answer.
   */
  choose(except?: Held): Held | undefined {
    const usable = this.#serving.filter((held) => held !== except);
    const current = usable.filter((held) => !this.isLeaving(held));
    const healthy = (candidates: readonly Held[]) => candidates.find(({ session }) => !session.suspect);
    return healthy(current) ?? healthy(usable) ?? current[0] ?? usable[0];
  }

  /**
   * Sessions that a listener on the far side may live on, best first; it stays where it is while that is one of them. With
   * no current session it stays on one that is leaving.
   */
  get homes(): readonly Held[] {
    const { current } = this;
    const candidates = current.length > 0 ? current : this.#serving;
    const suspects = candidates.filter(({ session }) => session.suspect);
    return [...candidates.filter((held) => !suspects.includes(held)), ...suspects];
  }

  /** Those that may carry a session to a host behind this one: what runs over one that is replaced would have to move at once. */
  get carriers(): readonly Held[] {
    return this.#held.filter((held) => held.session.usable && !this.isReplaced(held));
  }

  /**
   * Where a session to a host behind this one goes: the one that carries the fewest to that host, so that the sessions of one
   * link do not all hang on one of another, and of those the one that carries the fewest.
   *
   * @param load how many run over one already
   */
  chooseCarrier(load: (held: Held) => { readonly toTarget: number; readonly all: number }): Held | undefined {
    const rank = (held: Held) => (this.isLeaving(held) ? 2 : 0) + (held.session.suspect ? 1 : 0);
    const ranked = this.carriers.map((held) => ({ held, rank: rank(held), ...load(held) }));
    return ranked.toSorted((a, b) => a.rank - b.rank || a.toTarget - b.toTarget || a.all - b.all)[0]?.held;
  }

  /**
   * Ends what is no longer wanted, with its last channel: of the sessions that were replaced as many as there are new ones, so
   * that the link has its number at every moment, and those beyond that number.
   *
   * @param now as of performance.now()
   */
  shed(wanted: number, now: number): void {
    const { current } = this;
    if (current.length === 0) return;
    const { superseded } = this;
    const replaced = superseded.slice(0, Math.max(0, superseded.length + current.length - wanted));
    for (const held of [...replaced, ...current.slice(wanted)]) this.#leave(held, now);
  }

  get #serving(): readonly Held[] {
    return this.#held.filter((held) => held.session.usable && !this.#retired.has(held));
  }

  #leave(held: Held, now: number): void {
    if (!this.#leaving.has(held)) this.#leaving.set(held, now);
    held.session.drain();
  }
}
