import type { TunnelConfig } from '../../config/config.ts';
import type { Tunnel } from './tunnel.ts';

/** Its listener is this machine's: no peer can delay it. */
export const isHere = ({ direction }: TunnelConfig) => direction !== 'remote';

/**
 * The listeners that are not bound, and why. One on the far side is the peer's: a dead peer is no reason to restart this
 * daemon.
 */
export function unboundListeners(tunnels: Iterable<Tunnel>): string[] {
  return [...tunnels].flatMap(({ config, condition, outOfService }) =>
    condition.kind === 'unbound' && isHere(config) && !outOfService
      ? [`${config.name}: ${condition.error?.message ?? 'the listen address is not bound yet'}`]
      : [],
  );
}
