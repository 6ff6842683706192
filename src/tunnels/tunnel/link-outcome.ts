import { withDeadline } from '../../base/async/deadline.ts';
import { TunnelError } from '../../base/errors.ts';
import type { Link } from '../link/link.ts';

/** How a link took a new credential, or new settings. */
export interface LinkOutcome {
  readonly host: string;
  readonly actor: string;
  /** Why no new session serves; undefined when one does. After an error the old sessions still serve. */
  readonly error: TunnelError | undefined;
}

/** Healthy links rotate in less than a second; a login that hangs takes its own timeout. In milliseconds. */
const ROTATION_MS = 30_000;

/** `fleet-mesh reload` waits this long for the first session with new settings, in milliseconds. */
const FIRST_LOGIN_MS = 10_000;

/** Waits until the link has replaced its sessions, or has failed for the first time. Never rejects. */
export async function rotationOf(link: Link): Promise<LinkOutcome> {
  const late = `the old SSH sessions were not replaced within ${ROTATION_MS / 1000} s`;
  const outcome = await outcomeOf(link, ROTATION_MS, late, (signal) => link.rotated(signal));
  // Sessions replaced with the fallback, not with the new credential, count as an error.
  return { ...outcome, error: outcome.error ?? link.fallbackReason };
}

/** Waits until a session with the link's new settings is up, or until the first attempt has failed. Never rejects. */
export function firstLoginOf(link: Link): Promise<LinkOutcome> {
  const late = `no SSH session to ${link.hostName} with the new settings within ${FIRST_LOGIN_MS / 1000} s`;
  return outcomeOf(link, FIRST_LOGIN_MS, late, (signal) => link.firstLogin(signal));
}

async function outcomeOf(
  link: Link,
  patienceMs: number,
  late: string,
  wait: (signal: AbortSignal) => Promise<TunnelError | undefined>,
): Promise<LinkOutcome> {
  const expired = () => new TunnelError('connect_timeout', late);
  const error = await withDeadline(patienceMs, undefined, expired, wait).catch(TunnelError.from);
  return { host: link.hostName, actor: link.actorName, error };
}
