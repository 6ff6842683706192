import type { Address } from './address.ts';
import { formatIp, parseIp } from './ip.ts';

/** One text for each host, for comparisons: an address in its canonical form, a name in lower case. */
export function canonicalHost(host: string): string {
  const ip = parseIp(host);
  // The dot of a complete name changes nothing.
  return ip === undefined ? host.toLowerCase().replace(/\.$/, '') : formatIp(ip);
}

/** Whether only this machine can reach the host: 127.0.0.0/8, `::1`, `localhost`. */
export function isLoopbackHost(host: string): boolean {
  const canonical = canonicalHost(host);
  return canonical === '::1' || canonical === 'localhost' || isV4Loopback(canonical);
}

/** Whether other machines can reach a listener at this address. */
export function isBeyondLoopback(address: Address): boolean {
  return address.kind === 'tcp' && !isLoopbackHost(address.host);
}

/** The host to connect to for a listener on `host`: the loopback address of the same family for a wildcard address. */
export function reachableHost(host: string): string {
  const canonical = canonicalHost(host);
  if (canonical === '0.0.0.0') return '127.0.0.1';
  return canonical === '::' ? '::1' : host;
}

function isV4Loopback(canonical: string): boolean {
  const ip = parseIp(canonical);
  return ip?.length === 4 && ip[0] === 127;
}
