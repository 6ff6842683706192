import { lookup } from 'node:dns/promises';
import { networkInterfaces } from 'node:os';
import { abortable, withDeadline } from '../../base/async/deadline.ts';
import type { Address } from '../../base/net/address.ts';
import type { TunnelConfig } from '../../config/config.ts';
import { describeLoop, type Entrance, STATIC, successorLoop } from '../../config/successor-loop.ts';

/** The resolver has so long, in milliseconds. A name that it does not know leads nowhere: the probe tells that. */
const RESOLVE_MS = 5_000;

/**
 * Whether the successor of the tunnel leads back to a port of this node that leads to it in turn, in one sentence; undefined:
 * no. Names are resolved. Rejects with the signal's reason only.
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
  const own = new Set(Object.values(networkInterfaces()).flatMap((each) => each?.map(({ address }) => address) ?? []));
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
