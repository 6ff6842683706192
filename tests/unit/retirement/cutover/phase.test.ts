import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type CutoverEvent,
  isInProgress,
  next,
  type Position,
  restingRoute,
  resume,
} from '../../../../src/retirement/cutover/phase.ts';
import { CUTOVER_PHASES, type CutoverPhase } from '../../../../src/telemetry/status/status.ts';

const NOW = new Date('2026-11-21T12:00:00Z');
const LATER = new Date('2026-11-21T12:00:05Z');
const at = (phase: CutoverPhase, reason: string | null = null): Position => ({ phase, since: NOW, reason });
const event = (kind: CutoverEvent['kind']): CutoverEvent =>
  kind === 'blocked' || kind === 'failed' ? { kind, reason: 'why' } : { kind };
const KINDS = ['asked', 'cleared', 'blocked', 'quiet', 'switched', 'verified', 'failed', 'returned'] as const;

describe('the phases of a cut-over', () => {
  test.each<[CutoverPhase, CutoverEvent['kind'], CutoverPhase]>([
    ['idle', 'asked', 'preflight'],
    ['preflight', 'cleared', 'holding'],
    ['preflight', 'blocked', 'idle'],
    ['holding', 'quiet', 'switching'],
    ['holding', 'failed', 'rolling_back'],
    ['switching', 'switched', 'verifying'],
    ['switching', 'failed', 'rolling_back'],
    ['verifying', 'verified', 'committed'],
    ['verifying', 'failed', 'rolling_back'],
    ['committed', 'failed', 'rolling_back'],
    ['rolling_back', 'returned', 'rolled_back'],
    ['rolled_back', 'asked', 'preflight'],
  ])('lead from %s by the event %s to %s', (phase, kind, expected) => {
    expect(next(at(phase), event(kind), LATER)).toMatchObject({ phase: expected, since: LATER });
  });

  test('allow exactly twelve events', () => {
    const taken = CUTOVER_PHASES.flatMap((phase) => KINDS.filter((kind) => next(at(phase), event(kind), NOW)));
    expect(taken).toHaveLength(12);
  });

  test('keep the reason of a rollback until the next attempt', () => {
    const back = next(at('verifying'), { kind: 'failed', reason: 'it answers 503' }, NOW) ?? at('idle');
    const done = next(back, { kind: 'returned' }, LATER) ?? at('idle');
    expect(done).toEqual({ phase: 'rolled_back', since: LATER, reason: 'it answers 503' });
    expect(next(done, { kind: 'asked' }, LATER)?.reason).toBeNull();
  });

  test.each<[CutoverPhase, CutoverPhase, 'tunnel' | 'successor']>([
    ['idle', 'idle', 'tunnel'],
    ['preflight', 'idle', 'tunnel'],
    ['holding', 'rolled_back', 'tunnel'],
    ['switching', 'rolled_back', 'tunnel'],
    ['verifying', 'rolled_back', 'tunnel'],
    ['committed', 'committed', 'successor'],
    ['rolling_back', 'rolled_back', 'tunnel'],
    ['rolled_back', 'rolled_back', 'tunnel'],
  ])('resume after a crash in %s as %s, on the route %s', (phase, expected, route) => {
    const resumed = resume(at(phase), LATER);
    expect([resumed.phase, restingRoute(resumed)]).toEqual([expected, route]);
    if (phase !== expected) expect(resumed.reason).toContain(phase);
  });

  test('resume safely after any events and crashes', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...KINDS, 'crash' as const)), (happenings) => {
        let position = at('idle');
        let verified = false;
        for (const kind of happenings) {
          const before = position;
          position = kind === 'crash' ? resume(position, LATER) : (next(position, event(kind), LATER) ?? position);
          if (kind === 'crash') expect(isInProgress(position)).toBe(false);
          // The port belongs to the successor only from the end of a verification until a rollback.
          if (position.phase === 'verifying') verified = false;
          if (kind === 'verified' && before.phase === 'verifying') verified = true;
          if (position.phase === 'rolling_back') verified = false;
          expect(restingRoute(resume(position, LATER))).toBe(verified ? 'successor' : 'tunnel');
          expect(resume(resume(position, NOW), LATER)).toEqual(resume(position, NOW));
        }
      }),
      { numRuns: 300 },
    );
  });
});
