import { lookup } from 'node:dns/promises';
import { abortable, withDeadline } from '../../base/async/deadline.ts';
import type { Address } from '../../base/net/address.ts';
import { ownAddresses } from '../../base/net/own-addresses.ts';
import type { TunnelConfig } from '../../config/config.ts';
import { describeLoop, type Entrance, STATIC, successorLoop } from '../../config/successor-loop.ts';

/** Timeout of the resolver, in milliseconds. An unknown name makes no loop; the probe reports it. */
const RESOLVE_MS = 5_000;

/**
 * Why the successor of the tunnel leads back to the tunnel over ports of this node, in one sentence; undefined if it does not.
 * Resolves names. Rejects only with the signal's reason.
 */
export async function findLoop(
  name: string,
  tunnels: Iterable<Pick<TunnelConfig, 'name' | 'listen' | 'direction' | 'drain'>>,
  signal: AbortSignal,
): Promise<string | undefined> {
  const entrances = [...tunnels]
    .filter(({ direction }) => direction !== 'remote')
    .map((tunnel): Entrance => {
      return { name: tunnel.name, listen: tunnel.listen, successor: tunnel.drain?.successor?.target };
    });
  const asked = entrances.flatMap(({ listen, successor }) => [...hostOf(listen), ...hostOf(successor)]);
  const found = new Map(
    await Promise.all([...new Set(asked)].map(async (host) => [host, await resolve(host, signal)] as const)),
  );
  signal.throwIfAborted();
  const own = await ownAddresses([...new Set([...found.values()].flat())]);
  signal.throwIfAborted();
  const loop = successorLoop(name, entrances, {
    addressesOf: (host) => found.get(host) ?? [],
    isLocal: (ip) => STATIC.isLocal(ip) || own.has(ip),
  });
  return loop && describeLoop(loop);
}

function hostOf(address: Address | undefined): string[] {
  return address?.kind === 'tcp' ? [address.host.toLowerCase()] : [];
}

async function resolve(host: string, signal: AbortSignal): Promise<string[]> {
  const known = STATIC.addressesOf(host);
  const expired = () => new Error('the resolver does not answer');
  const found = await withDeadline(RESOLVE_MS, signal, expired, (inTime) =>
    abortable(lookup(host, { all: true }), inTime),
  ).catch(() => []);
  return [...known, ...found.map(({ address }) => address)];
}
