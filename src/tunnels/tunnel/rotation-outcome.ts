import { withDeadline } from '../../base/async/deadline.ts';
import { TunnelError } from '../../base/errors.ts';
import type { Link } from '../link/link.ts';

/** What became of one link when its actor's credential was replaced. */
export interface LinkRotation {
  readonly host: string;
  /** Why its sessions were not replaced; undefined when they were. The old ones serve on then, and it goes on being tried. */
  readonly error: TunnelError | undefined;
}

/** A rotation of healthy links takes well under a second; a login that hangs takes its own time-out. In milliseconds. */
const PATIENCE_MS = 30_000;

/** Waits until the link has replaced its sessions, or has failed to for the first time. Never rejects. */
export async function rotationOf(link: Link): Promise<LinkRotation> {
  const late = () =>
    new TunnelError('connect_timeout', `the sessions were not replaced within ${PATIENCE_MS / 1000} s`);
  const outcome = withDeadline(PATIENCE_MS, undefined, late, (signal) => link.rotated(signal));
  const error = await outcome.catch(TunnelError.from);
  // Replaced, but by what stands in for the new credential.
  return { host: link.hostName, error: error ?? link.standIn };
}
