import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { VerdictFacts } from '../../../../src/retirement/drain/facts.ts';
import { judge } from '../../../../src/retirement/drain/verdict.ts';
import type { TunnelStateName } from '../../../../src/telemetry/status/status.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const NOW = Date.parse('2026-07-20T10:00:00Z');
const STEP = 5_000;
const ago = (ms: number) => NOW - ms;

/** Everything is proven; each test removes one proof. */
const RETIRABLE: VerdictFacts = {
  now: NOW,
  tunnel: 'hub',
  step: { id: '2.4', openWaves: [], openSteps: [], closedGates: [] },
  successor: { target: '127.0.0.1:8000', healthyForMs: HOUR, healthySince: ago(2 * HOUR), lastError: undefined },
  usage: { open: 0, held: 0, clients: [] },
  history: {
    spans: [{ from: ago(3 * DAY), until: NOW, state: 'up', serving: true, listening: true, begins: false }],
    lastActivityAt: ago(2 * DAY),
  },
  unwritten: undefined,
  quietForMs: DAY,
  holdMs: 10_000,
  slackMs: 5_000,
  dependents: [],
  cutoverSince: undefined,
  cutOver: true,
  rollback: 'fleet-mesh rollback hub',
};

const step = (fields: Partial<Exclude<VerdictFacts['step'], string>>) => ({
  step: { id: '2.4', openWaves: [], openSteps: [], closedGates: [], ...fields },
});
const history = (...spans: [number, number, TunnelStateName][]) => ({
  history: {
    spans: spans.map(([from, until, state]) => ({
      from,
      until,
      state,
      serving: state === 'up',
      listening: state !== 'stopped',
      begins: false,
    })),
    lastActivityAt: undefined,
  },
});
const successor = (healthySince: number | undefined, lastError?: string) => ({
  successor: { target: '127.0.0.1:8000', healthyForMs: HOUR, healthySince, lastError },
});

describe('judge', () => {
  it('calls a tunnel without findings retirable', () => {
    expect(judge(RETIRABLE)).toEqual({ verdict: 'retirable', blockers: [], unknowns: [] });
  });

  it.each<[string, Partial<VerdictFacts>, string, string]>([
    ['no step', { step: 'no step of the plan retires it' }, 'wave_open', 'no step of the plan retires it'],
    [
      'an open wave',
      step({ openWaves: ['1'], openSteps: ['2.1', '2.3'] }),
      'wave_open',
      'step 2.4 retires the tunnel but is not due: wave 1 is not complete, steps 2.1, 2.3 are not done',
    ],
    [
      'a closed gate',
      step({ closedGates: [{ id: 'state-hub-cutover', title: 'Cutover approval', owner: 'operator' }] }),
      'gate_closed',
      'an approval is missing: state-hub-cutover (Cutover approval; operator)',
    ],
    [
      'an unhealthy successor',
      successor(undefined, 'connection refused'),
      'successor_unhealthy',
      'successor 127.0.0.1:8000 is unhealthy: connection refused',
    ],
    [
      'a successor that is healthy for too short a time',
      successor(ago(HOUR - 1_000)),
      'successor_unhealthy',
      'successor 127.0.0.1:8000 has been healthy for 59m 59s; 1h required',
    ],
    [
      'a successor whose probes are too rare to prove the time',
      { successor: { ...successor(ago(2 * HOUR)).successor, provedUntil: ago(1.5 * HOUR) } },
      'successor_unhealthy',
      'successor 127.0.0.1:8000 has been healthy for 30m; 1h required',
    ],
    [
      'an open connection',
      { usage: { open: 1, held: 2, clients: ['activity-core'] } },
      'still_open',
      '1 connection open, 2 clients waiting (activity-core)',
    ],
    [
      'a waiting client',
      { usage: { open: 0, held: 1, clients: [] } },
      'still_open',
      '0 connections open, 1 client waiting',
    ],
    [
      'recent use',
      {
        history: { ...RETIRABLE.history, lastActivityAt: ago(DAY - 1) },
        usage: { open: 0, held: 0, clients: ['curl (pid 7)'] },
      },
      'recent_use',
      'last used 23h 59m ago by curl (pid 7)',
    ],
    [
      'use in the future, by a wrong clock',
      { history: { ...RETIRABLE.history, lastActivityAt: NOW + HOUR } },
      'recent_use',
      'last used 0s ago',
    ],
    ['a dependent tunnel', { dependents: ['inner'] }, 'dependent_tunnel', 'inner reaches its host through this tunnel'],
    ['a cut-over', { cutoverSince: ago(1_000) }, 'cutover_in_progress', 'a cut-over is in progress'],
    [
      'a port that still leads through the tunnel',
      { cutOver: false },
      'not_cut_over',
      'the local port still leads through the tunnel, not to the successor 127.0.0.1:8000',
    ],
    ['a missing rollback', { rollback: undefined }, 'no_rollback', 'drain.rollback is not set'],
  ])('calls a tunnel blocked for %s', (_, change, code, message) => {
    const { verdict, blockers, unknowns } = judge({ ...RETIRABLE, ...change });
    expect(verdict).toBe('blocked');
    expect(blockers.map((found) => [found.code, found.message])).toEqual([[code, message]]);
    expect(unknowns).toEqual([]);
  });

  it.each<[string, Partial<VerdictFacts>, string]>([
    ['the tunnel was never watched', history(), 'observation_gap'],
    ['the tunnel is not watched now', history([ago(3 * DAY), ago(10_000), 'up']), 'observation_gap'],
    ['the tunnel is watched for too short a time', history([ago(DAY - 1), NOW, 'up']), 'observation_gap'],
    [
      'there is a gap in the window',
      history([ago(3 * DAY), ago(HOUR), 'up'], [ago(HOUR - 1), NOW, 'up']),
      'observation_gap',
    ],
    [
      'the tunnel was down in the window',
      history(
        [ago(3 * DAY), ago(HOUR), 'up'],
        [ago(HOUR), ago(HOUR - 11_000), 'down'],
        [ago(HOUR - 11_000), NOW, 'up'],
      ),
      'down_in_window',
    ],
    [
      'the tunnel was stopped a moment ago',
      history([ago(3 * DAY), NOW, 'up'], [NOW, NOW, 'stopped']),
      'down_in_window',
    ],
    [
      'several short bad states follow each other',
      history(
        [ago(3 * DAY), ago(HOUR), 'up'],
        [ago(HOUR), ago(HOUR - 6_000), 'down'],
        [ago(HOUR - 6_000), ago(HOUR - 12_000), 'degraded'],
        [ago(HOUR - 12_000), NOW, 'up'],
      ),
      'down_in_window',
    ],
    ['the tunnel is unverified', history([ago(3 * DAY), NOW, 'unverified']), 'down_in_window'],
  ])('calls the verdict unknown when %s', (_, change, code) => {
    const { verdict, blockers, unknowns } = judge({ ...RETIRABLE, ...change });
    expect([verdict, blockers, unknowns.map((found) => found.code)]).toEqual(['unknown', [], [code]]);
  });

  it('ignores an outage shorter than the hold, because waiting clients were counted', () => {
    const short = history(
      [ago(3 * DAY), ago(HOUR), 'up'],
      [ago(HOUR), ago(HOUR - 9_000), 'down'],
      [ago(HOUR - 9_000), NOW, 'up'],
    );
    expect(judge({ ...RETIRABLE, ...short }).verdict).toBe('retirable');
  });

  it('requires no successor when none is configured', () => {
    expect(judge({ ...RETIRABLE, successor: undefined }).verdict).toBe('retirable');
  });

  it('says when a finding clears by itself', () => {
    const { unknowns } = judge({ ...RETIRABLE, ...history([ago(HOUR), NOW, 'up']) });
    expect(unknowns[0]).toMatchObject({
      since: new Date(ago(HOUR)),
      clearsAt: new Date(NOW + 23 * HOUR),
      clearsByItself: true,
    });
  });

  it('names all findings at once', () => {
    const { blockers, unknowns } = judge({
      ...RETIRABLE,
      ...history(),
      step: 'no plan',
      successor: undefined,
      dependents: ['inner'],
      rollback: undefined,
    });
    expect(blockers.map(({ code }) => code)).toEqual(['wave_open', 'dependent_tunnel', 'no_rollback']);
    expect(unknowns.map(({ code }) => code)).toEqual(['observation_gap']);
  });
});

describe('judge, for any facts', () => {
  const state = fc.constantFrom<TunnelStateName>('up', 'up', 'up', 'down', 'degraded', 'unverified', 'stopped');
  const moment = fc.integer({ min: ago(3 * DAY), max: NOW });
  const spans = fc.uniqueArray(moment, { minLength: 0, maxLength: 6 }).chain((times) => {
    const sorted = times.toSorted((a, b) => a - b);
    const pairs = sorted.slice(1).map((until, index) => ({ from: sorted[index] ?? 0, until }));
    return fc.tuple(
      ...pairs.map((pair) =>
        state.map((each) => ({
          ...pair,
          state: each,
          serving: each === 'up',
          listening: each !== 'stopped',
          begins: false,
        })),
      ),
    );
  });
  const facts: fc.Arbitrary<VerdictFacts> = fc.record({
    now: fc.constant(NOW),
    tunnel: fc.constant('hub'),
    step: fc.oneof(
      fc.constant('no plan'),
      fc.record({
        id: fc.constant('2.4'),
        openWaves: fc.constantFrom<string[]>([], [], [], ['1']),
        openSteps: fc.constantFrom<string[]>([], [], [], ['2.1']),
        closedGates: fc.constantFrom<{ id: string; title: string; owner: string }[]>(
          [],
          [],
          [{ id: 'g', title: 't', owner: 'o' }],
        ),
      }),
    ),
    successor: fc.option(
      fc.record({
        target: fc.constant('127.0.0.1:1'),
        healthyForMs: fc.constant(HOUR),
        healthySince: fc.option(moment, { nil: undefined }),
        lastError: fc.constant(undefined),
      }),
      { nil: undefined },
    ),
    usage: fc.record({
      open: fc.constantFrom(0, 0, 0, 1),
      held: fc.constantFrom(0, 0, 0, 1),
      clients: fc.constant([]),
    }),
    history: fc.record({
      spans: fc.oneof(
        spans,
        fc.constant([
          { from: ago(3 * DAY), until: NOW, state: 'up' as const, serving: true, listening: true, begins: false },
        ]),
      ),
      lastActivityAt: fc.option(moment, { nil: undefined }),
    }),
    unwritten: fc.option(fc.constant({ since: undefined, message: 'the disk is full' }), { nil: undefined, freq: 1 }),
    quietForMs: fc.constantFrom(HOUR, DAY),
    holdMs: fc.constant(10_000),
    slackMs: fc.constant(5_000),
    dependents: fc.constantFrom<string[]>([], [], ['inner']),
    cutoverSince: fc.option(moment, { nil: undefined, freq: 1 }),
    cutOver: fc.boolean(),
    rollback: fc.option(fc.constant('back'), { nil: undefined }),
  });

  it('never calls a tunnel retirable while anything is unproven', () => {
    let retirable = 0;
    fc.assert(
      fc.property(facts, (given) => {
        const { verdict, blockers, unknowns } = judge(given);
        expect(verdict === 'retirable').toBe(blockers.length + unknowns.length === 0);
        if (verdict !== 'retirable') return;
        retirable++;
        const { step: due, usage, history: seen, quietForMs, now } = given;
        if (typeof due === 'string') throw new Error('retirable without a step');
        expect([due.openWaves, due.openSteps, due.closedGates, given.dependents]).toEqual([[], [], [], []]);
        expect([usage.open, usage.held, given.cutoverSince]).toEqual([0, 0, undefined]);
        expect(given.rollback).toBeDefined();
        expect(given.unwritten).toBeUndefined();
        if (given.successor) expect(given.cutOver).toBe(true);
        if (given.successor) expect(now - (given.successor.healthySince ?? now)).toBeGreaterThanOrEqual(HOUR);
        expect(now - (seen.lastActivityAt ?? 0)).toBeGreaterThanOrEqual(quietForMs);
        // A naive second check, step by step: the tunnel was watched, and no outage lasted.
        let bad = 0;
        for (let at = now - quietForMs; at < now - given.slackMs; at += STEP) {
          const span = seen.spans.find(({ from, until }) => from <= at && at < until);
          if (!span) throw new Error('retirable although the tunnel was not watched');
          bad = span.state === 'up' ? 0 : bad + STEP;
          if (bad > given.holdMs + STEP) throw new Error('retirable although the tunnel was down');
        }
      }),
      { numRuns: 2_000, examples: [[RETIRABLE]] },
    );
    expect(retirable).toBeGreaterThan(0);
  });
});
