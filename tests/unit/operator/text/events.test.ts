import { expect, test } from 'vitest';
import { entryText } from '../../../../src/operator/text/events.ts';

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
  [{ event: 'operator.down', tunnels: ['a', 'b'] }, 'a, b: operator down'],
  [{ event: 'session.up', host: 'coulombcore', actor: 'atm' }, 'link to coulombcore: session up'],
  [{ event: 'credential.changed', actor: 'atm' }, 'atm: credential changed'],
  [{ event: 'daemon.started', version: '1.2.3' }, 'daemon: started (1.2.3)'],
  [{ event: 'config.reload_refused', reason: 'line 3' }, 'daemon: config reload refused: line 3'],
  [{ event: 'log.resumed', error: 'ENOSPC' }, 'evidence: resumed: ENOSPC'],
  [{ event: 'log.damaged', problems: ['events.jsonl:3 was changed'] }, 'evidence: damaged: events.jsonl:3 was changed'],
  [{ event: 'x\u001b[31m', tunnel: 'a\nb' }, 'a b: x\\u001b[31m'],
])('prints the event %o in words', (fields, expected) => {
  expect(entryText({ ...base, ...fields })).toBe(`2026-07-20 10:00:00Z ${expected}`);
});
