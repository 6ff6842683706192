import type { Held } from './session.ts';

/** Whether a session is to give way to a new one: its settings no longer hold, or what it runs over is going away. */
export function isOutdated(held: Held, generation: number): boolean {
  return held.generation !== generation || held.carrier?.leaving === true;
}

/** Sessions made with the settings that hold now, as far as they can serve. */
export function currentSessions(held: readonly Held[], generation: number): readonly Held[] {
  return held.filter((each) => !isOutdated(each, generation) && each.session.usable);
}

/**
 * Where a new connection goes: the oldest session of the newest generation that is not suspect, else of any, else
 * whatever still might answer. Pure.
 */
export function chooseSession(held: readonly Held[], generation: number): Held | undefined {
  const usable = held.filter(({ session }) => session.usable);
  const current = currentSessions(held, generation);
  const healthy = (candidates: readonly Held[]) => candidates.find(({ session }) => !session.suspect);
  return healthy(current) ?? healthy(usable) ?? current[0] ?? usable[0];
}

/**
 * Where a session to a host behind this one goes: as {@link chooseSession}, but the healthy session that carries the
 * fewest, so that the sessions of one link do not all hang on one of another. Pure.
 */
export function chooseCarrier(
  held: readonly Held[],
  generation: number,
  carried: (held: Held) => number,
): Held | undefined {
  const healthy = currentSessions(held, generation).filter(({ session }) => !session.suspect);
  const [lightest] = healthy.toSorted((a, b) => carried(a) - carried(b));
  return lightest ?? chooseSession(held, generation);
}

/**
 * Sessions that may end with their last connection: those of older generations once the newest serves, and those beyond
 * the number wanted. Pure.
 */
export function unwantedSessions(held: readonly Held[], generation: number, wanted: number): readonly Held[] {
  const current = currentSessions(held, generation);
  if (current.length === 0) return [];
  const surplus = current.slice(wanted);
  return held.filter((each) => isOutdated(each, generation) || surplus.includes(each));
}
