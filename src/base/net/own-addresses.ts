import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';

/**
 * Those of the given IP addresses that belong to this machine. The units forbid netlink, so the interfaces may be hidden: then an
 * address that can be bound is ours.
 */
export async function ownAddresses(
  ips: readonly string[],
  interfaces: typeof networkInterfaces = networkInterfaces,
): Promise<ReadonlySet<string>> {
  let listed: Set<string>;
  try {
    listed = new Set(Object.values(interfaces()).flatMap((each) => each?.map(({ address }) => address) ?? []));
  } catch {
    const bound = await Promise.all(ips.map(async (ip) => [ip, await canBind(ip)] as const));
    return new Set(bound.filter(([, ours]) => ours).map(([ip]) => ip));
  }
  return new Set(ips.filter((ip) => listed.has(ip)));
}

/** Binds any free UDP port for a moment; nothing is sent. */
function canBind(ip: string): Promise<boolean> {
  const socket = createSocket(isIPv6(ip) ? 'udp6' : 'udp4');
  return new Promise<boolean>((resolve) => {
    socket.once('error', () => resolve(false));
    socket.bind({ address: ip, port: 0, exclusive: true }, () => resolve(true));
  }).finally(() => socket.close());
}
