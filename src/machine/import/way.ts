import { parseAddress } from '../../base/net/address.ts';
import { isBeyondLoopback } from '../../base/net/host.ts';
import type { TunnelDraft } from './draft.ts';
import type { ForwardSpec, Place } from './forward.ts';

/** Any target, as with `ssh -D`. */
const ANYWHERE = ['*:*', '0.0.0.0/0:*', '[::/0]:*'];

/**
 * The forward of `ssh -L`, `-R` or `-D` as fields of a tunnel. Undefined for a spec that does not fit the direction, such
 * as a remote listener whose clients choose their targets. Pure.
 *
 * @param open whether a listener without address is for other machines too (GatewayPorts)
 */
export function wayOf(
  direction: TunnelDraft['direction'],
  spec: ForwardSpec,
  open: boolean,
): Pick<TunnelDraft, 'listen' | 'allow_remote' | 'target' | 'allow'> | undefined {
  const listen = addressOf(spec.listen, open ? '0.0.0.0' : '127.0.0.1');
  if (direction === 'dynamic') {
    const address = parseAddress(listen);
    const allowRemote = address !== undefined && isBeyondLoopback(address) ? (true as const) : undefined;
    return spec.target ? undefined : { listen, allow_remote: allowRemote, target: undefined, allow: ANYWHERE };
  }
  return spec.target && { listen, target: addressOf(spec.target, '127.0.0.1'), allow: undefined };
}

/** ssh_config(5): an empty bind address and `*` mean every interface, a missing one means loopback. */
function addressOf(place: Place, unnamed: string): string {
  if (place.kind === 'unix') return `unix:${place.path}`;
  const host = place.host === undefined ? unnamed : place.host === '' || place.host === '*' ? '0.0.0.0' : place.host;
  const named = host === 'localhost' ? '127.0.0.1' : host;
  return named.includes(':') ? `[${named}]:${place.port}` : `${named}:${place.port}`;
}
