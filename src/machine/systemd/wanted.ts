import { type Address, formatAddress } from '../../base/net/address.ts';
import { formatIp, parseIp } from '../../base/net/ip.ts';

/** A listener that a socket of systemd's may serve as. */
export interface Wanted {
  /** The endpoint, or the name of a tunnel. */
  readonly user: { readonly kind: 'endpoint' } | { readonly kind: 'tunnel'; readonly name: string };
  /** As in the YAML. */
  readonly address: Address;
}

export function userText({ user }: Wanted): string {
  return user.kind === 'endpoint' ? 'the endpoint' : `tunnel ${user.name}`;
}

/**
 * Whether `FileDescriptorName=` says that a socket is for this listener: `endpoint`; `tunnel-NAME` for the tunnel of that
 * name; or `forward-PORT` for whichever tunnel listens on that TCP port, which is what the template unit says. Pure.
 */
export function nameFits(name: string, { user, address }: Wanted): boolean {
  if (user.kind === 'endpoint') return name === 'endpoint';
  return name === `tunnel-${user.name}` || (address.kind === 'tcp' && name === `forward-${address.port}`);
}

/**
 * Whether a socket that is bound to `bound` listens where the YAML says. `localhost` is either loopback, as for the
 * resolver; another name is not looked up, so its port has to do. Pure.
 */
export function addressFits(bound: Address, { address }: Wanted): boolean {
  if (bound.kind === 'unix' || address.kind === 'unix') return formatAddress(bound) === formatAddress(address);
  if (bound.port !== address.port) return false;
  const wanted = parseIp(address.host);
  if (wanted !== undefined) return formatIp(wanted) === canonical(bound.host);
  return address.host.toLowerCase() !== 'localhost' || ['127.0.0.1', '::1'].includes(canonical(bound.host));
}

function canonical(host: string): string {
  const ip = parseIp(host);
  return ip === undefined ? host : formatIp(ip);
}
