import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';

/** Descriptors that clients cannot take. Reconnects, key files and the status endpoint need them. */
const RESERVED_SHARE = 1 / 8;
const MOST_RESERVED = 64;

let ceiling: number | undefined;

/**
 * Whether this connection uses the reserve of file descriptors. The kernel gives the lowest free number (POSIX,
 * open(2)). A high number therefore means that all lower numbers are in use.
 *
 * The reserve exists because libuv accepts and closes connections silently at the limit. A client takes such a close
 * for a clean end, and the daemon gets no error.
 */
export function isBeyondReserve(socket: Socket): boolean {
  ceiling ??= descriptorCeiling(readLimits());
  const { _handle: handle } = socket as unknown as { readonly _handle?: { readonly fd?: number } | null };
  return (handle?.fd ?? 0) >= ceiling;
}

/**
 * The first descriptor of the reserve, from the text of /proc/self/limits (proc(5)); infinite without a limit. Pure.
 */
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
