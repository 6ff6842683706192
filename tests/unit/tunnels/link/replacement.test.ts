import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { actorConfig, credentialFacts, FakeNetwork, hostConfig } from '../../../support/fakes/fake-link.ts';

const never = new AbortController().signal;
let net: FakeNetwork;
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const replacement = () => net.link.status().replacement;

beforeEach(async () => {
  vi.useFakeTimers();
  net = new FakeNetwork();
  net.outcome = 'ok';
  net.link.start();
  await pass(60_000);
  net.outcome = 'wait';
});
afterEach(async () => {
  await net.link.stop();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

describe('the replacement of lost sessions', () => {
  test('is null when nothing is missing', () => {
    expect(replacement()).toBeNull();
    expect(net.link.status().sessions_wanted).toBe(2);
  });

  test('is pending from the loss on, failing after the first failed attempt, and null after the next login', async () => {
    const lostAt = new Date();
    net.sessions[1]?.lose();
    await pass(500);
    expect(replacement()).toEqual({ state: 'pending', since: lostAt, attempts: 0, last_error: null });
    for (const attempts of [1, 2, 3]) {
      net.last.fail('connect_refused');
      await pass(0);
      const expected = { state: 'failing', since: lostAt, attempts, last_error: { code: 'connect_refused' } };
      expect(replacement()).toMatchObject(expected);
      await pass(1_000);
    }
    expect(net.link.status()).toMatchObject({ state: 'up', attempts: 3 });
    net.last.succeed();
    await pass(0);
    expect(replacement()).toBeNull();
    expect(net.link.status().attempts).toBe(0);
  });

  test('is failing at a host that keeps no second session, until one lasts, and logs few of the losses', async () => {
    net.sessions[1]?.lose('connection_reset');
    for (let n = 1; n <= 12; n++) {
      await pass(5_500);
      expect(replacement()?.state, `after ${n} losses`).toBe(n > 5 ? 'failing' : 'pending');
      net.last.succeed().lose('connection_reset');
      await pass(0);
    }
    expect(replacement()).toMatchObject({
      attempts: 12,
      last_error: { code: 'connection_reset', hint: expect.stringContaining('sessions: 1') },
    });
    expect(net.events.filter((event) => event === 'session.lost')).toHaveLength(6);
    await pass(5_500);
    net.last.succeed();
    await pass(1_000);
    net.link.tick(new Date());
    expect(replacement()?.state).toBe('failing');
    await pass(10_000);
    net.link.tick(new Date());
    expect(replacement()).toBeNull();
  });

  test('is not failing at a host that flaps: the loss of all sessions shows that', async () => {
    net.outcome = 'ok';
    for (let n = 1; n <= 12; n++) {
      for (const session of net.kept) session.lose('connection_reset');
      await pass(5_500);
    }
    expect(net.kept).toHaveLength(2);
    expect(replacement()).toBeNull();
    expect(net.link.status().attempts).toBe(0);
  });

  test('fails without an attempt while a rejected credential waits for its minute', async () => {
    net.sessions[1]?.lose();
    await pass(500);
    net.last.fail('auth_rejected');
    await pass(0);
    // Another change of the settings, while the same credential is still rejected.
    net.link.reconfigure({ host: { ...hostConfig, connectTimeoutMs: 5_000 }, actor: actorConfig }, true);
    await pass(1_000);
    expect(replacement()).toMatchObject({ state: 'failing', attempts: 0, last_error: { code: 'auth_rejected' } });
  });
});

describe('the first login with new settings', () => {
  const change = () => net.link.reconfigure({ host: { ...hostConfig, user: 'other' }, actor: actorConfig }, true);

  test('ends at once without new settings', async () => {
    expect(await net.link.firstLogin(never)).toBeUndefined();
  });

  test('ends with the first session, before the other old session is replaced', async () => {
    change();
    const outcome = net.link.firstLogin(never);
    await pass(0);
    net.last.succeed();
    await pass(0);
    expect(await outcome).toBeUndefined();
    expect(replacement()).toMatchObject({ state: 'pending' });
  });

  test('ends with the error of the first failed attempt', async () => {
    change();
    const outcome = net.link.firstLogin(never);
    await pass(0);
    net.last.fail('auth_rejected');
    await pass(0);
    expect(await outcome).toMatchObject({ code: 'auth_rejected' });
  });

  test('tries the next certificate before the login counts as failed', async () => {
    net.credential = credentialFacts('one', { type: 'certificate' });
    net.onPrepare = ({ refused }) => {
      if (refused.includes('one')) net.credential = credentialFacts('two', { type: 'certificate' });
    };
    change();
    const outcome = net.link.firstLogin(never);
    await pass(0);
    net.last.fail('auth_rejected');
    await pass(250);
    net.last.succeed();
    await pass(0);
    expect(await outcome).toBeUndefined();
  });

  test('ignores the end of an attempt with the old settings', async () => {
    net.sessions[1]?.lose();
    await pass(500);
    const old = net.last;
    change();
    const outcome = net.link.firstLogin(never);
    old.fail('auth_rejected');
    await pass(250);
    expect(replacement()).toMatchObject({ state: 'pending', attempts: 0 });
    net.last.succeed();
    await pass(0);
    expect(await outcome).toBeUndefined();
  });
});
