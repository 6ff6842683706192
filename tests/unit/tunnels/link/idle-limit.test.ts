import { describe, expect, it } from 'vitest';
import { TunnelError } from '../../../../src/base/errors.ts';
import { IdleLimit } from '../../../../src/tunnels/link/idle-limit.ts';

const MINUTE = 60_000;

/** A limit of a minute, learned from two ends. */
function learned(): IdleLimit {
  const limit = new IdleLimit();
  limit.ended(MINUTE + 900, 0);
  expect(limit.ended(MINUTE + 200, 61_000)).toBe(true);
  return limit;
}
const idle = (...times: (number | undefined)[]) => times.map((idleMs) => ({ idleMs }));

describe('the time limit of unused sessions', () => {
  it('is known after two ends at different times after the same time', () => {
    const limit = new IdleLimit();
    expect(limit.ended(MINUTE + 300, 1_000)).toBe(false);
    expect(limit.ended(MINUTE + 900, 61_000)).toBe(true);
    expect(limit.ended(MINUTE + 100, 122_000)).toBe(true);
  });

  it.each([
    ['two sessions that end together', [MINUTE, 1_000], [MINUTE, 1_200]],
    ['ends after different times', [MINUTE, 1_000], [40_000, 61_000]],
    ['a host that drops sessions every two seconds', [2_000, 1_000], [2_000, 3_000]],
  ])('is not learned from %s', (_, [first = 0, then = 0], [second = 0, later = 0]) => {
    const limit = new IdleLimit();
    limit.ended(first, then);
    expect(limit.ended(second, later)).toBe(false);
    expect(limit.due(idle(first))).toBeUndefined();
  });

  it.each(['before', 'after'])('is not learned from ends that come just %s the loss of a session in use', (order) => {
    const limit = new IdleLimit();
    const end = (now: number) => {
      if (order === 'after') limit.lostInUse(now - 100);
      const explained = limit.ended(5_000, now);
      if (order === 'before') limit.lostInUse(now + 100);
      return explained;
    };
    expect([end(5_000), end(10_000), end(15_000)]).toEqual([false, false, false]);
    expect(limit.due(idle(4_000))).toBeUndefined();
  });

  it('is not learned from ends after which the host lets nobody in, and is forgotten by such an end', () => {
    const limit = new IdleLimit();
    for (const now of [1_000, 61_000, 121_000]) {
      expect(limit.ended(MINUTE, now)).toBe(false);
      limit.loginFailed(now + 500);
    }
    const known = learned();
    known.loginFailed(61_500);
    expect(known.due(idle(59_000))).toBeUndefined();
    const later = learned();
    later.loginFailed(100_000);
    expect(later.due(idle(59_000))).toBeDefined();
  });

  it('is forgotten when an end or a session contradicts it', () => {
    const early = learned();
    expect(early.ended(20_000, 90_000)).toBe(false);
    expect(early.due(idle(59_000))).toBeUndefined();
    const late = learned();
    expect(late.due(idle(undefined, 70_000))).toBeUndefined();
    expect(late.due(idle(59_000))).toBeUndefined();
  });

  it('has a session replaced in time when no other one would serve', () => {
    const limit = learned();
    expect(limit.due(idle(53_000))).toBeUndefined();
    const [alone] = idle(55_000);
    expect(limit.due([alone ?? {}])).toBe(alone);
    const [first, second] = idle(55_000, 54_900);
    expect(limit.due([first ?? {}, second ?? {}])).toBe(first);
  });

  it('leaves a session to its end while another one serves, unless a listener is on it', () => {
    const limit = learned();
    expect(limit.due(idle(59_000, 20_000))).toBeUndefined();
    expect(limit.due(idle(59_000, undefined))).toBeUndefined();
    const listening = { idleMs: 59_000, listeners: 1 };
    expect(limit.due([listening, { idleMs: 20_000 }])).toBe(listening);
  });

  it('must be shown again after many replacements', () => {
    const limit = learned();
    let replaced = 0;
    while (limit.due(idle(59_000))) replaced += 1;
    expect(replaced).toBe(20);
  });

  it('names the setting of OpenSSH, and no setting of another server', () => {
    const cut = new TunnelError('connection_reset', 'closed');
    const explain = (server: string) => {
      const limit = learned();
      return limit.explain('hub', { server }, cut, MINUTE + 500);
    };
    expect(explain('SSH-2.0-OpenSSH_9.2p1')).toMatchObject({
      code: 'connection_reset',
      message: 'hub ended an SSH session that had carried nothing for 60 s',
      hint: expect.stringContaining('UnusedConnectionTimeout'),
    });
    expect(explain('SSH-2.0-Go')?.hint).not.toContain('UnusedConnectionTimeout');
  });

  it('explains no end of a session in use, and no silence', () => {
    const limit = learned();
    const facts = { server: 'SSH-2.0-OpenSSH_9.2p1' };
    expect(limit.explain('hub', facts, new TunnelError('connection_reset', 'closed'), undefined)).toBeUndefined();
    expect(limit.explain('hub', facts, new TunnelError('keepalive_lost', 'silent'), MINUTE)).toBeUndefined();
  });
});
