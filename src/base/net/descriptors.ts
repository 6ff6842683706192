import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';

/** What clients may not take of the limit, so that sessions reconnect, keys are read and the endpoint answers. */
const RESERVED_SHARE = 1 / 8;
const MOST_RESERVED = 64;

let ceiling: number | undefined;

/**
 * Whether this connection has taken the process into its reserve of file descriptors. The kernel gives the lowest free
 * number (POSIX, open(2)): whoever gets a high one got it because all below are taken, so the number itself is the gauge.
 *
 * At the limit itself nobody could say so any more: libuv then accepts and closes in silence, which a client takes for a
 * clean end, and tells nobody.
 */
export function isBeyondReserve(socket: Socket): boolean {
  ceiling ??= descriptorCeiling(readLimits());
  const { _handle: handle } = socket as unknown as { readonly _handle?: { readonly fd?: number } | null };
  return (handle?.fd ?? 0) >= ceiling;
}

/** The first descriptor of the reserve, from the text of /proc/self/limits (proc(5)); infinite without one. Pure. */
export function descriptorCeiling(limits: string): number {
  const limit = Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY);
  return limit - Math.min(MOST_RESERVED, Math.ceil(limit * RESERVED_SHARE));
}

function readLimits(): string {
  try {
    return readFileSync('/proc/self/limits', 'utf8');
  } catch {
    return '';
  }
}
