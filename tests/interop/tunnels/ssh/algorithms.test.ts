import { describe, expect, it } from 'vitest';
import { linkOf, startMesh } from '../../../support/daemon/mesh.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { startSshd } from '../../../support/peers/real-sshd.ts';

describe.skipIf(!has('sshd'))('a login at an sshd without a common algorithm', () => {
  it.each([
    [
      'key exchange',
      ['KexAlgorithms diffie-hellman-group14-sha256'],
      'diffie-hellman-group14-sha256',
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
