import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  actorConfig,
  credentialFacts,
  FakeNetwork,
  type FakeSession,
  hostConfig,
} from '../../../support/fakes/fake-link.ts';

let net: FakeNetwork;
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const waitMs = () => (net.link.nextAttemptAt?.getTime() ?? Number.NaN) - Date.now();

beforeEach(async () => {
  vi.useFakeTimers();
  net = new FakeNetwork({ sessions: 1 });
  net.random = 0.8;
  net.link.start();
  await pass(0);
});
afterEach(async () => {
  await net.link.stop();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

/** Lets the current attempt fail, and returns how long the link then waits. */
async function fail(code: Parameters<typeof net.last.fail>[0]): Promise<number> {
  net.last.fail(code);
  await pass(0);
  return waitMs();
}

/** Lets the session be lost, and waits for the next attempt. Returns how long the link waited. */
async function lose(session: FakeSession, lastedMs: number): Promise<number> {
  await pass(lastedMs);
  session.lose('connection_reset');
  await pass(0);
  const wait = waitMs();
  await pass(Math.ceil(wait) + 1);
  expect(net.connecting).toBe(1);
  return wait;
}

describe('backoff', () => {
  test('grows the backoff with each failure, up to the cap', async () => {
    const waits: number[] = [];
    for (let i = 0; i < 8; i++) {
      waits.push(await fail('connect_refused'));
      await pass(at(waits, -1));
    }
    expect(waits).toEqual([400, 800, 1_600, 3_200, 6_400, 12_800, 24_000, 24_000]);
  });

  test('waits after a lost session as briefly as after the first, however many attempts failed before', async () => {
    for (let i = 0; i < 8; i++) await pass(await fail('connect_refused'));
    for (let i = 0; i < 20; i++) expect(await lose(net.last.succeed(), 1_500)).toBe(400);
  });

  test('waits at most 5 s for a host whose last login succeeded, and a second at first', async () => {
    await lose(net.last.succeed(), 10_000);
    const waits: [seconds: number, waitMs: number][] = [];
    for (let seconds = 0; seconds < 1_200; ) {
      const wait = await fail('connect_timeout');
      waits.push([seconds, wait]);
      await pass(Math.ceil(wait) + 1);
      seconds += wait / 1_000;
    }
    expect(waits.slice(0, 3).map(([, wait]) => wait)).toEqual([400, 800, 800]);
    for (const [seconds, wait] of waits) expect(wait).toBeLessThanOrEqual(seconds < 55 ? 800 : 4_000);
    expect(waits.at(-1)?.[1]).toBe(4_000);
  });

  test('resets the backoff of a host that does not let us in only after a session that lasts 30 s', async () => {
    for (let i = 0; i < 4; i++) await pass(await fail('key_unreadable'));
    await lose(net.last.succeed(), 29_000);
    const wait = await fail('key_unreadable');
    expect(wait).toBe(6_400);
    await pass(wait);
    await lose(net.last.succeed(), 30_000);
    expect(await fail('key_unreadable')).toBe(400);
  });

  test('waits longer for a server that drops each session right after its login, up to 5 s', async () => {
    const waits: number[] = [];
    for (let i = 0; i < 5; i++) waits.push(await lose(net.last.succeed(), 100));
    expect(waits).toEqual([800, 1_600, 3_600, 4_500, 4_500]);
    expect(await lose(net.last.succeed(), 1_000)).toBe(400);
  });

  test('says that the host ends each session right after the login, once, until a session lasts', async () => {
    // A client waits all the time, and shortens no wait: the host would serve nobody.
    const waiting = new AbortController();
    net.link.whenReady(waiting.signal).catch(() => {});
    for (let i = 0; i < 6; i++) {
      const wait = await lose(net.last.succeed(), 100);
      net.link.whenReady(waiting.signal).catch(() => {});
      if (i >= 3) expect(wait).toBeGreaterThan(2_000);
    }
    const said = net.link.lastError;
    expect(said).toMatchObject({ code: 'connection_reset', hint: expect.stringContaining('log of sshd') });
    expect(said?.message).toMatch(/ends each SSH session right after the login: /);
    expect(net.events.filter((event) => event === 'session.lost')).toHaveLength(3);
    net.last.succeed();
    await pass(0);
    expect(net.link).toMatchObject({ ready: true, state: 'connecting' });
    net.link.tick(new Date());
    expect(net.link.state).toBe('connecting');
    await pass(500);
    net.link.tick(new Date());
    expect(net.link.state).toBe('up');
    waiting.abort(new Error('over'));
  });

  test('waits longer for a standby that is lost again and again while the other session serves, up to 5 s', async () => {
    net.link.reconfigure({ host: { ...hostConfig, sessions: 2 }, actor: actorConfig }, false);
    net.last.succeed();
    await pass(250);
    const waits: number[] = [];
    for (let i = 0; i < 6; i++) waits.push(await lose(net.last.succeed(), 1_000));
    expect(waits).toEqual([400, 800, 1_600, 3_200, 4_000, 4_000]);
  });

  test('waits between attempts at a server that drops every session at once, even while a standby is missing', async () => {
    net.link.reconfigure({ host: { ...hostConfig, sessions: 2 }, actor: actorConfig }, false);
    for (let i = 0; i < 600; i++) {
      await pass(100);
      if (net.connecting === 0) continue;
      // The previous session is lost during the next attempt.
      for (const session of net.kept) session.lose('connection_reset');
      await pass(0);
      net.last.succeed();
    }
    expect(net.attempts.length).toBeLessThan(20);
  });

  test('waits between logins at a server that ends each standby at once, although the close is reported late', async () => {
    net.link.reconfigure({ host: { ...hostConfig, sessions: 2 }, actor: actorConfig }, false);
    net.last.succeed();
    for (let i = 0; i < 600; i++) {
      await pass(100);
      if (net.connecting === 0) continue;
      const standby = net.last.succeed();
      standby.usable = false;
      setTimeout(() => standby.lose('connection_reset'), 50);
      await pass(50);
    }
    expect(net.attempts.length).toBeLessThan(25);
  });

  test('counts sessions that are lost together as one failure', async () => {
    net.link.reconfigure({ host: { ...hostConfig, sessions: 3 }, actor: actorConfig }, false);
    net.outcome = 'ok';
    net.last.succeed();
    await pass(2_000);
    net.outcome = 'wait';
    expect(net.kept).toHaveLength(3);
    for (const wait of [400, 400]) {
      for (const session of net.kept) {
        session.lose('connection_reset');
        await pass(1);
      }
      // The link serves until the last one is lost.
      expect(waitMs()).toBe(wait - 1);
      net.outcome = 'ok';
      await pass(wait + 2_000);
      net.outcome = 'wait';
      expect(net.kept).toHaveLength(3);
    }
  });

  test('shortens the wait for a standby when the serving session is lost too', async () => {
    const stable = net.last.succeed();
    net.link.reconfigure({ host: { ...hostConfig, sessions: 2 }, actor: actorConfig }, false);
    await pass(250);
    for (let i = 0; i < 400; i++) await pass(Math.ceil(await fail('connect_refused')) + 1);
    expect(await fail('connect_refused')).toBe(4_000);
    stable.lose();
    await pass(0);
    expect(waitMs()).toBe(400);
  });

  test('counts sessions that are lost together during an attempt as one failure', async () => {
    net.link.reconfigure({ host: { ...hostConfig, sessions: 3 }, actor: actorConfig }, false);
    net.last.succeed();
    await pass(1_000);
    net.last.succeed();
    await pass(1_000);
    expect(net.connecting).toBe(1);
    for (const session of net.kept) session.lose('connection_reset');
    await pass(0);
    net.last.succeed();
    await pass(0);
    expect(waitMs()).toBe(400);
  });

  test('logs one line when the reason changes, and none for repetitions', async () => {
    for (const code of ['connect_refused', 'connect_refused', 'dns_failed', 'dns_failed'] as const) {
      await pass(await fail(code));
    }
    expect(net.events.filter((event) => event === 'link.attempt_failed')).toHaveLength(2);
  });

  test('measures the time without a session from the loss, not from its discovery', async () => {
    const session = net.last.succeed();
    await pass(60_000);
    session.lose('keepalive_lost', 14_000);
    await pass(400);
    net.last.succeed();
    await pass(0);
    expect(net.recoverSeconds).toEqual([14.4]);
  });
});

describe('state', () => {
  test.each([
    ['connect_refused', 'backoff'],
    ['penalised', 'backoff'],
    ['auth_rejected', 'blocked'],
    ['host_key_changed', 'blocked'],
    ['host_key_unknown', 'blocked'],
    ['key_permissions', 'blocked'],
  ] as const)('shows after %s the state %s', async (code, state) => {
    expect(net.link.state).toBe('connecting');
    await fail(code);
    expect(net.link.state).toBe(state);
    expect(net.link.lastError?.code).toBe(code);
    expect(net.link.status()).toMatchObject({ state, attempts: 1, last_error: { code } });
  });

  test('announces a failed attempt, and the next attempt', async () => {
    const before = net.changes;
    await fail('connect_refused');
    expect(net.changes).toBe(before + 1);
    await pass(400);
    expect(net.changes).toBe(before + 2);
    expect(net.link.status()).toMatchObject({ state: 'connecting', next_attempt_at: null });
  });
});

describe('a rejected credential', () => {
  beforeEach(() => fail('auth_rejected'));

  test('does not offer a rejected credential again within a minute, even when kicked', async () => {
    for (let second = 0; second < 59; second++) {
      net.link.kick();
      await pass(1_000);
    }
    expect(net.attempts).toHaveLength(1);
    await pass(20_000);
    expect(net.attempts).toHaveLength(2);
  });

  test('does not offer a rejected credential again within a minute, even when a client waits', async () => {
    const gone = new AbortController();
    const waiting = net.link.whenReady(gone.signal).catch(() => {});
    await pass(59_000);
    expect(net.attempts).toHaveLength(1);
    gone.abort();
    await waiting;
  });

  test('keeps a rejected credential as the reason, and the link blocked', async () => {
    net.link.kick();
    await pass(1_000);
    expect(net.link.state).toBe('blocked');
    expect(net.link.lastError?.code).toBe('auth_rejected');
  });

  test('offers a changed credential at once after a rejection', async () => {
    net.credential = credentialFacts('SHA256:two');
    net.link.kick();
    await pass(250);
    expect(net.attempts).toHaveLength(2);
  });

  test.each([{ user: 'root' }, { address: '192.0.2.2' }, { port: 2222 }])(
    'offers a rejected credential at once to another server or user: %o',
    async (mended) => {
      net.link.reconfigure({ host: { ...hostConfig, sessions: 1, ...mended }, actor: actorConfig }, true);
      await pass(250);
      expect(net.attempts).toHaveLength(2);
    },
  );

  test('keeps the wait after a rejected standby when the serving session is lost', async () => {
    await pass(75_000);
    const session = net.last.succeed();
    await pass(0);
    net.link.reconfigure({ host: { ...hostConfig, sessions: 2 }, actor: actorConfig }, false);
    await pass(250);
    await fail('auth_rejected');
    session.lose();
    await pass(59_000);
    expect(net.attempts).toHaveLength(3);
    expect(net.link.state).toBe('blocked');
  });
});

test('keeps the wait and the error of a changed host key when the serving session is lost', async () => {
  const session = net.last.succeed();
  net.link.reconfigure({ host: { ...hostConfig, sessions: 2 }, actor: actorConfig }, false);
  await pass(250);
  expect(await fail('host_key_changed')).toBe(72_000);
  session.lose();
  await pass(0);
  expect(waitMs()).toBe(72_000);
  expect(net.link.status()).toMatchObject({ state: 'blocked', last_error: { code: 'host_key_changed' } });
});

test('retries at once when kicked after a host key error', async () => {
  await fail('host_key_changed');
  await pass(10_000);
  net.link.kick();
  await pass(0);
  expect(net.attempts).toHaveLength(2);
});

test('changes nothing when kicked outside of a wait', async () => {
  net.link.kick();
  net.last.succeed();
  await pass(0);
  net.link.kick();
  await pass(60_000);
  expect(net.attempts).toHaveLength(1);
});

describe('waiting for the link', () => {
  test('wakes waiting clients with the first session', async () => {
    const waiting = net.link.whenReady(new AbortController().signal);
    net.last.succeed();
    await waiting;
    expect(net.link.ready).toBe(true);
  });

  test('lets nobody wait while the link is up', async () => {
    net.last.succeed();
    await pass(0);
    await net.link.whenReady(new AbortController().signal);
  });

  test('releases a waiting client at its own signal, and keeps no listener on the signal', async () => {
    const controller = new AbortController();
    const remove = vi.spyOn(controller.signal, 'removeEventListener');
    const waiting = net.link.whenReady(controller.signal);
    controller.abort(new Error('the client went away'));
    await expect(waiting).rejects.toThrow('the client went away');
    await expect(net.link.whenReady(controller.signal)).rejects.toThrow('the client went away');
    expect(remove).toHaveBeenCalledTimes(1);
  });

  test('makes the next attempt within a second while a client waits', async () => {
    for (let i = 0; i < 8; i++) await pass(await fail('connect_refused'));
    await fail('connect_refused');
    expect(waitMs()).toBe(24_000);
    void net.link.whenReady(new AbortController().signal);
    const before = net.attempts.length;
    await pass(1_000);
    expect(net.attempts).toHaveLength(before + 1);
  });
});

function at<T>(list: readonly T[], index: number): T {
  const item = list.at(index);
  if (item === undefined) throw new Error(`there is no ${index}`);
  return item;
}
