import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AcceptanceFacts } from '../../../../src/retirement/acceptance/facts.ts';
import { Gathering } from '../../../../src/retirement/acceptance/gathering.ts';
import { LONGEST_UNCHECKED_MS } from '../../../../src/retirement/acceptance/host.ts';
import { judge } from '../../../../src/retirement/acceptance/judge.ts';
import { LONGEST_SILENCE_MS } from '../../../../src/retirement/evidence/history.ts';
import type { Routes } from '../../../../src/retirement/evidence/routes.ts';
import { chainOf, linesOf, ROUTES, type Story } from '../../../support/fakes/evidence-story.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const FROM = Date.parse('2026-07-20T10:00:00Z');
/** The daemon watched for half an hour more than the window. */
const BEGUN = FROM - 30 * MINUTE;
const UNTIL = FROM + 2 * HOUR;
const at = (minutes: number) => FROM + minutes * MINUTE;
const iso = (time: number) => new Date(time).toISOString();

interface Case extends Partial<Story> {
  readonly facts?: Partial<AcceptanceFacts>;
  readonly offline?: string;
}

function judged({ facts = {}, offline = 'workstation', ...story }: Case) {
  const gathering = new Gathering({ host: offline, windowMs: 2 * HOUR, notAfter: facts.now ?? UNTIL });
  for (const { entry, head } of chainOf(linesOf({ from: BEGUN, until: UNTIL, ...story }))) gathering.read(entry, head);
  return judge({
    ...gathering.gathered,
    now: UNTIL,
    node: 'railiance01',
    machine: 'ours',
    offline,
    log: { problems: [], endKnown: true },
    plan: { kind: 'read', path: 'plan.yaml', sha256: 'p', movingThere: [], stillThere: [] },
    ...facts,
  });
}
const codes = (story: Case) => [...new Set(judged(story).reasons.map(({ code }) => code))];
const routed = (changes: Partial<Routes>): Pick<Story, 'routes'> => ({ routes: { ...ROUTES, ...changes } });
const changed = (minute: number, changes: Partial<Routes>): Pick<Story, 'extra'> => ({
  extra: [{ at: at(minute), event: 'config.in_force', ...ROUTES, ...changes }],
});

const started = (minute: number, origin: Record<string, unknown>): Pick<Story, 'extra'> => ({
  extra: [
    { at: at(minute), event: 'daemon.started', version: '0.1.0', config_sha256: '', node: 'railiance01', ...origin },
    { at: at(minute), event: 'config.in_force', ...ROUTES },
  ],
});

describe('the acceptance', () => {
  it('passes when every production tunnel served and the host was unreachable throughout', () => {
    expect(judged({})).toEqual({
      verdict: 'PASS',
      reasons: [],
      remarks: [expect.stringContaining('never shows workstation reachable')],
      tunnels: [
        {
          name: 'hub',
          availability: 1,
          outages: 0,
          longest_outage: null,
          gaps: [],
          way: ['coulombcore'],
          target: '10.43.170.94:8000',
        },
      ],
      host: {
        name: 'workstation',
        addresses: ['bnt-lap001:22'],
        unreachable_throughout: true,
        checks: 241,
        longest_pause_ms: 30_000,
        codes: ['connect_timeout'],
        last_seen_before: null,
      },
    });
  });

  it.each<[string, Case]>([
    ['of this machine', { machine: 'ours' }],
    ['of one machine, judged elsewhere', { machine: 'another', facts: { machine: undefined } }],
    ['of a machine without an id', { machine: null }],
  ])('accepts evidence %s', (_, story) => {
    const { reasons } = judged(story);
    expect(reasons).toEqual([]);
  });

  it('passes with a reload that changes no route', () => {
    expect(judged(changed(50, { config_sha256: 'd'.repeat(64) })).verdict).toBe('PASS');
  });

  it('remarks that the host was reachable before the window, which shows that the check works', () => {
    const { verdict, host, remarks } = judged({ seen: [{ from: at(-20), until: at(-10) }] });
    expect([verdict, host.last_seen_before]).toEqual(['PASS', iso(at(-10))]);
    expect(remarks[0]).toContain(`last reachable until ${iso(at(-10))}`);
  });

  it.each<[string, Case, string[]]>([
    ['an outage', { outages: [{ from: at(10), until: at(11) }] }, ['outage']],
    ['an outage that has not ended', { outages: [{ from: at(119), until: at(200) }] }, ['outage']],
    ['an outage that began before the window', { outages: [{ from: at(-9), until: at(1) }] }, ['outage']],
    ['a tunnel out of service', { outages: [{ from: at(1), until: at(3), state: 'stopped' }] }, ['outage']],
    [
      'an unverified tunnel',
      { outages: [{ from: at(1), until: at(3), state: 'unverified' }] },
      ['outage', 'unverified'],
    ],
    [
      'a daemon that started after the beginning',
      { from: at(5) },
      ['observation_gap', 'host_unchecked', 'routes_unknown'],
    ],
    ['a silent daemon', { silences: [{ from: at(10), until: at(20) }] }, ['observation_gap', 'host_unchecked']],
    ['evidence that ended long ago', { facts: { now: UNTIL + 10 * MINUTE } }, ['evidence_too_old']],
    ['no evidence at all', { facts: { now: BEGUN - 1 } }, ['no_evidence']],
    [
      'damaged evidence',
      { facts: { log: { problems: [{ file: 'f', line: 7, message: 'was changed' }], endKnown: true } } },
      ['evidence_damaged'],
    ],
    ['a copied state directory of another node', routed({ node: 'railiance02' }), ['evidence_of_another_node']],
    ['a configuration that was renamed', { facts: { node: 'railiance02' } }, ['evidence_of_another_node']],
    ['a node that was renamed in the window', changed(50, { node: 'railiance02' }), ['evidence_of_another_node']],
    ['a copy of a node of the same name', { machine: 'another' }, ['evidence_of_another_node']],
    [
      'a chain of two machines of the same name, judged elsewhere',
      { ...started(50, { machine: 'another' }), machine: 'ours', facts: { machine: undefined } },
      ['evidence_of_another_node', 'observation_gap'],
    ],
    ['a missing head', { facts: { log: { problems: [], endKnown: false } } }, ['evidence_end_unknown']],
    ['a host that was reachable', { seen: [{ from: at(10), until: at(12) }] }, ['host_seen']],
    ['a host that was reachable from before the window', { seen: [{ from: at(-5), until: at(1) }] }, ['host_seen']],
    ['a failed look', { seen: [{ from: at(10), until: at(12), state: 'unknown' }] }, ['host_unknown']],
    ['a pause without looks', { unlooked: [{ from: at(10), until: at(20) }] }, ['host_unchecked']],
    ['no looks at the end', { unlooked: [{ from: at(110), until: at(200) }] }, ['host_unchecked']],
    ['no looks at all', { unlooked: [{ from: BEGUN, until: UNTIL + 1 }], seen: [] }, ['host_unchecked']],
    ['a host that was not watched', { offline: 'haskelseed' }, ['host_unchecked', 'host_not_watched']],
    [
      'a route through the workstation',
      routed({ production: { hub: { way: ['coulombcore', 'workstation'], target: null } } }),
      ['workstation_route'],
    ],
    [
      'a target on the workstation',
      routed({ production: { hub: { way: ['coulombcore'], target: 'bnt-lap001:8000' } } }),
      ['workstation_route'],
    ],
    [
      'a node that is the workstation',
      { ...routed({ node: 'workstation' }), facts: { node: 'workstation' } },
      ['workstation_route'],
    ],
    [
      'a temporary route through the workstation',
      changed(-10, { production: { hub: { way: ['workstation'], target: null } } }),
      ['workstation_route'],
    ],
    ['no production tunnel', routed({ production: {} }), ['no_production']],
    ['a tunnel that left production', changed(60, { production: {} }), ['production_changed']],
    [
      'a changed address of the workstation',
      changed(60, { workstations: { workstation: 'elsewhere:22' } }),
      ['host_address_changed'],
    ],
    ['a workstation that left the configuration', changed(60, { workstations: {} }), ['host_not_watched']],
    ['an unusable plan', { facts: { plan: { kind: 'unusable', path: 'p', error: 'e' } } }, ['plan_unusable']],
    [
      'a plan that moves a workload to the host',
      { facts: { plan: { kind: 'read', path: 'p', sha256: 's', movingThere: ['row 1 (x)'], stillThere: [] } } },
      ['plan_route'],
    ],
  ])('fails for %s', (_, story, expected) => {
    expect(judged(story).verdict).toBe('FAIL');
    expect(codes(story)).toEqual(expected);
  });

  it('reports unknown routes when the daemon recorded none', () => {
    const lines = linesOf({ from: BEGUN, until: UNTIL }).filter(({ event }) => event !== 'config.in_force');
    const gathering = new Gathering({ host: 'workstation', windowMs: HOUR, notAfter: UNTIL });
    for (const { entry, head } of chainOf(lines)) gathering.read(entry, head);
    const facts = {
      now: UNTIL,
      offline: 'workstation',
      log: { problems: [], endKnown: true },
      plan: { kind: 'none' },
    } as const;
    const { reasons } = judge({ ...gathering.gathered, node: 'railiance01', machine: 'ours', ...facts });
    expect(reasons.map(({ code }) => code)).toEqual(['no_production', 'routes_unknown']);
  });

  it('does not take a loopback target for the workstation, whatever address the workstation has', () => {
    const routes = routed({
      production: { hub: { way: ['coulombcore'], target: '127.0.0.1:8000' } },
      workstations: { workstation: '127.0.0.1:22' },
    });
    expect(judged(routes).verdict).toBe('PASS');
  });

  it('names the same window and head, whatever was recorded later', () => {
    const gathered = (until: number) => {
      const gathering = new Gathering({ host: 'workstation', windowMs: HOUR, notAfter: UNTIL });
      for (const { entry, head } of chainOf(linesOf({ from: BEGUN, until }))) gathering.read(entry, head);
      const { window, head } = gathering.gathered;
      return { window, head };
    };
    expect(gathered(UNTIL + HOUR)).toEqual(gathered(UNTIL));
    expect(gathered(UNTIL)).toMatchObject({ window: { from: at(60), until: UNTIL }, head: { seq: 155 } });
  });

  /** A period within the window, at least `shortest` milliseconds long. */
  const stretch = (shortest: number) =>
    fc
      .record({ from: fc.integer({ min: 1, max: 2 * HOUR - shortest }), ms: fc.integer({ min: shortest, max: HOUR }) })
      .map(({ from, ms }) => ({ from: FROM + from, until: Math.min(FROM + from + ms, UNTIL) }));
  const runs = { numRuns: 30 };

  it('fails for an outage of any length, and names its times', () => {
    fc.assert(
      fc.property(stretch(1), (outage) => {
        const { verdict, reasons, tunnels } = judged({ outages: [outage] });
        expect(verdict).toBe('FAIL');
        expect(reasons).toMatchObject([{ code: 'outage', from: iso(outage.from), until: iso(outage.until) }]);
        expect(tunnels[0]?.availability).toBeLessThan(1);
        expect(tunnels[0]?.longest_outage?.ms).toBe(outage.until - outage.from);
      }),
      runs,
    );
  });

  it('fails for a host that was reachable once, however shortly, and names the time', () => {
    fc.assert(
      fc.property(stretch(1), (seen) => {
        const { verdict, reasons, host } = judged({ seen: [seen] });
        expect([verdict, host.unreachable_throughout]).toEqual(['FAIL', false]);
        expect(reasons).toMatchObject([{ code: 'host_seen', from: iso(seen.from), until: iso(seen.until) }]);
      }),
      runs,
    );
  });

  it('fails for a silence of the daemon at any time', () => {
    fc.assert(
      fc.property(stretch(LONGEST_SILENCE_MS + MINUTE), (silence) => {
        expect(codes({ silences: [silence] })).toEqual(expect.arrayContaining(['host_unchecked']));
        expect(judged({ silences: [silence] }).verdict).toBe('FAIL');
      }),
      runs,
    );
  });

  it('fails for a pause without looks at any time', () => {
    fc.assert(
      fc.property(stretch(LONGEST_UNCHECKED_MS + MINUTE), (unlooked) => {
        expect(codes({ unlooked: [unlooked] })).toEqual(['host_unchecked']);
      }),
      runs,
    );
  });
});
