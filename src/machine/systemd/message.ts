import { printable } from '../../base/text/printable.ts';

/** The assignments of sd_notify(3) that this program uses. */
export interface Assignments {
  readonly READY?: 1;
  readonly RELOADING?: 1;
  readonly STOPPING?: 1;
  readonly WATCHDOG?: 1;
  readonly MONOTONIC_USEC?: bigint;
  readonly EXTEND_TIMEOUT_USEC?: number;
  readonly STATUS?: string;
}

/** In characters, each at most four bytes: systemd drops a message longer than PIPE_BUF (4096 bytes). */
const LONGEST_VALUE = 500;

/**
 * The lines of one message. A newline in a value would begin another assignment (`STATUS=x\nMAINPID=1`), so each
 * value becomes one printable line. Pure.
 */
export function notifyLines(assignments: Assignments): string[] {
  return Object.entries(assignments).map(([key, value]) => `${key}=${printable(String(value), LONGEST_VALUE)}`);
}

/**
 * Whether two consecutive messages can be merged: both only report a state. Messages that mark a step (READY, RELOADING,
 * STOPPING) must each arrive, in their order. Pure.
 */
export function canMerge(earlier: Assignments, later: Assignments): boolean {
  return [earlier, later].every((message) => Object.keys(message).every((key) => MERGEABLE.has(key)));
}

const MERGEABLE: ReadonlySet<string> = new Set(['STATUS', 'WATCHDOG', 'EXTEND_TIMEOUT_USEC']);
