import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { linkOf, startMesh } from '../../../support/daemon/mesh.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { tempDir } from '../../../support/machine/temp-dir.ts';
import { startSshd } from '../../../support/peers/real-sshd.ts';
import { startEcho } from '../../../support/peers/targets.ts';

const KIB = 1_024;

describe.skipIf(!has('sshd'))('a login at an sshd with a long Banner', () => {
  it.each([
    [36 * KIB, 'aes128-gcm@openssh.com'],
    [250 * KIB, 'aes128-gcm@openssh.com'],
    [250 * KIB, 'aes256-gcm@openssh.com'],
    [250 * KIB, 'chacha20-poly1305@openssh.com'],
    [250 * KIB, 'aes256-ctr'],
  ])('accepts a banner of %i bytes over %s', async (bytes, cipher) => {
    using temp = tempDir('banner');
    const banner = join(temp.path, 'banner');
    writeFileSync(banner, `${'All activity may be monitored and reported. '.repeat(bytes).slice(0, bytes - 1)}\n`);
    await using sshd = await startSshd({ extraConfig: [`Banner ${banner}`, `Ciphers ${cipher}`] });
    await using echo = await startEcho();
    await using mesh = await startMesh({ sshd, tunnels: { echo: { target: echo.port } } });
    await mesh.waitForTunnel('up');
    expect(linkOf(await mesh.daemon.status()).sessions[0]).toMatchObject({ cipher });
  });
});
