import { describe, expect, test } from 'vitest';
import { overallState } from '../../../src/daemon/overall.ts';
import type { LinkStatus, TunnelStateName, TunnelStatus } from '../../../src/telemetry/status/status.ts';
import { ago, linkFixture, tunnelFixture } from '../../support/fakes/status-fixture.ts';

type Row = readonly [name: string, state: TunnelStateName, production: boolean];

const tunnels = (rows: readonly Row[]) =>
  rows.map(([name, state, production]) => {
    const reason = state === 'up' ? null : `${name} has its reason`;
    return { name, state, production, reason } as TunnelStatus;
  });

const P = true;
const table: [what: string, rows: Row[], state: string, reason: string | null][] = [
  ['is up without tunnels', [], 'up', null],
  ['is up if all tunnels are up', [['a', 'up', P]], 'up', null],
  [
    'has the state of the worst production tunnel, in any order',
    [
      ['a', 'degraded', P],
      ['b', 'down', P],
    ],
    'down',
    'b is down: b has its reason',
  ],
  [
    'counts several bad tunnels',
    [
      ['a', 'down', P],
      ['b', 'down', P],
      ['c', 'down', P],
    ],
    'down',
    'a is down: a has its reason (and 2 more)',
  ],
  [
    'ignores other tunnels if a production tunnel exists',
    [
      ['a', 'up', P],
      ['b', 'down', false],
    ],
    'up',
    null,
  ],
  ['uses other tunnels without a production tunnel', [['b', 'down', false]], 'down', 'b is down: b has its reason'],
  ['is degraded by an unverified tunnel', [['a', 'unverified', P]], 'degraded', 'a is unverified: a has its reason'],
  ['is degraded by a degraded tunnel', [['a', 'degraded', P]], 'degraded', 'a is degraded: a has its reason'],
  [
    'is up if tunnels are out of service on purpose',
    [
      ['a', 'draining', P],
      ['b', 'retired', P],
      ['c', 'stopped', P],
    ],
    'up',
    null,
  ],
];

test.each(table)('%s', (_, rows, state, reason) => {
  expect(overallState({ tunnels: tunnels(rows), links: [], stopped: new Set(), configured: rows.length })).toEqual({
    state,
    reason,
  });
});

test('is down while the configured tunnels have no status yet', () => {
  expect(overallState({ tunnels: [], links: [], stopped: new Set(), configured: 2 })).toEqual({
    state: 'down',
    reason: 'The daemon is starting or stopping.',
  });
});

const rejected = { code: 'auth_rejected', message: 'core rejected the key', hint: 'Check it.', at: ago(5) } as const;
const replacement = { state: 'failing', since: ago(60), attempts: 3, last_error: rejected } as const;
const cannot =
  'cannot be replaced since 2026-11-21T11:59:00Z (3 attempts failed): core rejected the key [auth_rejected]';

describe('a link that cannot replace its sessions', () => {
  const judge = (
    link: Parameters<typeof linkFixture>[0],
    others: readonly LinkStatus[] = [],
    own: readonly TunnelStatus[] = [tunnelFixture()],
  ) =>
    overallState({ tunnels: own, links: [linkFixture(link), ...others], stopped: new Set(), configured: own.length });

  test('degrades the node, although its tunnels are up', () => {
    expect(judge({ replacement })).toEqual({
      state: 'degraded',
      reason: `SSH sessions of atm-fleet-mesh to coulombcore ${cannot}`,
    });
  });

  test('degrades the node as a jump host too', () => {
    const jump = linkFixture({ host: 'bastion', actor: 'agt-bastion', replacement });
    expect(judge({ jump: 'bastion' }, [jump])).toEqual({
      state: 'degraded',
      reason: `SSH sessions of agt-bastion to bastion ${cannot}`,
    });
  });

  test('changes nothing while no attempt has failed', () => {
    const pending = { ...replacement, state: 'pending', attempts: 0, last_error: null } as const;
    expect(judge({ replacement: pending })).toEqual({ state: 'up', reason: null });
  });

  test('changes nothing for the production tunnels of other links', () => {
    const other = linkFixture({ host: 'elsewhere', replacement });
    const tunnel = tunnelFixture({ name: 'b', host: 'elsewhere', production: false });
    expect(judge({}, [other], [tunnelFixture(), tunnel])).toEqual({ state: 'up', reason: null });
  });

  test('comes after a tunnel that is down', () => {
    const down = tunnelFixture({ name: 'b', state: 'down', reason: 'because' });
    expect(judge({ replacement }, [], [tunnelFixture(), down])).toEqual({
      state: 'down',
      reason: 'b is down: because',
    });
  });
});

describe('a tunnel that an operator took out of service', () => {
  const stopped = tunnelFixture({ name: 'b', state: 'stopped', since: ago(60), reason: 'out of service' });
  const judge = (own: readonly TunnelStatus[]) =>
    overallState({ tunnels: own, links: [], stopped: new Set(['b']), configured: own.length });
  const words = '1 out of service by an operator: b since 2026-11-21T11:59:00Z';

  test('is named, but leaves the node up', () => {
    expect(judge([tunnelFixture(), stopped])).toEqual({ state: 'up', reason: words });
  });

  test('is named after the reason of a node that is down', () => {
    const down = tunnelFixture({ name: 'a', state: 'down', reason: 'because' });
    expect(judge([down, stopped])).toEqual({ state: 'down', reason: `a is down: because; ${words}` });
  });

  test('is not named if it is not production and others are', () => {
    expect(judge([tunnelFixture(), { ...stopped, production: false }])).toEqual({ state: 'up', reason: null });
  });
});
