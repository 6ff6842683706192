import { printable } from '../../base/text/printable.ts';

/** What can be told to a service manager (sd_notify(3)), as far as this program has something to say. */
export interface Assignments {
  readonly READY?: 1;
  readonly RELOADING?: 1;
  readonly STOPPING?: 1;
  readonly WATCHDOG?: 1;
  readonly MONOTONIC_USEC?: bigint;
  readonly EXTEND_TIMEOUT_USEC?: number;
  readonly STATUS?: string;
}

/** systemd throws a message away whole that is longer than PIPE_BUF (4096 bytes); a character has at most four. */
const LONGEST_VALUE = 500;

/**
 * The lines of one message. A newline in a value would begin another assignment (`STATUS=x\nMAINPID=1`), so each is made
 * one printable line. Pure.
 */
export function notifyLines(assignments: Assignments): string[] {
  return Object.entries(assignments).map(([key, value]) => `${key}=${printable(String(value), LONGEST_VALUE)}`);
}

/**
 * Whether two messages in a row may be told as one: both only say how things stand. Those that mark a step (READY,
 * RELOADING, STOPPING) must each arrive, in their order. Pure.
 */
export function canMerge(earlier: Assignments, later: Assignments): boolean {
  return [earlier, later].every((message) => Object.keys(message).every((key) => MERGEABLE.has(key)));
}

const MERGEABLE: ReadonlySet<string> = new Set(['STATUS', 'WATCHDOG', 'EXTEND_TIMEOUT_USEC']);
