import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { actorConfig, FakeNetwork, type FakeSession, hostConfig } from '../../../support/fakes/fake-link.ts';

const target = { kind: 'tcp', host: '10.43.170.94', port: 8000 } as const;
const originator = { address: '127.0.0.1', port: 40_000 };
const never = new AbortController().signal;

let net: FakeNetwork;
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const open = () => net.link.open(target, originator, never);

async function start(host: Parameters<typeof begin>[0] = {}): Promise<FakeNetwork> {
  begin(host);
  await pass(0);
  return net;
}
function begin(host: ConstructorParameters<typeof FakeNetwork>[0]): void {
  net = new FakeNetwork(host);
  net.link.start();
}

/** Brings the link up with all its sessions. */
async function up(host: ConstructorParameters<typeof FakeNetwork>[0] = {}): Promise<FakeSession[]> {
  begin(host);
  net.outcome = 'ok';
  await pass(60_000);
  net.outcome = 'wait';
  return net.sessions;
}

function at<T>(list: readonly T[], index: number): T {
  const item = list.at(index);
  if (item === undefined) throw new Error(`there is no ${index}`);
  return item;
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(async () => {
  await net.link.stop();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

describe('sessions', () => {
  test.each([1, 2, 3])('makes %i sessions one after the other, spaced, and keeps them', async (sessions) => {
    await up({ sessions });
    expect(net.sessions).toHaveLength(sessions);
    expect(net.mostConnecting).toBe(1);
    const gaps = net.attempts.slice(1).map((attempt, i) => attempt.at - at(net.attempts, i).at);
    for (const gap of gaps) expect(gap).toBeGreaterThanOrEqual(250);
  });

  test('starts an attempt only after the previous one ends', async () => {
    await start();
    await pass(60_000);
    expect(net.attempts).toHaveLength(1);
    net.last.succeed();
    await pass(0);
    expect(net.attempts).toHaveLength(2);
    expect(net.link.state).toBe('up');
  });

  test('replaces a lost session while the other serves', async () => {
    const [first, second] = await up();
    first?.lose();
    await pass(0);
    expect(net.link.state).toBe('up');
    await open();
    expect(second?.opens).toBe(1);
    net.outcome = 'ok';
    await pass(1_000);
    expect(net.kept).toHaveLength(2);
  });

  test('opens nothing on a dead session before its end is reported', async () => {
    const [first, second] = await up();
    Object.assign(first as FakeSession, { usable: false });
    await open();
    expect([first?.opens, second?.opens]).toEqual([0, 1]);
  });

  test('logs in once more while no session answers a client, and ends no session', async () => {
    const [first, second] = await up();
    Object.assign(first as FakeSession, { suspect: true, channels: 3 });
    net.link.tick(new Date());
    await pass(60_000);
    expect(net.connecting).toBe(0);
    Object.assign(second as FakeSession, { suspect: true });
    Object.assign(first as FakeSession, { unanswered: 16 });
    const waiting = open();
    await pass(1_000);
    const third = net.last.succeed();
    await pass(0);
    expect(net.kept).toEqual([first, second, third]);
    await pass(100);
    await waiting;
    expect(third.opens).toBe(1);
    // At most one more, also when that one falls silent too.
    third.suspect = true;
    open().catch(() => {});
    await pass(60_000);
    expect(net.connecting).toBe(0);
    for (const session of [first, second, third]) Object.assign(session as FakeSession, { suspect: false });
    net.link.tick(new Date());
    expect(net.kept).toEqual([first, second]);
  });

  test('retries a login each second while no session answers a client', async () => {
    const [first] = await up({ sessions: 1 });
    Object.assign(first as FakeSession, { suspect: true, unanswered: 16 });
    net.outcome = 'connect_refused';
    const before = net.attempts.length;
    open().catch(() => {});
    await pass(20_000);
    expect(net.attempts.length - before).toBeGreaterThanOrEqual(15);
    expect(net.link.state).toBe('up');
  });

  test('uses a suspect session only while no other session is healthy', async () => {
    const [first, second] = await up();
    Object.assign(first as FakeSession, { suspect: true });
    await open();
    expect([first?.opens, second?.opens]).toEqual([0, 1]);
    Object.assign(second as FakeSession, { suspect: true });
    await open();
    expect([first?.opens, second?.opens]).toEqual([1, 1]);
  });

  test('checks all sessions', async () => {
    const sessions = await up();
    net.link.check();
    expect(sessions.map(({ checks }) => checks)).toEqual([1, 1]);
  });

  test('rejects an open with the reason while no session is up', async () => {
    await start();
    await expect(open()).rejects.toMatchObject({ code: 'connection_reset' });
    net.last.fail('connect_refused');
    await pass(0);
    await expect(open()).rejects.toMatchObject({ code: 'connect_refused' });
  });
});

describe('new settings', () => {
  const reconfigure = (host: Partial<typeof hostConfig>, replace: boolean) =>
    net.link.reconfigure({ host: { ...hostConfig, ...host }, actor: actorConfig }, replace);

  test('ends an old session only after a new one is up', async () => {
    const [first, second] = await up();
    Object.assign(first as FakeSession, { channels: 1 });
    reconfigure({ address: '192.0.2.2' }, true);
    await pass(0);
    expect(net.last.host.address).toBe('192.0.2.2');
    await open();
    expect(first).toMatchObject({ opens: 1, draining: false });
    const fresh = net.last.succeed();
    await pass(0);
    expect([first?.draining, second?.draining]).toEqual([true, false]);
    expect(net.link.status().sessions.map(({ role }) => role)).toEqual(['draining', 'standby', 'active']);
    await open();
    expect(fresh.opens).toBe(1);
    await pass(250);
    net.last.succeed();
    await pass(0);
    expect([first?.draining, second?.draining]).toEqual([true, true]);
  });

  test('keeps the old sessions while no new session can be made', async () => {
    const [first] = await up();
    net.outcome = 'connect_refused';
    reconfigure({ address: '192.0.2.2' }, true);
    await pass(600_000);
    expect(net.link.state).toBe('up');
    expect(first?.draining).toBe(false);
  });

  test('keeps no more old sessions than configured while no new session is up', async () => {
    const [first, second] = await up();
    Object.assign(second as FakeSession, { channels: 1 });
    reconfigure({ sessions: 1, address: '192.0.2.2' }, true);
    await pass(0);
    expect([first?.draining, second?.draining]).toEqual([false, true]);
  });

  test('tries the new settings at once, although an attempt with the old ones hangs', async () => {
    await start();
    reconfigure({ address: '192.0.2.2' }, true);
    await pass(250);
    expect(net.attempts.map(({ host }) => host.address)).toEqual(['192.0.2.1', '192.0.2.2']);
    expect(net.link.lastError).toBeUndefined();
    net.last.succeed();
    await pass(0);
    expect(net.link.status().sessions).toMatchObject([{ id: 1, role: 'active' }]);
  });

  test('forgets the errors of another host, user or key', async () => {
    await start();
    net.last.fail('dns_failed');
    await pass(0);
    expect(net.link.status()).toMatchObject({ attempts: 1, last_error: { code: 'dns_failed' } });
    reconfigure({ address: '192.0.2.2' }, true);
    expect(net.link.status()).toMatchObject({ attempts: 0, last_error: null });
  });

  test('ends a surplus session with its last channel', async () => {
    const [first, second] = await up();
    Object.assign(second as FakeSession, { channels: 1 });
    reconfigure({ sessions: 1 }, false);
    await pass(0);
    expect([first?.draining, second?.draining]).toEqual([false, true]);
    expect(net.link.status().sessions.map(({ role }) => role)).toEqual(['active', 'draining']);
  });

  test('makes a new session for a lost one although a surplus session is still open', async () => {
    const [first, second] = await up();
    Object.assign(second as FakeSession, { channels: 1 });
    reconfigure({ sessions: 1 }, false);
    net.outcome = 'ok';
    first?.lose();
    await pass(1_000);
    expect(net.kept).toHaveLength(1);
  });

  test('adds no backoff when a leaving session is lost', async () => {
    const [first, second] = await up();
    Object.assign(second as FakeSession, { channels: 1 });
    reconfigure({ sessions: 1 }, false);
    second?.lose();
    await pass(0);
    expect(net.link.status()).toMatchObject({ state: 'up', last_error: null, next_attempt_at: null });
    expect(first?.usable).toBe(true);
  });

  test('makes more sessions at once when more are configured', async () => {
    await up();
    net.outcome = 'ok';
    reconfigure({ sessions: 3 }, false);
    await pass(0);
    expect(net.kept).toHaveLength(3);
  });
});

describe('stop', () => {
  test('stops during an attempt', async () => {
    await start();
    await net.link.stop();
    expect(net.connecting).toBe(0);
  });

  test('stops while the read of a key or of known_hosts hangs', async () => {
    begin({});
    net.stuck = true;
    await pass(0);
    expect(net.prepared).toBe(1);
    await net.link.stop();
  });

  test('stops during a backoff', async () => {
    await start();
    net.last.fail('auth_rejected');
    await pass(0);
    await net.link.stop();
  });

  test('ends all sessions at a stop', async () => {
    const sessions = await up();
    await net.link.stop();
    expect(sessions.map(({ usable }) => usable)).toEqual([false, false]);
    expect(net.link.status().sessions).toEqual([]);
  });

  test('stops while the attempt waits for its turn', async () => {
    await start();
    net.last.succeed();
    await pass(10);
    await net.link.stop();
    expect(net.kept).toEqual([]);
  });

  test('stops before the start', async () => {
    net = new FakeNetwork();
    await net.link.stop();
    expect(net.prepared).toBe(0);
  });
});
