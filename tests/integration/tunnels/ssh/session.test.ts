import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { authMethods, loadCredential } from '../../../../src/tunnels/credential/credential.ts';
import { dial } from '../../../../src/tunnels/ssh/dial.ts';
import { openSession } from '../../../../src/tunnels/ssh/open-session.ts';
import { actorOf, connectSession, hostOf, loopback, never, originator } from '../../../support/clients/ssh-session.ts';
import { expectNoLeaks, type Holdings, takeBaseline } from '../../../support/machine/leaks.ts';
import { embeddedKey } from '../../../support/peers/embedded-key.ts';
import { type EmbeddedSshd, startEmbeddedSshd } from '../../../support/peers/embedded-sshd.ts';
import { FaultProxy } from '../../../support/peers/fault-proxy.ts';
import { listenLoopback } from '../../../support/peers/loopback.ts';
import { startEcho, startSilent } from '../../../support/peers/targets.ts';
import { waitUntil, within } from '../../../support/wait-until.ts';

let sshd: EmbeddedSshd;
let proxy: FaultProxy;
let baseline: Holdings;

/** Through the proxy, whose port known_hosts has to know. */
const throughProxy = () => {
  const path = join(sshd.directory, 'known_hosts_proxy');
  writeFileSync(path, `[127.0.0.1]:${proxy.port} ${knownKey()}\n`);
  return { port: proxy.port, knownHosts: path };
};
let knownKey: () => string;

beforeEach(async () => {
  baseline = await takeBaseline(50);
  sshd = await startEmbeddedSshd();
  knownKey = () => readFileSync(sshd.knownHostsFile, 'utf8').trim().split(' ').slice(1).join(' ');
  proxy = await FaultProxy.start(sshd.port);
});
afterEach(async () => {
  await proxy[Symbol.asyncDispose]();
  await sshd[Symbol.asyncDispose]();
  await expectNoLeaks(baseline);
});

describe('a session', () => {
  it('knows what was agreed on', async () => {
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

  it('keeps the host key of its first key exchange through a rekey, whatever the policy says by then', async () => {
    const host = hostOf(sshd);
    const credential = await loadCredential(actorOf(sshd), process.env, never);
    let asked = 0;
    const socket = await dial({ host: host.address, port: host.port, timeoutMs: 2_000 }, never);
    const verify = () => {
      asked++;
      return undefined;
    };
    const session = await openSession(
      socket,
      {
        peer: 'test',
        username: sshd.user,
        offered: 'a key',
        authMethods: authMethods(credential, sshd.user),
        hostKey: { algorithms: ['ssh-ed25519'], verify },
        stepTimeoutMs: 2_000,
        keepalive: host.keepalive,
      },
      never,
    );
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

  it.each(['fin', 'rst'] as const)('that the server cuts (%s) says so, and takes no more channels', async (how) => {
    const session = await connectSession(sshd);
    sshd.killSessions(how);
    const { error } = await within('the session is closed', session.closed);
    expect(error?.code).toBe('connection_reset');
    await expect(session.open(loopback(1), originator, never)).rejects.toMatchObject({ code: 'connection_reset' });
  });

  it('whose peer freezes is given up within every × lost_after', async () => {
    const session = await connectSession(sshd, { ...throughProxy(), keepalive: { everyMs: 500, lostAfter: 2 } });
    await waitUntil('the first round trip is measured', () => session.rttMs !== undefined);
    proxy.pause();
    const frozenAt = performance.now();
    const { error, silentMs } = await within('the session is lost', session.closed);
    expect(error?.code).toBe('keepalive_lost');
    expect(performance.now() - frozenAt).toBeLessThan(1_500);
    expect(silentMs).toBeGreaterThan(500);
  });

  it('ends in bounded time although its peer is frozen', async () => {
    const session = await connectSession(sshd, throughProxy());
    proxy.pause();
    const startedAt = performance.now();
    await session.end();
    expect(performance.now() - startedAt).toBeLessThan(2_500);
  });

  it('whose peer has closed its side is over although what we still send is taken by nobody', async () => {
    const host = hostOf(sshd);
    const credential = await loadCredential(actorOf(sshd), process.env, never);
    const socket = await dial({ host: host.address, port: proxy.port, timeoutMs: 2_000 }, never);
    const session = await openSession(
      socket,
      {
        peer: 'test',
        username: sshd.user,
        offered: 'a key',
        authMethods: authMethods(credential, sshd.user),
        hostKey: { algorithms: ['ssh-ed25519'], verify: () => undefined },
        stepTimeoutMs: 2_000,
        keepalive: host.keepalive,
      },
      never,
    );
    // As with a full send buffer: no write ever ends.
    Object.assign(socket, { _write: () => {}, _writev: undefined });
    session.check();
    expect(socket.writableLength).toBeGreaterThan(0);
    proxy.cut();
    const { error } = await within('the session is closed', session.closed, 3_000);
    expect(error?.code).toBe('connection_reset');
  });

  it('that drains ends when its last channel is closed', async () => {
    await using echo = await startEcho();
    const session = await connectSession(sshd);
    const channel = await session.open(loopback(echo.port), originator, never);
    session.drain();
    expect(session.usable).toBe(true);
    channel.stream.end('bye');
    channel.stream.resume();
    await expect(within('the session ends', session.closed)).resolves.toMatchObject({ error: undefined });
  });

  it('that drains without a channel ends at once', async () => {
    const session = await connectSession(sshd);
    session.drain();
    await within('the session ends', session.closed);
  });

  it('that drains does not wait for an open that nobody waits for', async () => {
    sshd.setChannels({ kind: 'ignore' });
    const session = await connectSession(sshd, { connectTimeoutMs: 200 });
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
    const session = await connectSession(sshd, { connectTimeoutMs: 300 });
    await expect(session.open(loopback(1), originator, never)).rejects.toMatchObject({ code });
    expect(session).toMatchObject({ usable: true, channels: 0 });
    await session.end();
  });

  it("that is refused quotes the server's words without what a terminal would obey", async () => {
    sshd.setChannels({ kind: 'refuse', reason: 2, text: `\u001b[2J\u009b31m${'x'.repeat(5_000)}` });
    const session = await connectSession(sshd);
    const refusal = session.open(loopback(1), originator, never);
    const { message } = await refusal.then(
      () => new Error('it was opened'),
      (error: Error) => error,
    );
    expect(message).toContain('is not reached from the host');
    expect(message).not.toMatch(/\p{Cc}/u);
    expect(message.length).toBeLessThan(300);
    await session.end();
  });

  it('that answers nothing at all is no verdict on the target of an open', async () => {
    const session = await connectSession(sshd, { ...throughProxy(), connectTimeoutMs: 600 });
    proxy.pause('to-server');
    session.check();
    await expect(session.open(loopback(1), originator, never)).rejects.toMatchObject({ code: 'keepalive_lost' });
  });

  it('that opens after its asker has gone is closed', async () => {
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

  it('that is being opened when the session dies fails as the session did', async () => {
    sshd.setChannels({ kind: 'ignore' });
    const session = await connectSession(sshd);
    const opening = session.open(loopback(1), originator, never);
    sshd.killSessions('rst');
    await expect(opening).rejects.toMatchObject({ code: 'connection_reset' });
  });
});

describe('no session', () => {
  const failed = async (host: Parameters<typeof connectSession>[1]) => {
    const startedAt = performance.now();
    const error = await connectSession(sshd, { connectTimeoutMs: 300, ...host }).then(
      () => undefined,
      (reason: unknown) => reason as { code: string; message: string },
    );
    expect(performance.now() - startedAt).toBeLessThan(3_000);
    return error;
  };
  const knowing = (port: number, key = knownKey()) => {
    const knownHosts = join(sshd.directory, 'known_hosts_other');
    writeFileSync(knownHosts, `[127.0.0.1]:${port} ${key}\n`);
    return { port, knownHosts };
  };

  it('with a peer that never speaks', async () => {
    await using silent = await startSilent();
    expect(await failed(knowing(silent.port))).toMatchObject({ code: 'connect_timeout' });
  });

  it('with an HTTP server', async () => {
    await using http = await listenLoopback((socket) => {
      socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    });
    const error = await failed(knowing(http.port));
    expect(error).toMatchObject({ code: 'kex_failed', message: expect.stringContaining('does not speak SSH') });
  });

  it('with a peer that says its banner in pieces and then nothing', async () => {
    await using slow = await listenLoopback((socket) => {
      socket.write('SSH-2');
      socket.once('data', () => setTimeout(() => socket.write('.0-slow\r\n'), 100));
    });
    expect(await failed(knowing(slow.port))).toMatchObject({ code: 'kex_failed' });
  });

  it('with a peer that stops in the middle of its banner', async () => {
    await using half = await listenLoopback((socket) => void socket.write('SSH-2'));
    expect(await failed(knowing(half.port))).toMatchObject({ code: 'connect_timeout' });
  });

  it.each(['cut', 'reset'] as const)('with a key exchange that is %s in the middle', async (fault) => {
    proxy.faultAfter(200, fault);
    expect(await failed(throughProxy())).toMatchObject({ code: 'connection_reset' });
  });

  it('with a key exchange that freezes in the middle', async () => {
    proxy.faultAfter(200, 'pause');
    expect(await failed(throughProxy())).toMatchObject({ code: 'kex_failed' });
  });

  it('with another host key than the one that is known: no key of ours is ever offered', async () => {
    const error = await failed(knowing(sshd.port, embeddedKey().public));
    expect(error).toMatchObject({ code: 'host_key_changed' });
    expect(sshd.authAttempts()).toBe(0);
    expect(sshd.connections.size).toBe(0);
  });

  it('with a host that is not known: it is not even dialled', async () => {
    expect(await failed(knowing(1))).toMatchObject({ code: 'connect_refused' });
    expect(await failed({ knownHosts: knowing(1).knownHosts })).toMatchObject({ code: 'host_key_unknown' });
    expect(sshd.accepted()).toBe(0);
  });

  it('with a login that is refused, once', async () => {
    sshd.setRefuseAuth(true);
    expect(await failed({})).toMatchObject({ code: 'auth_rejected' });
    expect(sshd.authAttempts()).toBe(1);
  });

  it('with an abort in the middle: the socket is gone', async () => {
    await using silent = await startSilent();
    const controller = new AbortController();
    const connecting = connectSession(sshd, knowing(silent.port), controller.signal);
    await waitUntil('it is connected', () => silent.accepted() === 1);
    controller.abort(new Error('stopping'));
    await expect(connecting).rejects.toThrow('stopping');
  });

  it('with a host key check that fails itself: a no', async () => {
    const socket = await dial({ host: '127.0.0.1', port: sshd.port, timeoutMs: 1_000 }, never);
    const credential = await loadCredential(actorOf(sshd), process.env, never);
    const verify = () => {
      throw new Error('a bug');
    };
    const opening = openSession(
      socket,
      {
        peer: '',
        username: sshd.user,
        offered: 'a key',
        stepTimeoutMs: 1_000,
        keepalive: hostOf(sshd).keepalive,
        hostKey: { algorithms: ['ssh-ed25519'], verify },
        authMethods: authMethods(credential, sshd.user),
      },
      never,
    );
    await expect(opening).rejects.toMatchObject({ code: 'internal', message: 'a bug' });
    expect(sshd.authAttempts()).toBe(0);
  });

  it('with an abort before the dial: nothing is dialled', async () => {
    const dialling = dial(
      { host: '127.0.0.1', port: sshd.port, timeoutMs: 1_000 },
      AbortSignal.abort(new Error('stopping')),
    );
    await expect(dialling).rejects.toThrow('stopping');
    expect(sshd.accepted()).toBe(0);
  });

  it('with an abort before the handshake: the socket is gone', async () => {
    const socket = await dial({ host: '127.0.0.1', port: sshd.port, timeoutMs: 1_000 }, never);
    const options = { peer: '', username: '', stepTimeoutMs: 1_000, keepalive: hostOf(sshd).keepalive };
    const hostKey = { algorithms: ['ssh-ed25519'] as const, verify: () => undefined };
    const credential = await loadCredential(actorOf(sshd), process.env, never);
    const opening = openSession(
      socket,
      { ...options, offered: 'a key', hostKey, authMethods: authMethods(credential, sshd.user) },
      AbortSignal.abort(new Error('stopping')),
    );
    await expect(opening).rejects.toThrow('stopping');
    expect(socket.destroyed).toBe(true);
  });
});
