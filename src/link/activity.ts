import type { TunnelError } from '../errors.ts';
import type { LinkState } from '../health/status.ts';
import type { JumpLink } from './jump.ts';

/** What a link's one loop is doing. */
export type Activity =
  | { readonly kind: 'idle' }
  | { readonly kind: 'connecting' }
  /** The jump host's link is down: it makes the attempts, nothing is to be done here until it is up. */
  | { readonly kind: 'stranded'; readonly jump: JumpLink; readonly error: TunnelError | undefined }
  | { readonly kind: 'waiting'; readonly since: number; readonly delayMs: number };

/** The state of a link without a session, as `/status` shows it. A stranded link's is that of its jump host's. Pure. */
export function stateWithoutSession(activity: Activity, lastError: TunnelError | undefined): LinkState {
  if (activity.kind === 'stranded') return activity.jump.ready ? 'connecting' : activity.jump.state;
  if (activity.kind !== 'waiting') return 'connecting';
  return lastError?.retryable === false ? 'blocked' : 'backoff';
}

/** When the next attempt starts; undefined while one is under way or none is needed. `now` as of performance.now(). */
export function nextAttemptAt(activity: Activity, now: number): Date | undefined {
  if (activity.kind === 'stranded') return activity.jump.nextAttemptAt;
  if (activity.kind !== 'waiting') return undefined;
  return new Date(Date.now() + Math.max(0, activity.since + activity.delayMs - now));
}
