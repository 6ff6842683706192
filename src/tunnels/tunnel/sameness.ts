import { isDeepStrictEqual } from 'node:util';
import type { TunnelConfig } from '../../config/config.ts';

/** Whether use and quiet of one count for the other: they belong to a listener, a target and a host, not to a name. Pure. */
export function isSameTunnel(a: TunnelConfig, b: TunnelConfig): boolean {
  return isDeepStrictEqual(subjectOf(a), subjectOf(b));
}

function subjectOf({ direction, listen, target, allow, host }: TunnelConfig) {
  return { direction, listen, target, allow, host };
}
