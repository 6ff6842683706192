import type { CutoverPhase, Route } from '../../telemetry/status/status.ts';

/** Where a cut-over has come to. */
export interface Position {
  readonly phase: CutoverPhase;
  readonly since: Date;
  /** Why it is not on its way or done; null where all goes well. */
  readonly reason: string | null;
}

/** What happens to a cut-over. `reason` is one sentence for a person. */
export type CutoverEvent =
  | { readonly kind: 'asked' }
  /** The preflight found nothing against it. */
  | { readonly kind: 'cleared' }
  /** The preflight found something, or was given up: nothing has been changed yet. */
  | { readonly kind: 'blocked'; readonly reason: string }
  /** New connections are held, and those that are running have ended or go on where they are. */
  | { readonly kind: 'quiet' }
  /** New connections go to the successor. */
  | { readonly kind: 'switched' }
  /** The successor has served for `verify_for`. */
  | { readonly kind: 'verified' }
  /** It is to go back: by itself, or because somebody wants it. */
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

/** The position after the event; undefined where that does not belong there: too late, or out of turn. Pure. */
export function next(position: Position, event: CutoverEvent, now: Date): Position | undefined {
  const phase = NEXT[position.phase][event.kind];
  if (phase === undefined) return undefined;
  // Why it went back stays known when it has come back.
  const reason = 'reason' in event ? event.reason : event.kind === 'returned' ? position.reason : null;
  return { phase, since: now, reason };
}

/** Whether a cut-over is under way: neither done nor undone. */
export function isUnderWay({ phase }: Pick<Position, 'phase'>): boolean {
  return phase !== 'idle' && phase !== 'committed' && phase !== 'rolled_back';
}

/**
 * Where a daemon goes on that finds this position on the disk, written before whatever it announces was done: before the
 * commit on the side of the tunnel, which nothing has touched. Pure.
 */
export function resume(position: Position, now: Date): Position {
  if (!isUnderWay(position)) return position;
  const { phase } = position;
  const reason = position.reason ?? `the daemon ended in the phase ${phase} of a cut-over, before its commit`;
  return { phase: phase === 'preflight' ? 'idle' : 'rolled_back', since: now, reason };
}

/** Where new connections go at a position that is not on its way. */
export function restingRoute({ phase }: Pick<Position, 'phase'>): Route {
  return phase === 'committed' ? 'successor' : 'tunnel';
}
