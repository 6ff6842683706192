import type { Socket } from 'node:net';
import type { Address } from '../../base/net/address.ts';
import { parseIp } from '../../base/net/ip.ts';

/** This side of a connection. */
export type LocalEnd = Pick<Socket, 'localAddress' | 'localPort'>;

/**
 * The local end of every connection of a listener on one address, without a question to the kernel for each. Undefined when
 * each connection may have another: a name, or all addresses. Pure.
 */
export function onlyEnd(address: Address): LocalEnd | undefined {
  if (address.kind !== 'tcp' || address.port === 0) return undefined;
  const ip = parseIp(address.host);
  return ip?.some((byte) => byte !== 0) ? { localAddress: address.host, localPort: address.port } : undefined;
}
