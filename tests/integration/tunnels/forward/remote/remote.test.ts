import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TunnelError } from '../../../../../src/base/errors.ts';
import { RemoteForward } from '../../../../../src/tunnels/forward/remote/remote.ts';
import { Usage } from '../../../../../src/tunnels/forward/usage.ts';
import type { LinkSession } from '../../../../../src/tunnels/link/session.ts';
import { bulkDigest, exchangeBulk, startBulkServer } from '../../../../support/clients/bulk.ts';
import { connectSession, loopback, never, SessionSource } from '../../../../support/clients/ssh-session.ts';
import { echoOnce } from '../../../../support/clients/steady-client.ts';
import { expectNoLeaks, takeBaseline } from '../../../../support/machine/leaks.ts';
import { patient } from '../../../../support/patience.ts';
import { type EmbeddedSshd, startEmbeddedSshd } from '../../../../support/peers/embedded-sshd.ts';
import { freePort, listenLoopback } from '../../../../support/peers/loopback.ts';
import { startEcho, startHalfCloser } from '../../../../support/peers/targets.ts';
import { waitUntil, within } from '../../../../support/wait-until.ts';

/** A remote forward over sessions that the test opens. */
class Lab implements AsyncDisposable {
  readonly sessions: LinkSession[] = [];
  readonly failures: TunnelError[] = [];
  readonly gaps: (number | undefined)[] = [];
  readonly usage = new Usage();
  readonly port: number;
  readonly forward: RemoteForward;
  readonly #ends: (() => Promise<unknown>)[] = [];

  constructor(port: number, target: number, maxConnections = 1_024) {
    this.port = port;
    this.forward = new RemoteForward(
      { host: 'far', actor: 'me', listen: loopback(port), target: loopback(target), maxConnections },
      {
        source: new SessionSource(),
        usage: this.usage,
        sessions: () => this.sessions.filter(({ usable }) => usable),
        onChange() {},
        onBound: (gap) => this.gaps.push(gap),
        onOpened() {},
        onFailed: (error) => this.failures.push(error),
        onAcceptError() {},
        random: () => 0,
      },
    );
  }

  async connect(sshd: EmbeddedSshd, connectTimeoutMs = 2_000): Promise<void> {
    const session = await connectSession(sshd, { connectTimeoutMs });
    this.sessions.push(session);
    this.#ends.push(() => session.end());
    this.forward.linkChanged();
  }

  proven(): Promise<void> {
    return within('it is proven', this.forward.probeSource.whenReady(never));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.forward.stopAccepting();
    this.forward.resetAll();
    await this.forward.whenIdle();
    await Promise.all(this.#ends.map((end) => end()));
  }
}

let sshd: EmbeddedSshd;
beforeEach(async () => {
  sshd = await startEmbeddedSshd();
});
afterEach(() => sshd[Symbol.asyncDispose]());

async function start(target: number, maxConnections?: number): Promise<Lab> {
  const lab = new Lab(await freePort(), target, maxConnections);
  await lab.connect(sshd);
  await lab.forward.start();
  return lab;
}

describe(RemoteForward, () => {
  it('carries bytes both ways, whole, and leaves nothing behind', async () => {
    const baseline = await takeBaseline();
    {
      const plan = { seed: 3, bytes: 5_000_000 };
      await using target = await startBulkServer(plan);
      await using lab = await start(target.port);
      await lab.proven();
      expect(target.accepted()).toBe(0);
      const received = target.received();
      expect(await exchangeBulk(lab.port, plan)).toEqual({ ...bulkDigest(plan), end: 'fin' });
      expect(await within('the target has all', received)).toEqual({ ...bulkDigest(plan), end: 'fin' });
      await Promise.all(Array.from({ length: 50 }, () => exchangeBulk(lab.port, { seed: 1, bytes: 10 })));
      await lab.forward.whenIdle();
      expect(lab.usage.status()).toMatchObject({
        open: 0,
        opened_total: 51,
        bytes_to_target: plan.bytes + 500,
        bytes_from_target: 51 * plan.bytes,
      });
    }
    await expectNoLeaks(baseline);
  });

  it('keeps half-closed connections half-open, both ways', async () => {
    await using closer = await startHalfCloser('bye');
    await using lab = await start(closer.port);
    await lab.proven();
    const client = connect({ host: '127.0.0.1', port: lab.port, allowHalfOpen: true });
    client.resume();
    await once(client, 'end');
    client.end('still talking');
    expect(await within('the rest', closer.received())).toBe('still talking');
  });

  it('serves clients that come during the proof, silent ones too', async () => {
    await using banner = await listenLoopback((socket) => socket.on('error', () => {}).write('hello'));
    sshd.setChannels({ kind: 'forward', delayMs: 300 });
    await using lab = await start(banner.port);
    expect(lab.forward.condition).toMatchObject({ kind: 'unverified' });
    const client = connect({ host: '127.0.0.1', port: lab.port });
    const [chunk] = await within('the greeting', once(client, 'data'));
    expect(String(chunk)).toBe('hello');
    client.destroy();
    await lab.proven();
    expect(banner.accepted()).toBe(1);
  });

  it('resets the target when the session dies under a connection, and binds on the next', async () => {
    const ends: string[] = [];
    await using target = await listenLoopback((socket) => {
      socket.resume();
      socket.once('error', () => ends.push('reset'));
      socket.once('end', () => ends.push('fin'));
    });
    await using lab = await start(target.port);
    await lab.proven();
    const client = connect({ host: '127.0.0.1', port: lab.port });
    client.on('error', () => {}).write('half a word');
    await waitUntil('it is open', () => lab.usage.open === 1);
    sshd.killSessions('rst');
    await waitUntil('the target is told', () => ends.length > 0);
    expect(ends).toEqual(['reset']);
    expect(lab.forward.condition).toMatchObject({ kind: 'unbound' });
    await lab.connect(sshd);
    await lab.proven();
    expect(lab.gaps).toEqual([undefined, expect.any(Number)]);
    client.destroy();
  });

  it('rejects clients whose target refuses, and clients beyond max_connections', async () => {
    await using refused = await start(await freePort());
    await refused.proven();
    await expect(echoOnce(refused.port)).rejects.toThrow();
    expect(refused.failures).toMatchObject([{ code: 'target_refused' }]);

    await using echo = await startEcho();
    await using lab = await start(echo.port, 1);
    await lab.proven();
    const first = connect({ host: '127.0.0.1', port: lab.port });
    await waitUntil('it is open', () => lab.usage.open === 1);
    await expect(echoOnce(lab.port)).rejects.toThrow();
    expect(lab.failures).toMatchObject([{ message: expect.stringContaining('max_connections') }]);
    expect(lab.usage.status().failed_total).toBe(1);
    first.destroy();
  });

  it('holds no more silent connections than max_connections and a few, while one of them may be its own', async () => {
    await using echo = await startEcho();
    // The proof waits for an answer.
    sshd.setChannels({ kind: 'ignore' });
    await using lab = await start(echo.port, 2);
    const clients = Array.from({ length: 40 }, () =>
      connect({ host: '127.0.0.1', port: lab.port }).on('error', () => {}),
    );
    let most = 0;
    await waitUntil('the others are rejected', () => {
      most = Math.max(most, lab.sessions[0]?.channels ?? 0);
      return lab.failures.length >= 20;
    });
    expect(lab.failures[0]?.message).toContain('max_connections');
    expect(most).toBeLessThanOrEqual(25);
    for (const client of clients) client.destroy();
    sshd.setChannels({ kind: 'forward' });
  });

  it('gives up on a server that never answers, and cancels its request', async () => {
    await using echo = await startEcho();
    const lab = new Lab(await freePort(), echo.port);
    sshd.setListens('ignore');
    // Within this time, the login reads its files as well.
    await lab.connect(sshd, patient(200));
    // The start does not wait for the server either.
    await within('the start', lab.forward.start(), 1_500);
    await waitUntil('it has given up the first request', () => {
      const { condition } = lab.forward;
      return condition.kind === 'unbound' && condition.error?.code === 'connection_reset';
    });
    await lab[Symbol.asyncDispose]();
  });

  it('cancels the listener at a stop, and keeps open connections', async () => {
    await using echo = await startEcho();
    await using lab = await start(echo.port);
    await lab.proven();
    const client = connect({ host: '127.0.0.1', port: lab.port });
    await once(client, 'connect');
    await waitUntil('it is open', () => lab.usage.open === 1);
    await lab.forward.stopAccepting();
    await expect(echoOnce(lab.port)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    client.write('still here');
    expect(String((await within('an echo', once(client, 'data')))[0])).toBe('still here');
    client.end();
    await within('it is idle', lab.forward.whenIdle());
  });
});
