import { withDeadline } from '../../base/async/deadline.ts';
import { TunnelError } from '../../base/errors.ts';
import type { Link } from '../link/link.ts';

/** The outcome of a rotation for one link. */
export interface LinkRotation {
  readonly host: string;
  /** Why the sessions were not replaced; undefined when they were. After an error the old sessions still serve. */
  readonly error: TunnelError | undefined;
}

/** Healthy links rotate in less than a second; a login that hangs takes its own timeout. In milliseconds. */
const PATIENCE_MS = 30_000;

/** Waits until the link has replaced its sessions, or has failed for the first time. Never rejects. */
export async function rotationOf(link: Link): Promise<LinkRotation> {
  const late = () =>
    new TunnelError('connect_timeout', `the old SSH sessions were not replaced within ${PATIENCE_MS / 1000} s`);
  const outcome = withDeadline(PATIENCE_MS, undefined, late, (signal) => link.rotated(signal));
  const error = await outcome.catch(TunnelError.from);
  // Sessions replaced with the fallback, not with the new credential, count as an error.
  return { host: link.hostName, error: error ?? link.fallbackReason };
}
