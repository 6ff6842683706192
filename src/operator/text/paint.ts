import type { LinkState, Status, TunnelStateName } from '../../telemetry/status/status.ts';

type AnyState = TunnelStateName | LinkState | Status['state'];

/** Colours the word of a state. */
export type Paint = (state: AnyState) => (text: string) => string;

export const PLAIN: Paint = () => (text) => text;

/** ANSI colours: green is up, yellow is degraded or in progress, red is down, dim is out of service on purpose. */
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
