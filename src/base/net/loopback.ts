import type { Address } from './address.ts';
import { parseIp } from './ip.ts';

/** Whether only this machine can reach the host: 127.0.0.0/8, `::1` in any spelling, `localhost`. Names are not resolved. */
export function isLoopback(host: string): boolean {
  const ip = parseIp(host);
  if (ip === undefined) return host.toLowerCase().replace(/\.$/, '') === 'localhost';
  return ip.length === 4 ? ip[0] === 127 : ip.every((byte, index) => byte === (index === 15 ? 1 : 0));
}

/** Whether other machines can reach a listener at this address. */
export function isBeyondLoopback(address: Address): boolean {
  return address.kind === 'tcp' && !isLoopback(address.host);
}
