import type { TunnelConfig } from '../../config/config.ts';
import type { Tunnel } from './tunnel.ts';

/** Whether the tunnel listens on this machine: no peer can delay that listener. */
export const isHere = ({ direction }: TunnelConfig) => direction !== 'remote';

/**
 * The listeners of this machine that are not bound, and why. Far-side listeners do not count: a dead peer is no reason to
 * restart this daemon.
 */
export function unboundListeners(tunnels: Iterable<Tunnel>): string[] {
  return [...tunnels].flatMap(({ config, condition, outOfService }) =>
    condition.kind === 'unbound' && isHere(config) && !outOfService
      ? [`${config.name}: ${condition.error?.message ?? 'the listen address is not bound yet'}`]
      : [],
  );
}
