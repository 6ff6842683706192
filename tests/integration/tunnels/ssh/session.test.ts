import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { dial } from '../../../../src/tunnels/ssh/dial.ts';
import { connectSession, loopback, never, openVerified, originator } from '../../../support/clients/ssh-session.ts';
import { patient } from '../../../support/patience.ts';
import { type EmbeddedSshd, startEmbeddedSshd } from '../../../support/peers/embedded-sshd.ts';
import type { FaultProxy } from '../../../support/peers/fault-proxy.ts';
import { freshServer } from '../../../support/peers/fresh-server.ts';
import { type ProxiedSshd, startProxiedSshd } from '../../../support/peers/proxied-sshd.ts';
import { startEcho } from '../../../support/peers/targets.ts';
import { waitUntil, within } from '../../../support/wait-until.ts';

let proxied: ProxiedSshd;
let sshd: EmbeddedSshd;
let proxy: FaultProxy;
freshServer(startProxiedSshd, (started) => {
  proxied = started;
  ({ sshd, proxy } = started);
});

/** Ends every session by SSH_MSG_DISCONNECT with this reason (RFC 4250 section 4.2.2). */
function disconnect(reason: number): void {
  for (const connection of sshd.connections) {
    const { _protocol: protocol } = connection as unknown as { _protocol: { disconnect(reason: number): void } };
    protocol.disconnect(reason);
    connection.end();
  }
}

describe('a session', () => {
  it('reports the negotiated algorithms and the host key', async () => {
    const session = await connectSession(sshd);
    expect(session.facts).toMatchObject({
      server: expect.stringMatching(/^SSH-2\.0-ssh2js/),
      hostKey: sshd.hostKeyFingerprint,
      kex: 'curve25519-sha256',
      cipher: 'aes128-gcm@openssh.com',
    });
    expect(session).toMatchObject({ usable: true, suspect: false, channels: 0 });
    await waitUntil('the first round trip is measured', () => session.rttMs !== undefined);
    await expect(session.end()).resolves.toEqual({ error: undefined, silentMs: 0 });
    expect(session.usable).toBe(false);
  });

  it('keeps the host key of its first key exchange through a rekey, even when the policy has changed', async () => {
    let asked = 0;
    const verify = () => {
      asked++;
      return undefined;
    };
    const session = await openVerified(sshd, verify);
    const [connection] = sshd.connections;
    await within('the rekey', new Promise<void>((resolve) => connection?.rekey(() => resolve())));
    await using echo = await startEcho();
    const { stream } = await session.open(loopback(echo.port), originator, never);
    stream.end('still here');
    const [answer] = await once(stream, 'data');
    expect(String(answer)).toBe('still here');
    expect(asked).toBe(1);
    await session.end();
  });

  it('lives on when the server answers no global request', async () => {
    await using mute = await startEmbeddedSshd({
      onLogin: (connection) => {
        const { _protocol: protocol } = connection as unknown as { _protocol: { requestFailure(): void } };
        protocol.requestFailure = () => {};
      },
    });
    const session = await connectSession(mute, { keepalive: { everyMs: 100, lostAfter: 3 } });
    await using echo = await startEcho();
    // Longer than any patience of the keepalive with an idle session.
    await expect(Promise.race([session.closed, pause(3_000)])).resolves.toBeUndefined();
    const { stream } = await session.open(loopback(echo.port), originator, never);
    stream.end('still here');
    const [answer] = await once(stream, 'data');
    expect(String(answer)).toBe('still here');
    await session.end();
  });

  it.each(['fin', 'rst', 'protocol error', 'by application'] as const)(
    'reports that the server closed the session (%s), and opens no more channels',
    async (how) => {
      const session = await connectSession(sshd);
      if (how === 'fin' || how === 'rst') sshd.killSessions(how);
      else disconnect(how === 'protocol error' ? 2 : 11);
      const { error, idleMs } = await within('the session is closed', session.closed);
      expect(error?.code).toBe('connection_reset');
      // In words, not in those of the system.
      if (how === 'rst') expect(error?.message).toMatch(/ cut the connection \((?:ECONNRESET|EPIPE)\)$/);
      // No time limit of a server ends a session like this.
      if (how === 'rst' || how === 'protocol error') expect(idleMs).toBeUndefined();
      if (how === 'by application') expect(idleMs).toBeDefined();
      await expect(session.open(loopback(1), originator, never)).rejects.toMatchObject({ code: 'connection_reset' });
    },
  );

  it('loses the session within every × lost_after when the peer freezes', async () => {
    const session = await connectSession(sshd, {
      ...proxied.throughProxy(),
      keepalive: { everyMs: 500, lostAfter: 2 },
    });
    await waitUntil('the first round trip is measured', () => session.rttMs !== undefined);
    proxy.pause();
    const frozenAt = performance.now();
    const { error, silentMs } = await within('the session is lost', session.closed);
    expect(error?.code).toBe('keepalive_lost');
    expect(performance.now() - frozenAt).toBeLessThan(patient(1_500));
    expect(silentMs).toBeGreaterThan(500);
  });

  it('ends the session in bounded time although the peer is frozen', async () => {
    const session = await connectSession(sshd, proxied.throughProxy());
    proxy.pause();
    const startedAt = performance.now();
    await session.end();
    expect(performance.now() - startedAt).toBeLessThan(patient(2_500));
  });

  it('ends the session when the peer closes its side, although unsent data is left', async () => {
    const socket = await dial({ host: '127.0.0.1', port: proxy.port, timeoutMs: 20_000 }, never);
    const session = await openVerified(sshd, () => undefined, socket);
    // Like a full send buffer: no write ever finishes.
    Object.assign(socket, { _write: () => {}, _writev: undefined });
    session.open(loopback(9), originator, never).catch(() => {});
    // The packets of a callback leave together, at its end.
    await expect.poll(() => socket.writableLength).toBeGreaterThan(0);
    proxy.cut();
    const { error } = await within('the session is closed', session.closed, 3_000);
    expect(error?.code).toBe('connection_reset');
  });

  it('ends a draining session with its last channel', async () => {
    await using echo = await startEcho();
    const session = await connectSession(sshd);
    const channel = await session.open(loopback(echo.port), originator, never);
    session.drain();
    expect(session.usable).toBe(true);
    channel.stream.end('bye');
    channel.stream.resume();
    await expect(within('the session ends', session.closed)).resolves.toMatchObject({ error: undefined });
  });

  it('ends a draining session without channels immediately', async () => {
    const session = await connectSession(sshd);
    session.drain();
    await within('the session ends', session.closed);
  });

  it('ends a draining session without waiting for an abandoned channel request', async () => {
    sshd.setChannels({ kind: 'ignore' });
    const session = await connectSession(sshd, { connectTimeoutMs: patient(500) });
    const opening = session.open(loopback(1), originator, never);
    session.drain();
    await expect(opening).rejects.toMatchObject({ code: 'target_unreachable' });
    await within('the session ends', session.closed);
  });
});

describe('a channel', () => {
  it.each([
    [{ kind: 'refuse', reason: 1 }, 'forward_denied'],
    [{ kind: 'refuse', reason: 2, text: 'Connection refused' }, 'target_refused'],
    [{ kind: 'refuse', reason: 2, text: 'No route to host' }, 'target_unreachable'],
    [{ kind: 'refuse', reason: 4, text: 'open failed' }, 'target_unreachable'],
    [{ kind: 'ignore' }, 'target_unreachable'],
  ] as const)('with the answer %o is %s, and the session lives', async (manner, code) => {
    sshd.setChannels(manner);
    const session = await connectSession(sshd, { connectTimeoutMs: patient(500) });
    await expect(session.open(loopback(1), originator, never)).rejects.toMatchObject({ code });
    expect(session).toMatchObject({ usable: true, channels: 0 });
    await session.end();
  });

  it("rejects a channel with the server's text, without control characters", async () => {
    sshd.setChannels({ kind: 'refuse', reason: 2, text: `\u001b[2J\u009b31m${'x'.repeat(5_000)}` });
    const session = await connectSession(sshd);
    const refusal = session.open(loopback(1), originator, never);
    const { message } = await refusal.then(
      () => new Error('it was opened'),
      (error: Error) => error,
    );
    expect(message).toContain('is unreachable from the host');
    expect(message).not.toMatch(/\p{Cc}/u);
    expect(message.length).toBeLessThan(300);
    await session.end();
  });

  it('reports a lost session, not an unreachable target, when the server answers nothing', async () => {
    const session = await connectSession(sshd, { ...proxied.throughProxy(), connectTimeoutMs: patient(600) });
    proxy.pause('to-server');
    session.check();
    await expect(session.open(loopback(1), originator, never)).rejects.toMatchObject({ code: 'keepalive_lost' });
  });

  it('closes a channel that opens after its caller has left', async () => {
    await using target = await startEcho();
    sshd.setChannels({ kind: 'forward', delayMs: 200 });
    const session = await connectSession(sshd);
    const gone = new AbortController();
    const opening = session.open(loopback(target.port), originator, gone.signal);
    gone.abort(new Error('gone'));
    await expect(opening).rejects.toThrow('gone');
    await waitUntil('it was opened', () => target.accepted() === 1);
    await waitUntil('it is closed', () => target.sockets.size === 0);
    await session.end();
  });

  it('rejects a channel with the error of the session when the session ends during the open', async () => {
    sshd.setChannels({ kind: 'ignore' });
    const session = await connectSession(sshd);
    const opening = session.open(loopback(1), originator, never);
    sshd.killSessions('rst');
    await expect(opening).rejects.toMatchObject({ code: 'connection_reset' });
  });
});
