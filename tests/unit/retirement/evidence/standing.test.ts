import { describe, expect, it } from 'vitest';
import { readEvent } from '../../../../src/retirement/evidence/events.ts';
import { Standing } from '../../../../src/retirement/evidence/standing.ts';

const AT = new Date('2026-11-21T12:00:00.000Z');
const RETIRED = { event: 'tunnel.retired', tunnel: 'hub', keeps_port: true, overridden: [] };
const started = (machine: string) => ({ event: 'daemon.started', version: '1', config_sha256: '', machine });
const committed = { event: 'cutover.phase', tunnel: 'hub', to: 'committed', successor: '127.0.0.1:3000' };
const pulse = { serving: false, open: 0, opened_total: 0, last_activity_at: null };
const HEARTBEAT = { event: 'heartbeat', tunnels: { hub: { ...pulse, state: 'retired' } } };
const UP = { event: 'operator.up', tunnels: ['hub'] };

function standingAfter(...events: readonly object[]): Standing {
  const standing = new Standing();
  for (const event of events) {
    const read = readEvent(event);
    expect(read, JSON.stringify(event)).toBeDefined();
    standing.record(read, AT);
  }
  return standing;
}

describe(Standing, () => {
  it.each<[string, object[], boolean]>([
    ['a retirement', [RETIRED], true],
    ['a heartbeat of a retired tunnel', [HEARTBEAT], true],
    ['`up` after the retirement', [RETIRED, UP], false],
    ['a heartbeat before `up` has changed the state', [RETIRED, UP, HEARTBEAT], false],
    ['`up` after a heartbeat', [HEARTBEAT, UP, HEARTBEAT], false],
    ['a name that belongs to another tunnel now', [RETIRED, { event: 'retirement.ended', tunnel: 'hub' }], false],
    ['a tunnel that left the configuration', [RETIRED, { event: 'tunnel.removed', tunnel: 'hub' }], false],
    ['a restart on the same machine', [started('a'), RETIRED, started('a')], true],
    ['a retirement on another machine', [started('a'), RETIRED, started('b')], false],
  ])('reads whether a tunnel is retired from %s', (_, events, retired) => {
    expect(standingAfter(...events).retired.has('hub')).toBe(retired);
  });

  it.each<[string, object[], boolean]>([
    ['a commit', [committed], true],
    [
      'a blocked attempt after the commit',
      [committed, { ...committed, to: 'preflight' }, { ...committed, to: 'idle' }],
      true,
    ],
    ['a rollback after the commit', [committed, { ...committed, to: 'rolled_back' }], false],
    ['the word of an operator', [committed, { event: 'cutover.forgotten', tunnel: 'hub' }], false],
  ])('reads whether a tunnel is cut over from %s', (_, events, cutOver) => {
    expect(standingAfter(...events).cutOver.has('hub')).toBe(cutOver);
  });
});
