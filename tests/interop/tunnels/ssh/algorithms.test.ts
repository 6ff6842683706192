import { describe, expect, it } from 'vitest';
import { echoed } from '../../../support/certificates/certified-login.ts';
import type { KeyType } from '../../../support/certificates/keys.ts';
import { connectSession } from '../../../support/clients/ssh-session.ts';
import { linkOf, startMesh } from '../../../support/daemon/mesh.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { startSshd } from '../../../support/peers/real-sshd.ts';
import { startEcho } from '../../../support/peers/targets.ts';

describe.skipIf(!has('sshd'))('a login at an sshd without a common algorithm', () => {
  it.each([
    [
      'key exchange',
      ['KexAlgorithms diffie-hellman-group-exchange-sha256'],
      'diffie-hellman-group-exchange-sha256',
      'mlkem768x25519-sha256',
    ],
    ['cipher', ['Ciphers aes256-cbc,aes128-cbc'], 'aes256-cbc, aes128-cbc', 'aes128-gcm@openssh.com'],
    ['MAC', ['Ciphers aes256-ctr', 'MACs hmac-sha1'], 'hmac-sha1', 'hmac-sha2-256-etm@openssh.com'],
  ])('shows the lists of both sides: %s', async (what, extraConfig, theirs, ours) => {
    await using sshd = await startSshd({ extraConfig });
    await using mesh = await startMesh({ sshd, tunnels: { echo: { target: 1 } } });
    const status = await mesh.waitFor(({ links }) => links.some(({ last_error: error }) => error !== null));
    const error = linkOf(status).last_error;
    expect(error?.code).toBe('kex_failed');
    const [, offered, own] = /The server offers: (.*)\. This node offers: (.*)$/.exec(error?.message ?? '') ?? [];
    expect(error?.message).toContain(`no ${what} in common`);
    expect(offered?.split(', ')).toEqual(expect.arrayContaining(theirs.split(', ')));
    expect(own?.split(', ')).toContain(ours);
  });
});

describe.skipIf(!has('sshd'))('an sshd with a single algorithm', { concurrent: true }, () => {
  it.each<[string, string[], KeyType | undefined]>([
    ['encrypt-and-MAC, without the kinds of OpenSSH', ['Ciphers aes256-ctr', 'MACs hmac-sha2-256'], undefined],
    ['HMAC-SHA-512', ['Ciphers aes128-ctr', 'MACs hmac-sha2-512'], undefined],
    ['AES-256-GCM', ['Ciphers aes256-gcm@openssh.com'], undefined],
    ['ChaCha20', ['Ciphers chacha20-poly1305@openssh.com'], undefined],
    ['group 14', ['KexAlgorithms diffie-hellman-group14-sha256'], undefined],
    ['P-256, and an RSA host key', ['KexAlgorithms ecdh-sha2-nistp256', 'HostKeyAlgorithms rsa-sha2-256'], 'rsa'],
    ['compression', ['Compression yes'], undefined],
  ])('serves a session: %s', async (_, extraConfig, hostKeyType) => {
    await using sshd = await startSshd({ extraConfig, ...(hostKeyType && { hostKeyTypes: [hostKeyType] }) });
    await using echo = await startEcho();
    const session = await connectSession(sshd);
    expect(await echoed(session, echo.port)).toBe('through the session');
    await session.end();
  });
});
