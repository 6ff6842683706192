import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeNetwork, type FakeSession } from '../../../support/fakes/fake-link.ts';

const MINUTE = 60_000;

let net: FakeNetwork;

/** Time in which the daemon ticks. */
async function pass(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 10_000) {
    await vi.advanceTimersByTimeAsync(Math.min(left, 10_000));
    net.link.tick(new Date());
  }
}

/** A link whose two sessions have been up for almost an hour. */
async function upForLong(): Promise<FakeSession[]> {
  net = new FakeNetwork();
  net.outcome = 'ok';
  net.link.start();
  await pass(59 * MINUTE);
  expect(net.attempts).toHaveLength(2);
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
});
