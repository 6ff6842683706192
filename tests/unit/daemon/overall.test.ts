import { expect, test } from 'vitest';
import { overallState } from '../../../src/daemon/overall.ts';
import type { TunnelStateName, TunnelStatus } from '../../../src/telemetry/status/status.ts';

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
  expect(overallState(tunnels(rows))).toEqual({ state, reason });
});
