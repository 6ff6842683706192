import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ERROR_CODES, TunnelError } from '../../../../src/base/errors.ts';
import { type TunnelFacts, tunnelState } from '../../../../src/tunnels/tunnel/state.ts';

const well: TunnelFacts = {
  removed: false,
  suspended: false,
  stopping: false,
  tunnel: 'hub',
  host: 'coulombcore',
  forward: { kind: 'serving' },
  link: { state: 'up', lastError: undefined },
  probe: { state: 'passing', lastError: undefined },
  targetError: undefined,
  open: 0,
};
const taken = new TunnelError('listen_in_use', 'cannot listen on 127.0.0.1:18000: the address is in use');
const refused = new TunnelError('connect_refused', 'coulombcore port 22 refused the connection');
const rejected = new TunnelError('auth_rejected', 'coulombcore rejected the login', { hint: 'Fix the key.' });
const wrong = new TunnelError('target_refused', '10.43.170.94:8000 refused the connection');

const table: [what: string, facts: Partial<TunnelFacts>, state: string, reason: string | null][] = [
  ['all well', {}, 'up', null],
  ['all well without a probe', { probe: undefined }, 'up', null],
  ['old error of a link that is up', { link: { state: 'up', lastError: refused } }, 'up', null],
  ['removed', { removed: true, open: 2 }, 'draining', 'removed from the configuration; 2 connections still open'],
  [
    'removed, before any error',
    {
      removed: true,
      open: 1,
      forward: { kind: 'unbound', error: taken },
      link: { state: 'backoff', lastError: refused },
    },
    'draining',
    'removed from the configuration; 1 connection still open',
  ],
  [
    'stopping, before everything else',
    { stopping: true, removed: true, forward: { kind: 'unbound', error: undefined } },
    'stopped',
    'the daemon is stopping; 0 connections still open',
  ],
  ['port taken', { forward: { kind: 'unbound', error: taken } }, 'down', taken.message],
  [
    'port taken and link down, the port first',
    { forward: { kind: 'unbound', error: taken }, link: { state: 'backoff', lastError: refused } },
    'down',
    taken.message,
  ],
  [
    'not bound on the far side because the link is down',
    { forward: { kind: 'unbound', error: undefined }, link: { state: 'backoff', lastError: refused } },
    'down',
    `no SSH session to coulombcore: ${refused.message}`,
  ],
  [
    'bound on the far side, proof under way',
    { forward: { kind: 'unverified', error: undefined } },
    'unverified',
    'not proven yet: the first test connection to the listener is running',
  ],
  [
    'bound on the far side, proof failed',
    { forward: { kind: 'unverified', error: wrong } },
    'unverified',
    wrong.message,
  ],
  [
    'not proven and the target unreachable, the target first',
    { forward: { kind: 'unverified', error: undefined }, targetError: wrong },
    'degraded',
    `the last connection failed: ${wrong.message}`,
  ],
  [
    'first connect',
    { link: { state: 'connecting', lastError: undefined } },
    'down',
    'no SSH session to coulombcore yet: connecting for the first time',
  ],
  [
    'retrying',
    { link: { state: 'backoff', lastError: refused } },
    'down',
    `no SSH session to coulombcore: ${refused.message}`,
  ],
  [
    'connecting again',
    { link: { state: 'connecting', lastError: refused } },
    'down',
    `no SSH session to coulombcore: ${refused.message}`,
  ],
  [
    'blocked',
    { link: { state: 'blocked', lastError: rejected } },
    'down',
    `no SSH session to coulombcore: ${rejected.message}; manual fix required`,
  ],
  [
    'probe fails',
    { probe: { state: 'failing', lastError: wrong } },
    'degraded',
    `the probe through the tunnel fails: ${wrong.message}`,
  ],
  [
    'probe fails without an error',
    { probe: { state: 'failing', lastError: undefined } },
    'degraded',
    'the probe through the tunnel fails: no answer',
  ],
  ['the target refused a client', { targetError: wrong }, 'degraded', `the last connection failed: ${wrong.message}`],
  [
    'probe under way',
    { probe: { state: 'pending', lastError: undefined } },
    'unverified',
    'not proven yet: the first probe is running',
  ],
  [
    'probe failed, but not often enough',
    { probe: { state: 'pending', lastError: wrong } },
    'unverified',
    `not proven yet: ${wrong.message}`,
  ],
];

test.each(table)('decides state and reason: %s', (_, facts, state, reason) => {
  const told = tunnelState({ ...well, ...facts });
  expect(told).toMatchObject({ state, reason });
  // Code and hint are shown beside the reason: all three must describe the same error.
  if (told.error) expect(told.reason).toContain(told.error.message);
});

test('gives a reason exactly when the tunnel is not up', () => {
  const error = fc.option(
    fc.constantFrom(...ERROR_CODES).map((code) => new TunnelError(code, code)),
    { nil: undefined },
  );
  const facts: fc.Arbitrary<TunnelFacts> = fc.record({
    removed: fc.boolean(),
    suspended: fc.boolean(),
    stopping: fc.boolean(),
    tunnel: fc.constant('hub'),
    host: fc.constant('coulombcore'),
    forward: fc.oneof(
      fc.constant({ kind: 'serving' as const }),
      error.map((listenError) => ({ kind: 'unbound' as const, error: listenError })),
    ),
    link: fc.record({ state: fc.constantFrom('up', 'connecting', 'backoff', 'blocked'), lastError: error }),
    probe: fc.option(fc.record({ state: fc.constantFrom('pending', 'passing', 'failing'), lastError: error }), {
      nil: undefined,
    }),
    targetError: error,
    open: fc.nat(),
  });
  fc.assert(
    fc.property(facts, (some) => {
      const { state, reason } = tunnelState(some);
      expect(reason === null).toBe(state === 'up');
      if (state === 'up') expect([some.link.state, some.probe?.state ?? 'passing']).toEqual(['up', 'passing']);
    }),
  );
});
