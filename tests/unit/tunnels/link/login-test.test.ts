import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ErrorCode } from '../../../../src/base/errors.ts';
import { actorConfig, FakeNetwork, type FakeSession, hostConfig } from '../../../support/fakes/fake-link.ts';

const MINUTE = 60_000;

let net: FakeNetwork;

/** Time in which the daemon ticks. */
async function pass(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 10_000) {
    await vi.advanceTimersByTimeAsync(Math.min(left, 10_000));
    net.link.tick(new Date());
  }
}

/** A link whose sessions have been up for almost an hour. */
async function upForLong(sessions = 2): Promise<FakeSession[]> {
  net = new FakeNetwork({ sessions });
  net.outcome = 'ok';
  net.link.start();
  await pass(59 * MINUTE);
  expect(net.attempts).toHaveLength(sessions);
  return [...net.sessions];
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(async () => {
  await net.link.stop();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

describe('a link with all its sessions up', () => {
  it('tests its next login each hour, and keeps its sessions', async () => {
    const before = await upForLong();
    await pass(3 * 60 * MINUTE);
    expect(net.attempts).toHaveLength(5);
    expect(net.kept).toEqual(before);
    expect(net.link.status().replacement).toBeNull();
  });

  it('tells that its next login fails, and keeps its sessions', async () => {
    const before = await upForLong();
    net.outcome = 'auth_rejected';
    await pass(2 * MINUTE);
    const failing = { state: 'failing', attempts: 1, last_error: { code: 'auth_rejected' } };
    expect(net.link.status()).toMatchObject({ state: 'up', replacement: failing });
    expect(net.kept).toEqual(before);
    // A rejected key is not offered again for a minute.
    expect(net.attempts).toHaveLength(3);
    net.outcome = 'ok';
    await pass(2 * MINUTE);
    expect(net.link.status().replacement).toBeNull();
    expect(net.kept).toEqual(before);
  });

  it('forgives a busy host one failed test', async () => {
    await upForLong();
    net.outcome = 'wait';
    await pass(2 * MINUTE);
    net.last.fail('connection_reset');
    await vi.advanceTimersByTimeAsync(0);
    expect(net.link.status().replacement).toBeNull();
    await vi.advanceTimersByTimeAsync(1_000);
    net.last.fail('connection_reset');
    await vi.advanceTimersByTimeAsync(0);
    expect(net.link.status().replacement).toMatchObject({ state: 'failing', attempts: 2 });
  });

  it('tests nothing for an hour after a login', async () => {
    const [first] = await upForLong();
    first?.lose();
    await pass(50 * MINUTE);
    expect(net.attempts).toHaveLength(3);
  });

  it('tests no login while the only session has a channel, because some hosts allow one session', async () => {
    const [only] = await upForLong(1);
    if (only) only.channels = 1;
    await pass(60 * MINUTE);
    expect(net.attempts).toHaveLength(1);
    only?.closeChannels();
    await pass(MINUTE);
    expect(net.attempts).toHaveLength(2);
    expect(net.kept).toEqual([only]);
  });
});

describe('a link that a reload gives fewer sessions', () => {
  it('still tells that its next login fails', async () => {
    const [, second] = await upForLong();
    net.outcome = 'auth_rejected';
    second?.lose();
    await pass(5_000);
    net.link.reconfigure({ host: { ...hostConfig, sessions: 1 }, actor: actorConfig }, false);
    await pass(5_000);
    const failing = { state: 'failing', last_error: { code: 'auth_rejected' } };
    expect(net.link.status()).toMatchObject({ state: 'up', replacement: failing });
  });
});

describe('a further session of a link', () => {
  it('does not count if the server forbids the channels that it grants to the serving session', async () => {
    const [first, second] = await upForLong();
    net.outcome = 'wait';
    second?.lose();
    await pass(5_000);
    const useless = net.last.succeed();
    useless.refusal = 'forward_denied';
    await pass(1_000);
    expect([useless.usable, first?.opens]).toEqual([false, 1]);
    const failing = { state: 'failing', last_error: { code: 'forward_denied' } };
    expect(net.link.status()).toMatchObject({ state: 'up', replacement: failing });
    // Without a serving session, the server decides about each channel.
    first?.lose();
    await pass(1_000);
    net.last.succeed().refusal = 'forward_denied';
    await pass(1_000);
    expect(net.link.state).toBe('up');
  });

  it('counts at once when the serving session is lost during the proof', async () => {
    const [first, second] = await upForLong();
    net.outcome = 'wait';
    second?.lose();
    await pass(5_000);
    net.last.succeed().closesChannels = false;
    await vi.advanceTimersByTimeAsync(10);
    expect(net.link.status().sessions).toHaveLength(1);
    first?.lose();
    await vi.advanceTimersByTimeAsync(10);
    expect(net.link.state).toBe('up');
  });

  it('counts if the server forbids the channels to the serving session too', async () => {
    const sessions = await upForLong();
    for (const session of sessions) session.refusal = 'forward_denied';
    net.outcome = 'wait';
    sessions[1]?.lose();
    await pass(5_000);
    net.last.succeed().refusal = 'forward_denied';
    await pass(1_000);
    expect(net.link.status()).toMatchObject({ state: 'up', replacement: null });
  });
});

describe('a link whose certificate has expired', () => {
  const expired = { state: 'expired', last_error: null };

  it('tells that its next login fails, and keeps its sessions', async () => {
    const before = await upForLong();
    net.outcome = 'cert_command_failed';
    net.renewal = expired;
    await pass(30_000);
    const failing = { state: 'failing', last_error: { code: 'cert_command_failed' } };
    expect(net.link.status()).toMatchObject({ state: 'up', replacement: failing });
    expect(net.kept).toEqual(before);
  });

  it('tests the login once if the fallback is accepted', async () => {
    await upForLong();
    net.renewal = expired;
    await pass(10 * MINUTE);
    expect(net.attempts).toHaveLength(3);
  });
});

describe('a link whose sessions were silent for a while', () => {
  /** Two silent sessions, a client, and the outcome of the login that the client causes. Then both answer again. */
  async function hiccup(outcome: ErrorCode): Promise<FakeSession[]> {
    const sessions = await upForLong();
    for (const session of sessions) Object.assign(session, { suspect: true, unanswered: 16 });
    net.outcome = outcome;
    const target = { kind: 'tcp', host: '192.0.2.7', port: 80 } as const;
    const client = net.link.open(target, { address: '127.0.0.1', port: 1 }, new AbortController().signal);
    const given = expect(client).rejects.toMatchObject({ code: 'keepalive_lost' });
    await pass(10_000);
    await given;
    for (const session of sessions) session.suspect = false;
    return sessions;
  }

  it('tells that its next login fails, if the server has rejected the login', async () => {
    const sessions = await hiccup('auth_rejected');
    await pass(10_000);
    const failing = { state: 'failing', last_error: { code: 'auth_rejected' } };
    expect(net.link.status()).toMatchObject({ state: 'up', replacement: failing });
    net.outcome = 'ok';
    await pass(2 * MINUTE);
    expect(net.link.status().replacement).toBeNull();
    expect(net.kept).toEqual(sessions);
  });

  it('forgets the logins that failed meanwhile', async () => {
    const [first] = await hiccup('connect_timeout');
    await pass(10_000);
    expect(net.link.status()).toMatchObject({ attempts: 0, replacement: null });
    net.outcome = 'wait';
    first?.lose();
    await vi.advanceTimersByTimeAsync(0);
    expect(net.link.status()).toMatchObject({ attempts: 0, replacement: { state: 'pending' } });
  });
});
