import type { CutoverPhase, Route } from '../../telemetry/status/status.ts';

/** The phase of a cut-over. */
export interface Position {
  readonly phase: CutoverPhase;
  readonly since: Date;
  /** Why the cut-over was blocked or rolled back; null without a problem. */
  readonly reason: string | null;
}

/** An event of a cut-over. `reason` is one sentence for a person. */
export type CutoverEvent =
  | { readonly kind: 'asked' }
  /** All preflight checks passed. */
  | { readonly kind: 'cleared' }
  /** A preflight check failed, or the preflight was aborted. Nothing has changed. */
  | { readonly kind: 'blocked'; readonly reason: string }
  /** New connections are held; open ones have ended or stay on the tunnel. */
  | { readonly kind: 'quiet' }
  /** New connections go to the successor. */
  | { readonly kind: 'switched' }
  /** The successor has served for `verify_for`. */
  | { readonly kind: 'verified' }
  /** The cut-over must roll back: automatically, or on request. */
  | { readonly kind: 'failed'; readonly reason: string }
  /** New connections go through the tunnel again. */
  | { readonly kind: 'returned' };

const NEXT: Readonly<Record<CutoverPhase, Partial<Record<CutoverEvent['kind'], CutoverPhase>>>> = {
  idle: { asked: 'preflight' },
  preflight: { cleared: 'holding', blocked: 'idle' },
  holding: { quiet: 'switching', failed: 'rolling_back' },
  switching: { switched: 'verifying', failed: 'rolling_back' },
  verifying: { verified: 'committed', failed: 'rolling_back' },
  committed: { failed: 'rolling_back' },
  rolling_back: { returned: 'rolled_back' },
  rolled_back: { asked: 'preflight' },
};

/** The position after the event; undefined if the phase does not allow the event. Pure. */
export function next(position: Position, event: CutoverEvent, now: Date): Position | undefined {
  const phase = NEXT[position.phase][event.kind];
  if (phase === undefined) return undefined;
  // The reason of a rollback stays after the rollback.
  const reason = 'reason' in event ? event.reason : event.kind === 'returned' ? position.reason : null;
  return { phase, since: now, reason };
}

/** Whether a cut-over or rollback is in progress. */
export function isInProgress({ phase }: Pick<Position, 'phase'>): boolean {
  return phase !== 'idle' && phase !== 'committed' && phase !== 'rolled_back';
}

/**
 * The position in which a daemon resumes from the saved one. A phase is saved before it takes effect, so before the commit
 * the safe side is the tunnel. Pure.
 */
export function resume(position: Position, now: Date): Position {
  if (!isInProgress(position)) return position;
  const { phase } = position;
  const reason = position.reason ?? `the daemon ended during the phase ${phase}, before the commit`;
  return { phase: phase === 'preflight' ? 'idle' : 'rolled_back', since: now, reason };
}

/** The route of new connections while no cut-over is in progress. */
export function restingRoute({ phase }: Pick<Position, 'phase'>): Route {
  return phase === 'committed' ? 'successor' : 'tunnel';
}
