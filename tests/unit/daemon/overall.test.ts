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
  ['no tunnel at all is no trouble', [], 'up', null],
  ['all up', [['a', 'up', P]], 'up', null],
  [
    'the worst production tunnel decides, wherever it stands',
    [
      ['a', 'degraded', P],
      ['b', 'down', P],
    ],
    'down',
    'b is down: b has its reason',
  ],
  [
    'several bad ones are counted',
    [
      ['a', 'down', P],
      ['b', 'down', P],
      ['c', 'down', P],
    ],
    'down',
    'a is down: a has its reason (and 2 more)',
  ],
  [
    'other tunnels do not count beside production ones',
    [
      ['a', 'up', P],
      ['b', 'down', false],
    ],
    'up',
    null,
  ],
  ['they count where there is no production tunnel', [['b', 'down', false]], 'down', 'b is down: b has its reason'],
  ['what is not proven is not up', [['a', 'unverified', P]], 'degraded', 'a is unverified: a has its reason'],
  ['degraded', [['a', 'degraded', P]], 'degraded', 'a is degraded: a has its reason'],
  [
    'out of service on purpose is no trouble',
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
