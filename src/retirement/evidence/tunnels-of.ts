import type { Entry } from './entry.ts';

/** The tunnels of an entry; none for an event of the daemon, a link or an actor. */
export function tunnelsOf({ tunnel, tunnels }: Entry): string[] {
  const named: readonly unknown[] = Array.isArray(tunnels) ? tunnels : [tunnel];
  return named.filter((name) => typeof name === 'string');
}
