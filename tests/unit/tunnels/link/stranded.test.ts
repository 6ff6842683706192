import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { TunnelError } from '../../../../src/base/errors.ts';
import type { Carrier, JumpLink } from '../../../../src/tunnels/link/jump.ts';
import { actorConfig, FakeNetwork, hostConfig } from '../../../support/fakes/fake-link.ts';

/** A link to a jump host; the test controls everything. */
class FakeJump implements JumpLink {
  readonly hostName = 'bastion';
  ready = false;
  state: JumpLink['state'] = 'connecting';
  lastError: TunnelError | undefined;
  nextAttemptAt: Date | undefined;
  demands = 0;
  carried = 0;
  checks = 0;
  /** Whether the sessions of the jump host are about to end. */
  leaving = false;

  whenReady(): Promise<void> {
    this.demands++;
    return Promise.reject(new Error('nobody listens'));
  }

  async carry(): Promise<Carrier> {
    if (!this.ready) throw new TunnelError('connection_reset', 'there is no SSH session to bastion');
    this.carried++;
    const channel = { stream: undefined, onLost() {}, close() {} } as never;
    const isLeaving = () => this.leaving;
    return {
      channel,
      get leaving() {
        return isLeaving();
      },
      check: () => this.checks++,
    };
  }

  down(): void {
    Object.assign(this, { ready: false, state: 'backoff', nextAttemptAt: new Date(5_000) });
    this.lastError = new TunnelError('connect_refused', 'bastion port 22 refused the connection');
  }

  up(): void {
    Object.assign(this, { ready: true, state: 'up' });
  }
}

let jump: FakeJump;
let net: FakeNetwork;
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

beforeEach(() => {
  vi.useFakeTimers();
  jump = new FakeJump();
  net = new FakeNetwork({}, jump);
});
afterEach(async () => {
  await net.link.stop();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

describe('a link behind a jump host', () => {
  test('makes no attempt while the jump host is down, however long', async () => {
    jump.down();
    net.link.start();
    await pass(600_000);
    expect([net.prepared, jump.carried, jump.demands]).toEqual([0, 0, 0]);
    expect(net.events).toEqual(['link.stranded']);
    expect(net.link.state).toBe('backoff');
    expect(net.link.status().jump).toBe('bastion');
    expect(net.link.nextAttemptAt).toEqual(new Date(5_000));
    expect(net.link.lastError).toMatchObject({
      code: 'connect_refused',
      message: 'jump host bastion is unreachable: bastion port 22 refused the connection',
    });
  });

  test("follows the errors of the jump host's link, and reports none before the first", async () => {
    net.link.start();
    await pass(0);
    expect([net.link.state, net.link.lastError]).toEqual(['connecting', undefined]);
    jump.down();
    net.link.jumpChanged();
    const error = net.link.lastError;
    expect(error?.message).toContain('refused');
    net.link.jumpChanged();
    expect(net.link.lastError).toBe(error);
  });

  test('connects at once when the jump host comes up, without its own backoff', async () => {
    jump.down();
    net.link.start();
    await pass(60_000);
    jump.up();
    net.link.jumpChanged();
    await pass(0);
    expect(jump.carried).toBe(1);
    net.last.succeed();
    await pass(0);
    expect(net.link.state).toBe('up');
  });

  test('makes the jump host retry sooner while a client waits, before or after the link is stranded', async () => {
    const client = new AbortController();
    const early = net.link.whenReady(client.signal);
    net.link.start();
    await pass(0);
    expect(jump.demands).toBe(1);
    const late = net.link.whenReady(client.signal);
    expect(jump.demands).toBe(2);
    client.abort(new Error('gone'));
    await expect(early).rejects.toThrow('gone');
    await expect(late).rejects.toThrow('gone');
  });

  test('keeps its own backoff after its own failure', async () => {
    jump.up();
    net.link.start();
    await pass(0);
    net.last.fail('kex_failed');
    await pass(0);
    net.link.jumpChanged();
    await pass(0);
    expect(net.attempts).toHaveLength(1);
    expect(net.link.state).toBe('backoff');
    await pass(60_000);
    expect(net.attempts).toHaveLength(2);
  });

  test('checks the session to the jump host when a session over it falls silent', async () => {
    jump.up();
    net.outcome = 'ok';
    net.link.start();
    await pass(10_000);
    net.sessions[0]?.lose('keepalive_lost', 15_000);
    await pass(0);
    expect(jump.checks).toBe(1);
  });

  test('reports the loss of its sessions when the sessions of the jump host end, and afterwards', async () => {
    jump.up();
    net.outcome = 'ok';
    net.link.start();
    await pass(10_000);
    Object.assign(jump, { ready: false, leaving: true });
    net.link.jumpChanged();
    for (const session of net.sessions) session.lose('connection_reset');
    await pass(0);
    expect(net.link.lastError?.code).toBe('connection_reset');
    jump.down();
    net.link.jumpChanged();
    expect(net.link.lastError?.code).toBe('connect_refused');
    jump.up();
    net.outcome = 'wait';
    net.link.jumpChanged();
    await pass(0);
    expect([net.link.state, net.link.lastError?.code]).toEqual(['connecting', 'connection_reset']);
  });

  test('tells whoever waits for its first login that the jump host is down', async () => {
    net.link.start();
    await pass(0);
    net.link.reconfigure({ host: hostConfig, actor: actorConfig, jump }, true);
    const outcome = net.link.firstLogin(new AbortController().signal);
    await pass(0);
    jump.down();
    net.link.jumpChanged();
    expect(await outcome).toMatchObject({
      code: 'connect_refused',
      message: expect.stringContaining('jump host bastion is unreachable'),
    });
  });

  test('stops while it waits for the jump host', async () => {
    net.link.start();
    await pass(0);
    await net.link.stop();
    expect(net.prepared).toBe(0);
  });
});
