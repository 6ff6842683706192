import type { LinkState, Status, TunnelStateName } from '../../telemetry/status/status.ts';

type AnyState = TunnelStateName | LinkState | Status['state'];

/** How the word of a state is coloured. */
export type Paint = (state: AnyState) => (text: string) => string;

export const PLAIN: Paint = () => (text) => text;

/** ANSI colours: green works, yellow works with a reserve or is on its way, red does not, dim is out of service on purpose. */
export const paintFor: Paint = (state) => (text) => `\x1b[${sgr(state)}m${text}\x1b[0m`;

function sgr(state: AnyState): number {
  switch (state) {
    case 'up':
      return 32;
    case 'degraded':
    case 'unverified':
    case 'draining':
    case 'connecting':
    case 'backoff':
      return 33;
    case 'down':
    case 'blocked':
      return 31;
    case 'retired':
    case 'stopped':
      return 2;
  }
}
