import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { formatAddress } from '../../base/net/address.ts';
import type { TunnelConfig } from '../../config/config.ts';

/** Whether use and quiet of one count for the other: they belong to a listener, a target and a host, not to a name. Pure. */
export function isSameTunnel(a: TunnelConfig, b: TunnelConfig): boolean {
  return isDeepStrictEqual(subjectOf(a), subjectOf(b));
}

function subjectOf({ direction, listen, target, allow, host }: TunnelConfig) {
  return { direction, listen, target, allow, host };
}

/** A tunnel without its name, in two texts for a state file: a later configuration may have another one of that name. */
export const tunnelPlace = z.object({
  /** The direction and the listener. */
  port: z.string(),
  /** The direction, the target and the host. */
  way: z.string(),
});
export type TunnelPlace = z.infer<typeof tunnelPlace>;

export function placeOf({ direction, listen, target, allow, host }: TunnelConfig): TunnelPlace {
  const where = target ? formatAddress(target) : (allow ?? []).map(({ text }) => text).join(' ');
  return { port: `${direction} ${formatAddress(listen)}`, way: `${direction} to ${where} on ${host}` };
}

/** Whether neither the listener nor the way behind it is the same: then only the name is. Pure. */
export function isElsewhere(a: TunnelPlace, b: TunnelPlace): boolean {
  return a.port !== b.port && a.way !== b.way;
}
