import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { TunnelConfig } from '../../../../src/config/config.ts';
import { loadConfig } from '../../../../src/config/load.ts';
import { outsideOfUnit } from '../../../../src/config/paths.ts';
import { gather, type Known } from '../../../../src/retirement/drain/gather.ts';
import { judge } from '../../../../src/retirement/drain/verdict.ts';
import { realPlan } from '../../../support/fakes/plan-fixture.ts';

const CONFIG = fileURLToPath(new URL('../../../../config/railiance01-tunnels.yaml', import.meta.url));
const NOW = Date.parse('2026-07-20T10:00:00Z');
const DAY = 86_400_000;

describe('the shipped configuration and plan', async () => {
  const config = await loadConfig(CONFIG, outsideOfUnit({ HOME: '/home/fleet' }));
  /** Watched for two days and never used: only the plan decides. */
  const verdictOn = (name: string) => {
    const tunnel = config.tunnels.get(name);
    if (!tunnel?.drain) throw new Error(`${name} has no drain section`);
    const { successor } = tunnel.drain;
    const known: Known = {
      now: NOW,
      config,
      plan: {
        path: 'drain-plan.yaml',
        plan: realPlan(),
        loadedAt: new Date(NOW),
        lastLoad: { ok: true, at: new Date(NOW), error: null },
      },
      usage: { open: 0, held: 0, last_activity_at: null },
      history: {
        spans: [{ from: NOW - 2 * DAY, until: NOW, state: 'up', serving: true, listening: true, begins: true }],
        lastActivityAt: undefined,
      },
      successor: successor && {
        target: '127.0.0.1:8000',
        healthyForMs: successor.healthyForMs,
        healthySince: NOW - DAY,
        lastError: undefined,
      },
      unwritten: undefined,
      clients: [],
      cutoverSince: undefined,
      cutOver: true,
    };
    return judge(gather(tunnel as TunnelConfig & { drain: NonNullable<TunnelConfig['drain']> }, known));
  };

  it('block the State Hub tunnel until the forge, the earlier steps and the approval are done', () => {
    const { verdict, blockers, unknowns } = verdictOn('fleet-state-hub-coulombcore');
    expect(verdict).toBe('blocked');
    expect(blockers.map(({ message }) => message)).toEqual([
      'step 2.4 retires the tunnel but is not due: wave 1 is not complete, steps 2.1, 2.2, 2.3 are not done',
      'an approval is missing: state-hub-cutover (State Hub railiance01 cutover approval; operator)',
    ]);
    expect(unknowns).toEqual([]);
  });

  it('block the issue-core tunnel until the forge and the earlier steps are done', () => {
    const { verdict, blockers, unknowns } = verdictOn('fleet-issue-core-coulombcore');
    expect(verdict).toBe('blocked');
    expect(blockers.map(({ message }) => message)).toEqual([
      'step 4.3 retires the tunnel but is not due: wave 1 is not complete, steps 4.1, 4.2 are not done',
    ]);
    expect(unknowns).toEqual([]);
  });
});
