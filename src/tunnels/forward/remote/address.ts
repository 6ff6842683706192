import { isIP } from 'node:net';
import type { Address } from '../../../base/net/address.ts';
import { canonicalHost, isLoopbackHost, reachableHost } from '../../../base/net/host.ts';
import type { Originator } from '../../channel/channel-source.ts';

/** The addresses that a listener was requested for. RFC 4254 section 7.1: '' and, in sshd, '*' mean all of both families. */
export type Width = 'all' | 'all_v4' | 'all_v6' | 'one';

export function widthOf(host: string): Width {
  const canonical = canonicalHost(host);
  if (canonical === '' || canonical === '*') return 'all';
  if (canonical === '0.0.0.0') return 'all_v4';
  return canonical === '::' ? 'all_v6' : 'one';
}

/** The address by which the host itself reaches a listener on `listen`: loopback for a wildcard address. */
export function reachableAt(listen: Address): Address {
  if (listen.kind === 'unix') return listen;
  return { ...listen, host: widthOf(listen.host) === 'all' ? '127.0.0.1' : reachableHost(listen.host) };
}

/** The first loopback address: with it, a listener that sshd confines to loopback covers both families. */
export const LOOPBACK = '127.0.0.1';

/**
 * Another loopback address, to tell a listener on all addresses from one on loopback or on one address: Linux answers on
 * all of 127.0.0.0/8. IPv6 has only one loopback address, but sshd opens both families or confines both.
 */
export function widthWitness(host: string): string {
  return canonicalHost(host) === '127.0.0.2' ? '127.0.0.3' : '127.0.0.2';
}

/** Whether a connection to `listen` may come from the host itself. */
export function mayBeLocal({ address }: Originator, listen: Address): boolean {
  if (isLoopbackHost(address) || listen.kind === 'unix') return true;
  // A machine connects to its own address from that address. The address of a name is unknown here.
  return isIP(listen.host) === 0 || canonicalHost(address) === canonicalHost(listen.host);
}
