import type { Link, Status, Tunnel } from './types.ts';

export type AnyState = Tunnel['state'] | Link['state'] | Status['state'];

/** How urgent a state is: the broken thing comes first. */
export type Tone = 'good' | 'warn' | 'bad' | 'calm';

export function toneOf(state: AnyState): Tone {
  switch (state) {
    case 'up':
      return 'good';
    case 'degraded':
    case 'unverified':
    case 'draining':
    case 'connecting':
    case 'backoff':
      return 'warn';
    case 'down':
    case 'blocked':
      return 'bad';
    case 'retired':
    case 'stopped':
      return 'calm';
  }
}

/** The states of a tunnel, the broken one first. */
export const BY_URGENCY: readonly Tunnel['state'][] = [
  'down',
  'degraded',
  'unverified',
  'draining',
  'up',
  'stopped',
  'retired',
];

/** The word of a state. Colour is never the only sign. */
export function StatePill({ state }: { readonly state: AnyState }) {
  return <span class={`pill ${toneOf(state)}`}>{state}</span>;
}
