import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { authMethods, loadCredential } from '../../../../src/tunnels/credential/credential.ts';
import { dial } from '../../../../src/tunnels/ssh/dial.ts';
import { openSession } from '../../../../src/tunnels/ssh/open-session.ts';
import { actorOf, connectSession, hostOf, never, openVerified } from '../../../support/clients/ssh-session.ts';
import { patient } from '../../../support/patience.ts';
import { embeddedKey } from '../../../support/peers/embedded-key.ts';
import type { EmbeddedSshd } from '../../../support/peers/embedded-sshd.ts';
import type { FaultProxy } from '../../../support/peers/fault-proxy.ts';
import { freshServer } from '../../../support/peers/fresh-server.ts';
import { listenLoopback } from '../../../support/peers/loopback.ts';
import { type ProxiedSshd, startProxiedSshd } from '../../../support/peers/proxied-sshd.ts';
import { startSilent } from '../../../support/peers/targets.ts';
import { waitUntil } from '../../../support/wait-until.ts';

let proxied: ProxiedSshd;
let sshd: EmbeddedSshd;
let proxy: FaultProxy;
freshServer(startProxiedSshd, (started) => {
  proxied = started;
  ({ sshd, proxy } = started);
});

describe('opening a session', () => {
  /** For a silence that must end the attempt: so much longer than the talk before, on a busy machine as well. */
  const connectTimeoutMs = patient(500);
  const failed = async (host: Parameters<typeof connectSession>[1]) => {
    const startedAt = performance.now();
    const error = await connectSession(sshd, host).then(
      () => undefined,
      (reason: unknown) => reason as { code: string; message: string },
    );
    expect(performance.now() - startedAt).toBeLessThan(patient(3_000));
    return error;
  };
  const knowing = (port: number, key = proxied.hostKey()) => {
    const knownHosts = join(sshd.directory, 'known_hosts_other');
    writeFileSync(knownHosts, `[127.0.0.1]:${port} ${key}\n`);
    return { port, knownHosts };
  };

  it('fails with a peer that sends nothing', async () => {
    await using silent = await startSilent();
    expect(await failed({ connectTimeoutMs, ...knowing(silent.port) })).toMatchObject({ code: 'connect_timeout' });
  });

  it('fails with an HTTP server', async () => {
    await using http = await listenLoopback((socket) => {
      socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    });
    const error = await failed(knowing(http.port));
    expect(error).toMatchObject({ code: 'kex_failed', message: expect.stringContaining('is not an SSH server') });
  });

  it('fails with a peer that sends its banner in pieces and then nothing', async () => {
    await using slow = await listenLoopback((socket) => {
      socket.write('SSH-2');
      socket.once('data', () => setTimeout(() => socket.write('.0-slow\r\n'), 100));
    });
    expect(await failed({ connectTimeoutMs, ...knowing(slow.port) })).toMatchObject({ code: 'kex_failed' });
  });

  it('fails with a peer that stops in the middle of its banner', async () => {
    await using half = await listenLoopback((socket) => void socket.write('SSH-2'));
    expect(await failed({ connectTimeoutMs, ...knowing(half.port) })).toMatchObject({ code: 'connect_timeout' });
  });

  it.each(['cut', 'reset'] as const)('fails with a key exchange that is %s in the middle', async (fault) => {
    proxy.faultAfter(200, fault);
    expect(await failed(proxied.throughProxy())).toMatchObject({ code: 'connection_reset' });
  });

  it('fails with a key exchange that freezes in the middle', async () => {
    proxy.faultAfter(200, 'pause');
    expect(await failed({ connectTimeoutMs, ...proxied.throughProxy() })).toMatchObject({ code: 'kex_failed' });
  });

  it('offers no key to a host with a changed host key', async () => {
    const error = await failed(knowing(sshd.port, embeddedKey().public));
    expect(error).toMatchObject({ code: 'host_key_changed' });
    expect(sshd.authAttempts()).toBe(0);
    expect(sshd.connections.size).toBe(0);
  });

  it('does not dial an unknown host', async () => {
    expect(await failed(knowing(1))).toMatchObject({ code: 'connect_refused' });
    expect(await failed({ knownHosts: knowing(1).knownHosts })).toMatchObject({ code: 'host_key_unknown' });
    expect(sshd.accepted()).toBe(0);
  });

  it('fails after one rejected login', async () => {
    sshd.setRefuseAuth(true);
    expect(await failed({})).toMatchObject({ code: 'auth_rejected' });
    expect(sshd.authAttempts()).toBe(1);
  });

  it('leaves no socket after an abort in the middle', async () => {
    await using silent = await startSilent();
    const controller = new AbortController();
    const connecting = connectSession(sshd, knowing(silent.port), controller.signal);
    await waitUntil('it is connected', () => silent.accepted() === 1);
    controller.abort(new Error('stopping'));
    await expect(connecting).rejects.toThrow('stopping');
  });

  it('treats an exception in the host key check as a rejection', async () => {
    const opening = openVerified(sshd, () => {
      throw new Error('a bug');
    });
    await expect(opening).rejects.toMatchObject({ code: 'internal', message: 'a bug' });
    expect(sshd.authAttempts()).toBe(0);
  });

  it('dials nothing after an abort before the dial', async () => {
    const dialling = dial(
      { host: '127.0.0.1', port: sshd.port, timeoutMs: 20_000 },
      AbortSignal.abort(new Error('stopping')),
    );
    await expect(dialling).rejects.toThrow('stopping');
    expect(sshd.accepted()).toBe(0);
  });

  it('leaves no socket after an abort before the handshake', async () => {
    const socket = await dial({ host: '127.0.0.1', port: sshd.port, timeoutMs: 20_000 }, never);
    const options = { peer: '', username: '', stepTimeoutMs: 20_000, keepalive: hostOf(sshd).keepalive };
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
