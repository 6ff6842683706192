import { describe, expect, it } from 'vitest';
import { dial } from '../../../../../src/tunnels/ssh/dial.ts';
import { fetchHostKey } from '../../../../../src/tunnels/ssh/host-key/fetch-host-key.ts';
import { fingerprint } from '../../../../../src/tunnels/ssh/public-key.ts';
import { byKey, login } from '../../../../support/certificates/certified-login.ts';
import { expectBulk } from '../../../../support/clients/bulk.ts';
import { connectSession, never } from '../../../../support/clients/ssh-session.ts';
import { startEmbeddedSshd } from '../../../../support/peers/embedded-sshd.ts';
import { within } from '../../../../support/wait-until.ts';

const HYBRID = 'mlkem768x25519-sha256';
const MEGABYTE = 1_000_000;

describe('the post-quantum key exchange', () => {
  it.each([
    ['a server that accepts nothing else', {}, HYBRID],
    ['a server that offers it among others', { classicalToo: true }, HYBRID],
    ['a server without it: the classical exchange', undefined, 'curve25519-sha256'],
  ])('is agreed with %s', async (_, hybrid, kex) => {
    await using sshd = await startEmbeddedSshd(hybrid && { hybrid });
    const session = await connectSession(sshd);
    expect(session.facts.kex).toBe(kex);
    await session.end();
  });

  it('changes the keys under load, by both sides at once, and alters no byte', async () => {
    await using sshd = await startEmbeddedSshd({ hybrid: {} });
    const session = await login(sshd, byKey(sshd), { bytes: MEGABYTE, ms: 3_600_000, lookEveryMs: 5 });
    const [connection] = sshd.connections;
    let rekeys = 0;
    const timer = setInterval(() => connection?.rekey(), 20);
    connection?.on('rekey', () => rekeys++);
    try {
      await expectBulk(session, { seed: 1, bytes: 30 * MEGABYTE }, { seed: 2, bytes: 30 * MEGABYTE });
    } finally {
      clearInterval(timer);
    }
    expect(rekeys).toBeGreaterThan(5);
    await expect(session.end()).resolves.toMatchObject({ error: undefined });
  });

  const flip = (at: number) => (half: Buffer) => {
    half[at] = (half[at] ?? 0) ^ 1;
    return half;
  };
  it.each<[string, (half: Buffer) => Buffer]>([
    ['is too short', (half) => half.subarray(1)],
    ['is too long', (half) => Buffer.concat([half, Buffer.of(0)])],
    ['is the classical half alone', (half) => half.subarray(-32)],
    ['has another ciphertext', flip(500)],
    ['has another X25519 key', flip(1_090)],
    ['has a zero X25519 key', (half) => Buffer.concat([half.subarray(0, -32), Buffer.alloc(32)])],
  ])('fails when the half of the server %s, and no classical exchange follows', async (_, spoil) => {
    await using sshd = await startEmbeddedSshd({ hybrid: { spoil, classicalToo: true } });
    await expect(connectSession(sshd)).rejects.toMatchObject({ code: 'kex_failed' });
    expect({ accepted: sshd.accepted(), logins: sshd.authAttempts() }).toEqual({ accepted: 1, logins: 0 });
  });

  it('ends the session when a later exchange fails', async () => {
    let good = 1;
    const spoil = (half: Buffer) => (good-- > 0 ? half : flip(500)(half));
    await using sshd = await startEmbeddedSshd({ hybrid: { spoil } });
    const session = await connectSession(sshd);
    const [connection] = sshd.connections;
    connection?.rekey();
    const { error } = await within('the session ends', session.closed);
    expect(error?.code).toBe('protocol_error');
  });

  it('fetches the host key of a server that accepts nothing else', async () => {
    await using sshd = await startEmbeddedSshd({ hybrid: {} });
    const socket = await dial({ host: '127.0.0.1', port: sshd.port, timeoutMs: 20_000 }, never);
    const blob = await fetchHostKey(socket, ['ssh-ed25519'], { peer: 'test', timeoutMs: 20_000 }, never);
    expect(blob && fingerprint(blob)).toBe(sshd.hostKeyFingerprint);
  });
});
