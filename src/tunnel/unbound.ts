import type { Tunnel } from './tunnel.ts';

/**
 * The listeners that are not bound, and why. One on the far side is the peer's: a dead peer is no reason to restart this
 * daemon.
 */
export function unboundListeners(tunnels: Iterable<Tunnel>): string[] {
  return [...tunnels].flatMap(({ config, condition, outOfService }) =>
    condition.kind === 'unbound' && config.direction !== 'remote' && !outOfService
      ? [`${config.name}: ${condition.error?.message ?? 'the listen address is not bound yet'}`]
      : [],
  );
}
