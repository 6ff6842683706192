import { expect, test } from 'vitest';
import { entryText, foldAlike, foldReloads } from '../../../../src/operator/text/events.ts';

const base = { seq: 1, at: '2026-07-20T10:00:00.123Z', uptime_ms: 1, prev: '0'.repeat(64) };

test.each([
  [
    { event: 'tunnel.state', tunnel: 'hub', from: 'up', to: 'down', reason: 'no SSH session', code: 'keepalive_lost' },
    'hub: up -> down: no SSH session [keepalive_lost]',
  ],
  [{ event: 'tunnel.state', tunnel: 'hub', from: null, to: 'down', reason: null, code: null }, 'hub: down'],
  [
    { event: 'cutover.phase', tunnel: 'hub', from: 'verifying', to: 'rolling_back', reason: 'the successor failed' },
    'hub: cut-over verifying -> rolling_back: the successor failed',
  ],
  [
    { event: 'cutover.resumed', tunnel: 'hub', from: 'holding', to: 'rolled_back', reason: null },
    'hub: cut-over resumed: holding -> rolled_back',
  ],
  [{ event: 'tunnel.retired', tunnel: 'hub', verdict: 'retirable', overridden: [] }, 'hub: retired'],
  [
    { event: 'tunnel.retired', tunnel: 'hub', overridden: [{ code: 'no_rollback', reason: 'a test' }] },
    'hub: retired, no_rollback overridden (a test)',
  ],
  [{ event: 'tunnel.used', tunnel: 'hub' }, 'hub: used again'],
  [{ event: 'operator.down', tunnels: ['a', 'b'] }, 'a, b: an operator ran `fleet-mesh down`'],
  [{ event: 'session.up', host: 'coulombcore', actor: 'atm' }, 'link to coulombcore: session up'],
  [
    { event: 'session.up', host: 'bastion', session: 4, credential: 'certificate', replaces: 3 },
    'link to bastion: session 4 up (certificate), replaces session 3',
  ],
  [
    { event: 'session.ended', host: 'bastion', session: 3, reason: 'a newer credential exists' },
    'link to bastion: session 3 ended: a newer credential exists',
  ],
  [
    { event: 'session.lost', host: 'bastion', session: 3, error: 'no answer', code: 'keepalive_lost' },
    'link to bastion: session 3 lost: no answer [keepalive_lost]',
  ],
  [{ event: 'credential.changed', actor: 'atm' }, 'atm: credential changed'],
  [{ event: 'daemon.started', version: '1.2.3' }, 'daemon: started (1.2.3)'],
  [{ event: 'config.reload_refused', reason: 'line 3' }, 'daemon: config reload refused: line 3'],
  [{ event: 'log.resumed', error: 'ENOSPC' }, 'evidence: resumed: ENOSPC'],
  [{ event: 'log.damaged', problems: ['events.jsonl:3 was changed'] }, 'evidence: damaged: events.jsonl:3 was changed'],
  [{ event: 'x\u001b[31m', tunnel: 'a\nb' }, 'a b: x\\u001b[31m'],
])('prints the event %o in words', (fields, expected) => {
  expect(entryText({ ...base, ...fields })).toBe(`2026-07-20 10:00:00Z ${expected}`);
});

test('folds the changes of a reload into its last line, and nothing else', () => {
  const entry = (seq: number, event: string, fields: object = {}) => ({ ...base, seq, event, ...fields });
  const state = entry(4, 'tunnel.state', { tunnel: 'b', from: null, to: 'down', reason: null });
  const names = Array.from({ length: 10 }, (_, index) => `t${index}`);
  const folded = foldReloads([
    entry(1, 'tunnel.changed', { tunnel: 'earlier' }),
    entry(2, 'daemon.started', { version: '1' }),
    ...names.map((tunnel) => entry(3, 'tunnel.changed', { tunnel })),
    state,
    entry(5, 'tunnel.removed', { tunnel: 'gone' }),
    entry(6, 'config.reloaded', { changes: '10 tunnels changed (listen), 1 removed' }),
    entry(7, 'config.reloaded', { changes: 'nothing changed' }),
  ]);
  expect(folded.map(entryText).map((line) => line.slice(21).trim())).toEqual([
    'earlier: changed',
    'daemon: started (1)',
    'b: down',
    'daemon: config reloaded: 10 tunnels changed (listen), 1 removed; changed: t0, t1, t2, t3, t4, t5, t6, t7 and 2 more; removed: gone',
    'daemon: config reloaded: nothing changed',
  ]);
});

test('folds neighbours that say the same of different tunnels, and keeps the order of all else', () => {
  const down = (tunnel: string, reason: string) => ({
    ...base,
    event: 'tunnel.state',
    tunnel,
    from: 'up',
    to: 'down',
    reason,
  });
  const lost = { ...base, event: 'session.lost', host: 'bastion', session: 3 };
  const folded = foldAlike([down('a', 'x'), down('b', 'x'), lost, down('c', 'x'), down('d', 'y'), lost, lost]);
  expect(folded.map(entryText).map((line) => line.slice(21).trim())).toEqual([
    'a, b: up -> down: x',
    'link to bastion: session 3 lost',
    'c: up -> down: x',
    'd: up -> down: y',
    'link to bastion: session 3 lost',
    'link to bastion: session 3 lost',
  ]);
});
