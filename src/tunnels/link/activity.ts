import type { TunnelError } from '../../base/errors.ts';
import type { LinkState } from '../../telemetry/status/status.ts';
import type { JumpLink } from './jump.ts';

export interface Waiting {
  readonly kind: 'waiting';
  readonly since: number;
  readonly delayMs: number;
  readonly because: TunnelError;
  /** Why the loop waits: an attempt failed, or a session was lost. */
  readonly after: 'attempt' | 'loss';
}

/**
 * What a link's loop is doing. A session lost during an attempt leaves a wait `owed`, even if the attempt succeeds.
 * `stranded`: the jump host's link is down and makes the attempts. This link waits until that link is up.
 */
export type Activity =
  | { readonly kind: 'idle' }
  | { readonly kind: 'connecting'; readonly owed: Waiting | undefined }
  | { readonly kind: 'stranded'; readonly jump: JumpLink; readonly error: TunnelError | undefined }
  | Waiting;

/**
 * Whether a wait for a lost session is owed already. Sessions lost before the next attempt count as one event. Pure.
 */
export function owesWaitForLoss(activity: Activity): boolean {
  const wait = activity.kind === 'connecting' ? activity.owed : activity;
  return wait?.kind === 'waiting' && wait.after === 'loss';
}

/** The state of a link without a session, as `/status` shows it. Pure. */
export function stateWithoutSession(activity: Activity): LinkState {
  if (activity.kind === 'stranded') return activity.jump.ready ? 'connecting' : activity.jump.state;
  if (activity.kind !== 'waiting') return 'connecting';
  return activity.because.retryable ? 'backoff' : 'blocked';
}

/** When the next attempt starts; undefined while one is under way or none is needed. `now` as of performance.now(). */
export function nextAttemptAt(activity: Activity, now: number): Date | undefined {
  if (activity.kind === 'stranded') return activity.jump.nextAttemptAt;
  if (activity.kind !== 'waiting') return undefined;
  return new Date(Date.now() + Math.max(0, activity.since + activity.delayMs - now));
}
