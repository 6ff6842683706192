import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type ErrorCode, TunnelError } from '../../../../src/base/errors.ts';
import { verdictOn } from '../../../../src/tunnels/link/lifetime.ts';
import {
  actorConfig,
  credentialFacts,
  FakeNetwork,
  type FakeSession,
  hostConfig,
} from '../../../support/fakes/fake-link.ts';

const never = new AbortController().signal;
let net: FakeNetwork;
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const roles = () => net.link.status().sessions.map(({ id, role }) => `${id} ${role}`);
const certificate = (id: string, version: number, validBefore?: Date) =>
  credentialFacts(id, { type: 'certificate', version, validBefore });

/** Brings both sessions up, with the first certificate. */
async function up(): Promise<readonly [FakeSession, FakeSession]> {
  net.credential = certificate('one', 1);
  net.outcome = 'ok';
  net.link.start();
  await pass(1_000);
  net.outcome = 'wait';
  const [first, second] = net.sessions;
  if (!first || !second) throw new Error('it did not come up');
  return [first, second];
}

/** Publishes another certificate. */
function publish(version = 2): void {
  net.credential = certificate(`certificate ${version}`, version);
  net.link.supersede(version);
}

beforeEach(() => {
  vi.useFakeTimers();
  net = new FakeNetwork();
});
afterEach(async () => {
  await net.link.stop();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

describe('another credential', () => {
  test('replaces the sessions one by one, so that two are always up', async () => {
    const [first, second] = await up();
    publish();
    await pass(0);
    expect([first.draining, second.draining]).toEqual([false, false]);
    net.last.succeed();
    await pass(0);
    expect([first.draining, second.draining]).toEqual([true, false]);
    await pass(250);
    net.last.succeed();
    await pass(0);
    expect(second.draining).toBe(true);
    expect(roles()).toEqual(['3 active', '4 standby']);
    expect(net.rotationSeconds).toHaveLength(1);
    expect(await net.link.rotated(never)).toBeUndefined();
  });

  test('proves a new credential with a channel before clients use it', async () => {
    const [first] = await up();
    publish();
    await pass(0);
    const fresh = net.last.succeed();
    await pass(0);
    expect([fresh.opens, first.opens]).toEqual([1, 0]);
  });

  test('serves with a new credential once the channel of the proof is closed, or after 250 ms', async () => {
    const [first] = await up();
    publish();
    await pass(0);
    const fresh = net.last.succeed();
    fresh.closesChannels = false;
    await pass(249);
    expect([fresh.opens, first.draining]).toEqual([1, false]);
    await pass(1);
    expect(first.draining).toBe(true);
  });

  test.each(['target_refused', 'target_unreachable'] as const)(
    'accepts a new credential when the target answers %s',
    async (code) => {
      const [first] = await up();
      publish();
      await pass(0);
      net.last.succeed().refusal = code;
      await pass(0);
      expect(first.draining).toBe(true);
    },
  );

  test('replaces no session when the server forbids channels to the new credential, and reports why', async () => {
    const [first, second] = await up();
    publish();
    const outcome = net.link.rotated(never);
    await pass(0);
    const useless = net.last.succeed();
    useless.refusal = 'forward_denied';
    await pass(0);
    expect([useless.usable, first.draining, second.draining]).toEqual([false, false, false]);
    expect(net.link.state).toBe('up');
    expect(net.link.lastError?.code).toBe('forward_denied');
    // The source is asked for another one at once; the same one waits for its minute.
    await pass(59_000);
    expect(net.attempts).toHaveLength(3);
    expect(await outcome).toMatchObject({ code: 'forward_denied' });
    await net.link.open({ kind: 'tcp', host: 'x', port: 1 }, { address: '127.0.0.1', port: 1 }, never);
    expect(first.opens + second.opens).toBeGreaterThan(0);
  });

  test('accepts a new credential when the server forbids the channel to the old one too', async () => {
    const [first, second] = await up();
    first.refusal = 'forward_denied';
    second.refusal = 'forward_denied';
    publish();
    await pass(0);
    net.last.succeed().refusal = 'forward_denied';
    await pass(0);
    expect(first.draining).toBe(true);
  });

  test('uses a new credential that comes during an attempt with the old one', async () => {
    await up();
    publish(2);
    await pass(0);
    const second = net.last;
    publish(3);
    second.succeed();
    await pass(250);
    for (let i = 0; i < 4; i++) {
      if (net.connecting > 0) net.last.succeed();
      await pass(250);
    }
    const status = net.link.status();
    expect(status.sessions).toHaveLength(2);
    expect(net.kept).toHaveLength(2);
  });

  test('keeps sessions that already use the new credential', async () => {
    await up();
    net.link.supersede(1);
    await pass(1_000);
    expect(net.attempts).toHaveLength(2);
    expect(net.rotationSeconds).toEqual([]);
  });

  test('uses the fallback when the new credential is rejected and the old sessions are lost', async () => {
    const [first, second] = await up();
    publish();
    await pass(0);
    net.last.fail('auth_rejected');
    await pass(1_000);
    net.onPrepare = ({ serving }) => {
      if (!serving) net.credential = credentialFacts('static', { version: 2 });
    };
    first.lose('connection_reset');
    second.lose('connection_reset');
    await pass(300);
    net.last.succeed();
    await pass(0);
    expect(net.link.ready).toBe(true);
  });

  test('uses the fallback at once when the old sessions are lost during the request for a credential', async () => {
    const [first, second] = await up();
    publish();
    await pass(0);
    net.onPrepare = ({ serving }) => {
      if (!serving) net.credential = credentialFacts('static', { version: 2 });
      else if (net.needs.length > 3) for (const session of [first, second]) session.lose('connection_reset');
    };
    net.last.fail('auth_rejected');
    await pass(1_000);
    net.last.succeed();
    await pass(0);
    expect(net.link.ready).toBe(true);
  });

  test('does not offer a rejected credential sooner when the old sessions are lost and no fallback exists', async () => {
    const [first, second] = await up();
    publish();
    await pass(0);
    net.last.fail('auth_rejected');
    await pass(1_000);
    first.lose('connection_reset');
    second.lose('connection_reset');
    await pass(55_000);
    expect(net.attempts).toHaveLength(3);
    expect(net.link.lastError?.code).toBe('auth_rejected');
    await pass(10_000);
    expect(net.attempts).toHaveLength(4);
  });

  test('keeps the old sessions serving when the new credential is rejected', async () => {
    const [first, second] = await up();
    publish();
    await pass(0);
    net.last.fail('auth_rejected');
    await pass(70_000);
    expect([first.draining, second.draining]).toEqual([false, false]);
    expect(net.link.status()).toMatchObject({
      state: 'up',
      last_error: { code: 'auth_rejected' },
      replacement: { state: 'failing', attempts: 1, last_error: { code: 'auth_rejected' } },
    });
    expect(roles()).toEqual(['1 active', '2 standby']);
  });
});

describe('another credential while no session is up', () => {
  beforeEach(async () => {
    net.credential = certificate('one', 1);
    net.link.start();
    await pass(0);
    net.last.fail('auth_rejected');
    await pass(100);
  });

  test('reports no success while no session is up and the new credential is rejected too', async () => {
    publish();
    const outcome = net.link.rotated(never);
    await pass(300);
    net.last.fail('auth_rejected');
    await pass(100);
    expect(await outcome).toMatchObject({ code: 'auth_rejected' });
  });

  test('reports success once a session is up, but measures no replacement', async () => {
    publish();
    const outcome = net.link.rotated(never);
    await pass(300);
    net.last.succeed();
    await pass(0);
    expect(await outcome).toBeUndefined();
    expect(net.rotationSeconds).toEqual([]);
  });
});

describe('a rejected certificate', () => {
  beforeEach(async () => {
    net.credential = certificate('one', 1);
    net.link.start();
    await pass(0);
  });

  test('requests another certificate at once after a rejection, and offers it at once', async () => {
    net.onPrepare = ({ refused }) => {
      if (refused.includes('one')) net.credential = certificate('two', 2);
    };
    net.last.fail('auth_rejected');
    await pass(300);
    expect(net.needs.map(({ refused }) => refused)).toEqual([[], ['one']]);
    expect(net.attempts).toHaveLength(2);
    expect(net.link.state).toBe('connecting');
  });

  test('offers a rejected certificate once a minute, and shows the link as blocked', async () => {
    net.outcome = 'auth_rejected';
    net.last.fail('auth_rejected');
    await pass(59_000);
    expect(net.attempts).toHaveLength(1);
    expect(net.link.state).toBe('blocked');
    await pass(5 * 60_000);
    expect(net.attempts.length).toBeGreaterThanOrEqual(5);
    expect(net.attempts.length).toBeLessThanOrEqual(7);
  });

  test('offers no credential until a penalty is over', async () => {
    net.last.fail('penalised');
    await pass(0);
    net.credential = certificate('two', 2);
    net.link.supersede(2);
    await pass(55_000);
    expect(net.attempts).toHaveLength(1);
    expect(net.link.lastError?.code).toBe('penalised');
    await pass(25_000);
    expect(net.attempts).toHaveLength(2);
  });
});

describe('an expired session', () => {
  test.each([
    ['no certificate', undefined, undefined, 'cut', 'keep'],
    ['not yet', 1_000, undefined, 'cut', 'keep'],
    ['expired', -1, undefined, 'keep', 'keep'],
    ['expired', -1, undefined, 'drain', 'drain'],
    ['expired', -1, undefined, 'cut', 'cut'],
    ['drain_timeout over', 1_000, 60_000, 'keep', 'cut'],
    ['drain_timeout not over', 1_000, 59_999, 'keep', 'keep'],
  ] as const)(
    'judges a session: %s (valid for %s ms, drained for %s ms), on_expiry %s -> %s',
    (_, validMs, leftMs, onExpiry, verdict) => {
      const now = new Date(1_000_000);
      const validBefore = validMs === undefined ? undefined : new Date(now.getTime() + validMs);
      const leftSince = leftMs === undefined ? undefined : 500_000 - leftMs;
      expect(verdictOn({ validBefore, leftSince }, { onExpiry, drainTimeoutMs: 60_000 }, now, 500_000)).toBe(verdict);
    },
  );

  const expire = async (onExpiry: 'keep' | 'drain' | 'cut', next: 'wait' | ErrorCode = 'connect_refused') => {
    net.credential = certificate('one', 1, new Date(Date.now() + 60_000));
    net.outcome = 'ok';
    net.link.reconfigure({ host: hostConfig, actor: { ...actorConfig, onExpiry } }, false);
    net.link.start();
    await pass(1_000);
    for (const session of net.sessions) session.channels = 1;
    net.outcome = next;
    await pass(60_000);
    net.link.tick(new Date());
    await pass(0);
    return net.sessions;
  };

  test('keeps an expired session with on_expiry keep', async () => {
    expect((await expire('keep')).map(({ draining, usable }) => [draining, usable])).toEqual([
      [false, true],
      [false, true],
    ]);
    expect(net.link.state).toBe('up');
  });

  test('gives an expired session no new connections with on_expiry drain, even without another session', async () => {
    expect((await expire('drain')).map(({ draining, usable }) => [draining, usable])).toEqual([
      [true, true],
      [true, true],
    ]);
    expect(net.link.ready).toBe(false);
    expect(net.link.farSessions).toEqual([]);
  });

  test('cuts an expired session with on_expiry cut, and names the reason', async () => {
    expect((await expire('cut', 'wait')).map(({ usable }) => usable)).toEqual([false, false]);
    expect(net.link.lastError?.code).toBe('cert_expired');
  });
});

test('reports a fallback credential as long as the fallback serves', async () => {
  const reason = new TunnelError('cert_command_failed', 'static key under exception x: away');
  net.credential = credentialFacts('static', { standIn: reason });
  net.outcome = 'ok';
  net.link.start();
  await pass(1_000);
  expect(net.link.fallbackReason).toBe(reason);
  expect(net.link.status().degraded).toBe(reason.message);
  publish();
  await pass(1_000);
  expect(net.link.fallbackReason).toBeUndefined();
  expect(net.link.status().degraded).toBeNull();
});
