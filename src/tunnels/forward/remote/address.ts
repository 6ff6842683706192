import { isIP, isIPv4 } from 'node:net';
import type { Address } from '../../../base/net/address.ts';
import type { Originator } from '../../channel/channel-source.ts';

/** The address by which the host itself reaches a listener on `listen`: loopback for a wildcard address. */
export function reachableAt(listen: Address): Address {
  if (listen.kind === 'unix') return listen;
  if (listen.host === '0.0.0.0') return { ...listen, host: '127.0.0.1' };
  return listen.host === '::' ? { ...listen, host: '::1' } : listen;
}

/**
 * A second loopback address, to tell a listener on all addresses from one on 127.0.0.1 alone: Linux answers on all of
 * 127.0.0.0/8. Undefined when the test would prove nothing.
 */
export function widthWitness(listen: Address): Address | undefined {
  if (listen.kind === 'unix' || (listen.host !== '0.0.0.0' && listen.host !== '127.0.0.1')) return undefined;
  return { ...listen, host: '127.0.0.2' };
}

/** Whether a connection to `listen` may come from the host itself. */
export function mayBeLocal({ address }: Originator, listen: Address): boolean {
  const plain = address.replace(/^::ffff:/i, '');
  if (plain === '::1' || (isIPv4(plain) && plain.startsWith('127.'))) return true;
  if (listen.kind === 'unix') return true;
  // A machine connects to its own address from that address. The address of a name is unknown here.
  return isIP(listen.host) === 0 || plain.toLowerCase() === listen.host.toLowerCase();
}
