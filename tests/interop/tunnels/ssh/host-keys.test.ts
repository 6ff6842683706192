import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { hashKnownHosts } from '../../../support/certificates/keys.ts';
import { echoOnce } from '../../../support/clients/steady-client.ts';
import { hasSessions, linkOf, startMesh } from '../../../support/daemon/mesh.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { patient } from '../../../support/patience.ts';
import { startSshd } from '../../../support/peers/real-sshd.ts';
import { startEcho } from '../../../support/peers/targets.ts';

describe.skipIf(!has('sshd') || !has('ssh-keygen'))('host keys', { concurrent: true }, () => {
  it('blocks a link with a changed host key without retries, until known_hosts is fixed and reloaded', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    await using mesh = await startMesh({ sshd, tunnels: { echo: { target: echo.port } } });
    await mesh.waitFor(hasSessions(2));
    const accepted = sshd.log().split('Accepted publickey').length;

    await sshd.restart({ newHostKey: true });
    const blocked = await mesh.waitFor((status) => linkOf(status).state === 'blocked');
    expect(linkOf(blocked).last_error).toMatchObject({ code: 'host_key_changed' });
    expect(linkOf(blocked).last_error?.message).toContain(sshd.hostKeys()[0]?.fingerprint);
    expect(blocked.tunnels[0]).toMatchObject({ state: 'down', last_error: { code: 'host_key_changed' } });
    expect(blocked.tunnels[0]?.reason).toContain('manual fix required');

    // The wait proves that nothing happens, also with a waiting client.
    await Promise.all([pause(4_000), echoOnce(mesh.port('echo'), 'hello', 3_000).catch(() => {})]);
    expect(await mesh.metric('link_connect_attempts_total', { code: 'host_key_changed' })).toBe(1);
    expect(sshd.log().split('Accepted publickey').length).toBe(accepted);

    sshd.trustHostKeys();
    const reloadedAt = performance.now();
    await mesh.reload();
    await mesh.waitForTunnel('up', 'echo', 5_000);
    expect(performance.now() - reloadedAt).toBeLessThan(patient(3_000));
    await echoOnce(mesh.port('echo'));
  });

  it('rejects an unknown host key before any dial', async () => {
    await using sshd = await startSshd();
    writeFileSync(sshd.knownHostsFile, `elsewhere.example ${sshd.hostKeys()[0]?.publicKey}\n`);
    await using echo = await startEcho();
    await using mesh = await startMesh({ sshd, tunnels: { echo: { target: echo.port } } });
    const blocked = await mesh.waitFor((status) => linkOf(status).state === 'blocked');
    expect(linkOf(blocked).last_error).toMatchObject({ code: 'host_key_unknown' });
    expect(linkOf(blocked).last_error?.hint).toContain(`ssh-keyscan -p ${sshd.port} 127.0.0.1`);
    expect(sshd.log()).not.toContain('Connection from');
    sshd.trustHostKeys();
    await mesh.reload();
    await mesh.waitForTunnel('up');
  });

  it('finds a host key in a hashed known_hosts, and requests the known key type', async () => {
    await using sshd = await startSshd({ hostKeyTypes: ['rsa', 'ecdsa', 'ed25519'] });
    const ecdsa = sshd.hostKeys()[1];
    writeFileSync(sshd.knownHostsFile, `[127.0.0.1]:${sshd.port} ${ecdsa?.publicKey}\n`);
    hashKnownHosts(sshd.knownHostsFile);
    expect(readFileSync(sshd.knownHostsFile, 'utf8')).toMatch(/^\|1\|/);
    await using echo = await startEcho();
    await using mesh = await startMesh({ sshd, tunnels: { echo: { target: echo.port } } });
    const { sessions } = linkOf(await mesh.waitFor(hasSessions(2)));
    expect(sessions.map(({ host_key }) => host_key)).toEqual([ecdsa?.fingerprint, ecdsa?.fingerprint]);
    await echoOnce(mesh.port('echo'));
  });

  it('rejects a revoked host key although another line has the key', async () => {
    await using sshd = await startSshd();
    const line = readFileSync(sshd.knownHostsFile, 'utf8');
    writeFileSync(sshd.knownHostsFile, `${line}@revoked ${line}`);
    await using echo = await startEcho();
    await using mesh = await startMesh({ sshd, tunnels: { echo: { target: echo.port } } });
    const blocked = await mesh.waitFor((status) => linkOf(status).state === 'blocked');
    expect(linkOf(blocked).last_error).toMatchObject({ code: 'host_key_changed' });
    expect(linkOf(blocked).last_error?.message).toContain('revoked');
    expect(sshd.log()).not.toContain('Accepted publickey');
  });
});
