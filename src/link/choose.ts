import type { Held } from './session.ts';

/** Sessions made with the settings that hold now, as far as they can serve. */
export function currentSessions(held: readonly Held[], generation: number): readonly Held[] {
  return held.filter((each) => each.generation === generation && each.session.usable);
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
 * Sessions that a listener on the far side may live on, best first: it stays where it is while that is one of them. With
 * none of the newest generation it stays on an older one; one beyond the number wanted gives way. Pure.
 */
export function listenSessions(held: readonly Held[], generation: number, wanted: number): readonly Held[] {
  const current = currentSessions(held, generation).slice(0, wanted);
  const candidates = current.length > 0 ? current : held.filter(({ session }) => session.usable);
  return [
    ...candidates.filter(({ session }) => !session.suspect),
    ...candidates.filter(({ session }) => session.suspect),
  ];
}

/**
 * Sessions that may end with their last connection: those of older generations once the newest serves, and those beyond
 * the number wanted. Pure.
 */
export function unwantedSessions(held: readonly Held[], generation: number, wanted: number): readonly Held[] {
  const current = currentSessions(held, generation);
  if (current.length === 0) return [];
  const surplus = current.slice(wanted);
  return held.filter((each) => each.generation !== generation || surplus.includes(each));
}
