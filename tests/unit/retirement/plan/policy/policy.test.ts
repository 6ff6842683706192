import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { parseConfig } from '../../../../../src/config/load.ts';
import type { Plan } from '../../../../../src/retirement/plan/plan.ts';
import { exceptionState } from '../../../../../src/retirement/plan/policy/exception-state.ts';
import { checkPolicy } from '../../../../../src/retirement/plan/policy/policy.ts';
import { planOf, realPlan, wave } from '../../../../support/fakes/plan-fixture.ts';

const NOW = new Date('2026-11-21T12:00:00Z');

const config = (changes: { node?: string; hosts?: object; actors?: object; tunnels?: object } = {}) =>
  parseConfig(
    Buffer.from(
      stringify({
        version: 1,
        node: changes.node ?? 'here',
        plan: 'plan.yaml',
        hosts: {
          here: { address: 'a', role: 'production' },
          laptop: { address: 'b', user: 'u', role: 'workstation' },
          frozen: { address: 'c', user: 'u', role: 'draining' },
          other: { address: 'd', user: 'u' },
          behind: { address: 'e', user: 'u', jump: 'laptop' },
          ...changes.hosts,
        },
        actors: { 'agt-key': { key: 'k' }, ...changes.actors },
        tunnels: changes.tunnels ?? {},
      }),
    ),
    'f.yaml',
    { HOME: '/h' },
  );

let port = 2_000;
const tunnel = (host: string, more: object = {}) => ({
  host,
  actor: 'agt-key',
  listen: `127.0.0.1:${port++}`,
  target: 't:1',
  production: true,
  ...more,
});

const found = (node: ReturnType<typeof config>, plan: Plan | undefined, now = NOW) =>
  checkPolicy(node, plan, now).map(({ severity, code, file, path }) => `${severity} ${code} ${file}:${path.join('.')}`);

const exception = (covers: object, until: unknown) => ({
  id: 'x',
  covers,
  reason: 'r',
  until,
  rollback: 'b',
  approval: 'a',
});
const FROZEN = { frozen: { since: '2026-07-03', policy: 'p' } };

describe(checkPolicy, () => {
  it('finds nothing in a valid plan and node', () => {
    expect(found(config({ tunnels: { t: tunnel('other') } }), planOf({ waves: [wave(1, [], 1)] }))).toEqual([]);
  });

  it.each([
    ['a host', { t: tunnel('laptop') }, ['error workstation_route config:tunnels.t.host']],
    ['a jump host', { t: tunnel('behind') }, ['error workstation_route config:tunnels.t.host']],
    ['a tunnel that is not production', { t: tunnel('laptop', { production: false }) }, []],
  ])('checks for a workstation as %s', (_, tunnels, expected) => {
    expect(found(config({ tunnels }), undefined)).toEqual(expected);
  });

  it('rejects production on a workstation', () => {
    const tunnels = { t: tunnel('other') };
    expect(found(config({ node: 'laptop', tunnels }), undefined)).toEqual([
      'error workstation_route config:tunnels.t.production',
    ]);
  });

  it.each([
    ['without an exception', [], ['error frozen_host config:tunnels.t.host']],
    [
      'under a live exception',
      [exception({ tunnels: ['t'] }, '2026-12-31')],
      ['notice frozen_host config:tunnels.t.host'],
    ],
    [
      'under an exception for another tunnel',
      [exception({ tunnels: ['s'] }, '2026-12-31')],
      ['error frozen_host config:tunnels.t.host'],
    ],
    [
      'under an exception for the actor',
      [exception({ actor: 'agt-key' }, '2026-12-31')],
      ['error frozen_host config:tunnels.t.host'],
    ],
    [
      'under an expired exception',
      [exception({ tunnels: ['t'] }, '2026-11-20')],
      ['error frozen_host config:tunnels.t.host', 'error exception_expired plan:exceptions.0.until'],
    ],
    [
      'under an exception that expires soon',
      [exception({ tunnels: ['t'] }, '2026-12-01')],
      ['notice frozen_host config:tunnels.t.host', 'warning exception_expiring plan:exceptions.0.until'],
    ],
  ])('checks a production tunnel to a frozen host %s', (_, exceptions, expected) => {
    expect(found(config({ tunnels: { t: tunnel('frozen') } }), planOf({ frozen: FROZEN, exceptions }))).toEqual(
      expected,
    );
  });

  it('checks jump hosts for the freeze, and only production tunnels', () => {
    const hosts = { inner: { address: 'i', user: 'u', jump: 'frozen' } };
    const tunnels = { t: tunnel('inner'), u: tunnel('frozen', { production: false }) };
    expect(found(config({ hosts, tunnels }), planOf({ frozen: FROZEN }))).toEqual([
      'error frozen_host config:tunnels.t.host',
    ]);
  });

  it('does not take names of object properties for frozen hosts', () => {
    const hosts = { constructor: { address: 'i', user: 'u' } };
    expect(found(config({ hosts, tunnels: { t: tunnel('constructor') } }), planOf({}))).toEqual([]);
  });

  it.each([
    ['a key alone', { key: 'k' }, [], ['error static_key config:actors.atm-x.key']],
    ['the agent', { key: 'agent' }, [], ['error static_key config:actors.atm-x.key']],
    [
      'a key under an exception',
      { key: 'k' },
      [exception({ actor: 'atm-x' }, { condition: 'c' })],
      ['notice static_key config:actors.atm-x.key'],
    ],
    ['a certificate', { key: 'k', cert_command: 'sign' }, [], []],
  ])('checks an automation with %s', (_, actor, exceptions, expected) => {
    expect(found(config({ actors: { 'atm-x': actor } }), planOf({ exceptions }))).toEqual(expected);
  });

  it.each([
    ['its live exception', 'x', [exception({ actor: 'atm-x' }, '2026-12-31')], []],
    [
      'an expired exception',
      'x',
      [exception({ actor: 'atm-x' }, '2026-11-20')],
      ['error static_key', 'error exception_expired'],
    ],
    ['an exception for another actor', 'x', [exception({ actor: 'atm-y' }, '2026-12-31')], ['error exception_unknown']],
    ['an unknown exception', 'y', [exception({ actor: 'atm-x' }, '2026-12-31')], ['error exception_unknown']],
  ])('checks a static fallback key under %s', (_, id, exceptions, expected) => {
    const { actors, ...node } = config({ actors: { 'atm-x': { key: 'k', cert_command: 'sign' } } });
    const actor = actors.get('atm-x');
    if (actor === undefined) throw new Error('no actor');
    const fallback = { key: { kind: 'file', path: '/k', passphraseFile: undefined }, exception: id } as const;
    const codes = checkPolicy(
      { ...node, actors: new Map([['atm-x', { ...actor, fallback }]]) },
      planOf({ exceptions }),
      NOW,
    );
    expect(codes.map(({ severity, code }) => `${severity} ${code}`)).toEqual(expected);
  });

  it('warns about WireGuard at six tunnels, not at five', () => {
    const tunnels = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`t${index}`, tunnel('other')]));
    expect(found(config({ tunnels: tunnels(5) }), undefined)).toEqual([]);
    expect(found(config({ tunnels: tunnels(6) }), undefined)).toEqual(['warning wireguard_threshold config:tunnels']);
  });

  it('requires that the step of a tunnel exists and is open', () => {
    const plan = planOf({ waves: [wave(1, [], 2, 1)] });
    const tunnels = {
      gone: tunnel('other', { drain: { step: '1.1' } }),
      open: tunnel('other', { drain: { step: '1.2' } }),
      typo: tunnel('other', { drain: { step: '1.3' } }),
    };
    expect(found(config({ tunnels }), plan)).toEqual([
      'warning step_done config:tunnels.gone.drain.step',
      'error step_unknown config:tunnels.typo.drain.step',
    ]);
    expect(found(config({ tunnels: { typo: tunnels.typo } }), undefined)).toEqual([
      'error step_unknown config:tunnels.typo.drain.step',
    ]);
  });
});

describe('checkRegister', () => {
  const check = (workloads: object[], waves: object[] = [wave(1, [], 1), wave(2, [1], 1), wave(3, [2], 1)]) =>
    found(config(), planOf({ waves, workloads }));
  const row = (id: number, more: object) => ({
    id,
    name: 'n',
    current: 'c',
    target: 't',
    owners: ['o'],
    status: 'planned',
    ...more,
  });

  it('requires a target and an owner, but no owner for a workload that stays', () => {
    expect(
      check([
        { id: 1, name: 'n', current: 'c', status: 'planned', wave: 1 },
        row(2, { owners: [], status: 'on target' }),
        row(3, { owners: [], status: 'on target', wave: 1 }),
      ]),
    ).toEqual([
      'error workload_incomplete plan:workloads.0.target',
      'error workload_incomplete plan:workloads.0.owners',
      'error workload_incomplete plan:workloads.2.owners',
    ]);
  });

  it.each([
    ['at the end', [row(1, { wave: 1 }), row(2, { wave: 3, kind: 'identity' })], []],
    [
      'before a service',
      [row(1, { wave: 3 }), row(2, { wave: 2, kind: 'identity' })],
      ['error identity_not_last plan:waves.2.requires'],
    ],
    ['before a machine', [row(1, { wave: 3, kind: 'machine' }), row(2, { wave: 2, kind: 'identity' })], []],
    ['in the last wave of a range', [row(1, { wave: '1-3' }), row(2, { wave: 3, kind: 'identity' })], []],
  ])('checks identity %s', (_, workloads, expected) => {
    expect(check(workloads)).toEqual(expected);
  });

  it('does not take a lower wave number for an order before identity', () => {
    const waves = [wave(1, [], 1), wave(2, [], 1), wave(3, [2], 1)];
    expect(check([row(1, { wave: 1 }), row(2, { wave: 3, kind: 'identity' })], waves)).toEqual([
      'error identity_not_last plan:waves.2.requires',
    ]);
  });
});

it('reports a step that was done without its approval at the gate', () => {
  const gate = { title: 't', owner: 'o', blocks: ['1.1', '1.2'] };
  const approved = { by: 'worsch', at: '2026-07-04', evidence: 'decision' };
  const waves = [wave(1, [], 2, 1)];
  expect(
    found(
      config(),
      planOf({
        waves,
        gates: [
          { id: 'g', ...gate, approved },
          { id: 'h', ...gate },
        ],
      }),
    ),
  ).toEqual(['error gate_bypassed plan:gates.1.id']);
  expect(found(config(), planOf({ waves: [wave(1, [], 2)], gates: [{ id: 'h', ...gate }] }))).toEqual([]);
});

describe(exceptionState, () => {
  const waves = [wave(1, [], 1, 1), wave(2, [], 2, 1)] as Plan['waves'];
  it.each([
    ['live on its last day', '2026-11-21', '2026-11-21T23:59:59Z', 'live'],
    ['expired the day after', '2026-11-21', '2026-11-22T00:00:00Z', 'expired'],
    ['live before its instant', '2026-11-21T12:00:00Z', '2026-11-21T11:59:59Z', 'live'],
    ['expired at its instant', '2026-11-21T12:00:00Z', '2026-11-21T12:00:00Z', 'expired'],
    ['live while one of its waves is open', { waves: [1, 2] }, '2099-01-01', 'live'],
    ['expired when its waves are complete', { waves: [1] }, '2026-01-01', 'expired'],
    ['live while its step is open', { step: '2.2' }, '2099-01-01', 'live'],
    ['expired when its step is done', { step: '2.1' }, '2026-01-01', 'expired'],
    ['live with a condition', { condition: 'c' }, '2099-01-01', 'live'],
    ['expired without an end', {}, '2026-01-01', 'expired'],
  ])('calls an exception %s', (_, until, now, kind) => {
    expect(exceptionState({ waves }, { until }, new Date(now)).kind).toBe(kind);
  });

  it('warns fourteen days before an exception expires', () => {
    const soon = (now: string) => exceptionState({ waves }, { until: '2026-12-31T00:00:00Z' }, new Date(now));
    expect(soon('2026-12-16T23:59:59Z')).toMatchObject({ soon: false });
    expect(soon('2026-12-17T00:00:00Z')).toMatchObject({ soon: true });
  });
});

describe('the policy of the real plan', () => {
  const plan = realPlan();

  it('has no violations in the plan alone', () => {
    expect(checkPolicy(config(), plan, NOW)).toEqual([]);
  });

  it('matches the placement plan', () => {
    expect(plan.waves.map(({ id, steps }) => `${id}:${steps.length}`).join(' ')).toBe(
      '0:1 1:5 2:5 3:3 4:4 5:3 6:3 7:4 8:2',
    );
    expect(plan.workloads.map(({ id }) => id)).toEqual(Array.from({ length: 26 }, (_, index) => index + 1));
    expect(plan.gates).toHaveLength(5);
    expect(plan.gates.filter(({ approved }) => approved !== undefined)).toEqual([]);
    expect(plan.exceptions.map(({ id }) => id)).toEqual([
      'fleet-mesh-systemd-tunnels',
      'core-hub-staging-coulombcore',
      'static-id-ops-railiance01',
    ]);
    expect(plan.waves.flatMap(({ steps }) => steps.filter(({ done }) => done).map(({ id }) => id))).toEqual(['0.1']);
  });

  it('is violated when identity does not require a wave', () => {
    const tree = parse(stringify({ waves: plan.waves, workloads: plan.workloads }));
    tree.waves.find((each: { id: number }) => each.id === 7).requires = [0, 1, 2, 3, 4, 5];
    expect(found(config(), planOf(tree))).toEqual(['error identity_not_last plan:waves.7.requires']);
  });
});
