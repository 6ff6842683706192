import { type Address, formatAddress } from '../../base/net/address.ts';
import { canonicalHost } from '../../base/net/host.ts';
import { parseIp } from '../../base/net/ip.ts';

/** A listener that may use a socket from systemd. */
export interface Wanted {
  /** The endpoint, or the name of a tunnel. */
  readonly user: { readonly kind: 'endpoint' } | { readonly kind: 'tunnel'; readonly name: string };
  /** The address in the YAML. */
  readonly address: Address;
}

export function userText({ user }: Wanted): string {
  return user.kind === 'endpoint' ? 'the endpoint' : `tunnel ${user.name}`;
}

/**
 * Whether a socket with this `FileDescriptorName=` is for this listener: `endpoint`; `tunnel-NAME` for the tunnel NAME; or
 * `forward-PORT` (the template unit) for any tunnel that listens on this TCP port. Pure.
 */
export function nameFits(name: string, { user, address }: Wanted): boolean {
  if (user.kind === 'endpoint') return name === 'endpoint';
  return name === `tunnel-${user.name}` || (address.kind === 'tcp' && name === `forward-${address.port}`);
}

/**
 * Whether `bound` is the address in the YAML. `localhost` matches both loopback addresses. Other names are not resolved:
 * for them the port decides. Pure.
 */
export function addressFits(bound: Address, { address }: Wanted): boolean {
  if (bound.kind === 'unix' || address.kind === 'unix') return formatAddress(bound) === formatAddress(address);
  if (bound.port !== address.port) return false;
  const [wanted, found] = [canonicalHost(address.host), canonicalHost(bound.host)];
  if (parseIp(wanted) !== undefined) return wanted === found;
  return wanted !== 'localhost' || ['127.0.0.1', '::1'].includes(found);
}
