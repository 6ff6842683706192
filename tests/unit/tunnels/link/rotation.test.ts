import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { TunnelError } from '../../../../src/base/errors.ts';
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

/** Up with both its sessions, on the first certificate. */
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

/** Another certificate is out. */
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
  test('replaces the sessions one by one, so that there are two at every moment', async () => {
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

  test('is proven with a channel before anything goes over it', async () => {
    const [first] = await up();
    publish();
    await pass(0);
    const fresh = net.last.succeed();
    await pass(0);
    expect([fresh.opens, first.opens]).toEqual([1, 0]);
  });

  test('serves once the channel of its proof is closed on both sides, or a quarter of a second later', async () => {
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

  test.each(['target_refused', 'target_unreachable'] as const)('is as good when the target says %s', async (code) => {
    const [first] = await up();
    publish();
    await pass(0);
    net.last.succeed().refusal = code;
    await pass(0);
    expect(first.draining).toBe(true);
  });

  test('that the server lets in and then forbids everything replaces nothing, and says why', async () => {
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
    // It is asked for another one at once; the same one waits for its minute.
    await pass(59_000);
    expect(net.attempts).toHaveLength(3);
    expect(await outcome).toMatchObject({ code: 'forward_denied' });
    await net.link.open({ kind: 'tcp', host: 'x', port: 1 }, { address: '127.0.0.1', port: 1 }, never);
    expect(first.opens + second.opens).toBeGreaterThan(0);
  });

  test('is not blamed for what the server forbids to the old one as well', async () => {
    const [first, second] = await up();
    first.refusal = 'forward_denied';
    second.refusal = 'forward_denied';
    publish();
    await pass(0);
    net.last.succeed().refusal = 'forward_denied';
    await pass(0);
    expect(first.draining).toBe(true);
  });

  test('that comes while an attempt with the one before is under way is used all the same', async () => {
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

  test('needs no replacement of sessions that have it already', async () => {
    await up();
    net.link.supersede(1);
    await pass(1_000);
    expect(net.attempts).toHaveLength(2);
    expect(net.rotationSeconds).toEqual([]);
  });

  test('that was rejected does not keep the fallback from serving once the old sessions are lost', async () => {
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

  test('that was rejected does not keep the fallback waiting where the old sessions are lost while it is asked for', async () => {
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

  test('that was rejected, and that nothing stands in for, is not offered sooner because the old sessions are lost', async () => {
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

  test('that is rejected leaves the old sessions, and they serve', async () => {
    const [first, second] = await up();
    publish();
    await pass(0);
    net.last.fail('auth_rejected');
    await pass(70_000);
    expect([first.draining, second.draining]).toEqual([false, false]);
    expect(net.link.status()).toMatchObject({ state: 'up', last_error: { code: 'auth_rejected' } });
  });
});

describe('another credential, while no session is up,', () => {
  beforeEach(async () => {
    net.credential = certificate('one', 1);
    net.link.start();
    await pass(0);
    net.last.fail('auth_rejected');
    await pass(100);
  });

  test('that is rejected as well is not told as a success', async () => {
    publish();
    const outcome = net.link.rotated(never);
    await pass(300);
    net.last.fail('auth_rejected');
    await pass(100);
    expect(await outcome).toMatchObject({ code: 'auth_rejected' });
  });

  test('is told as one once a session is up, and not measured as a replacement', async () => {
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

  test('has another one asked for at once, which is offered at once', async () => {
    net.onPrepare = ({ refused }) => {
      if (refused.includes('one')) net.credential = certificate('two', 2);
    };
    net.last.fail('auth_rejected');
    await pass(300);
    expect(net.needs.map(({ refused }) => refused)).toEqual([[], ['one']]);
    expect(net.attempts).toHaveLength(2);
    expect(net.link.state).toBe('connecting');
  });

  test('is itself offered once a minute, and the state says that somebody must act', async () => {
    net.outcome = 'auth_rejected';
    net.last.fail('auth_rejected');
    await pass(59_000);
    expect(net.attempts).toHaveLength(1);
    expect(net.link.state).toBe('blocked');
    await pass(5 * 60_000);
    expect(net.attempts.length).toBeGreaterThanOrEqual(5);
    expect(net.attempts.length).toBeLessThanOrEqual(7);
  });

  test('does not make a penalty longer: nothing is offered until that is over, whatever it is', async () => {
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

describe('a session whose time is up', () => {
  test.each([
    ['no certificate', undefined, undefined, 'cut', 'keep'],
    ['not yet', 1_000, undefined, 'cut', 'keep'],
    ['expired', -1, undefined, 'keep', 'keep'],
    ['expired', -1, undefined, 'drain', 'drain'],
    ['expired', -1, undefined, 'cut', 'cut'],
    ['left for long', 1_000, 60_000, 'keep', 'cut'],
    ['left since a moment', 1_000, 59_999, 'keep', 'keep'],
  ] as const)('%s (%s ms left, left since %s ms): on_expiry %s -> %s', (_, validMs, leftMs, onExpiry, verdict) => {
    const now = new Date(1_000_000);
    const validBefore = validMs === undefined ? undefined : new Date(now.getTime() + validMs);
    const leftSince = leftMs === undefined ? undefined : 500_000 - leftMs;
    expect(verdictOn({ validBefore, leftSince }, { onExpiry, drainTimeoutMs: 60_000 }, now, 500_000)).toBe(verdict);
  });

  const expire = async (onExpiry: 'keep' | 'drain' | 'cut') => {
    net.credential = certificate('one', 1, new Date(Date.now() + 60_000));
    net.outcome = 'ok';
    net.link.reconfigure({ host: hostConfig, actor: { ...actorConfig, onExpiry } }, false);
    net.link.start();
    await pass(1_000);
    for (const session of net.sessions) session.channels = 1;
    net.outcome = 'connect_refused';
    await pass(60_000);
    net.link.tick(new Date());
    await pass(0);
    return net.sessions;
  };

  test('is kept', async () => {
    expect((await expire('keep')).map(({ draining, usable }) => [draining, usable])).toEqual([
      [false, true],
      [false, true],
    ]);
    expect(net.link.state).toBe('up');
  });

  test('drains: it takes no more connections, even while there is no other', async () => {
    expect((await expire('drain')).map(({ draining, usable }) => [draining, usable])).toEqual([
      [true, true],
      [true, true],
    ]);
    expect(net.link.ready).toBe(false);
    expect(net.link.farSessions).toEqual([]);
  });

  test('is cut', async () => {
    expect((await expire('cut')).map(({ usable }) => usable)).toEqual([false, false]);
  });
});

test('a stand-in is told as long as it serves', async () => {
  const standIn = new TunnelError('cert_command_failed', 'static key under exception x: away');
  net.credential = credentialFacts('static', { standIn });
  net.outcome = 'ok';
  net.link.start();
  await pass(1_000);
  expect(net.link.standIn).toBe(standIn);
  expect(net.link.status().degraded).toBe(standIn.message);
  publish();
  await pass(1_000);
  expect(net.link.standIn).toBeUndefined();
  expect(net.link.status().degraded).toBeNull();
});
