import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { generateKey } from '../../../support/certificates/keys.ts';
import { echoOnce } from '../../../support/clients/steady-client.ts';
import { hasSessions, linkOf, startMesh } from '../../../support/daemon/mesh.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { type Sshd, startSshd } from '../../../support/peers/real-sshd.ts';
import { startSshAgent } from '../../../support/peers/ssh-agent.ts';
import { startEcho } from '../../../support/peers/targets.ts';
import { waitUntil } from '../../../support/wait-until.ts';

/** Number of connections at the server, and of those without a login. */
const connections = (sshd: Sshd) => sshd.log().split('Connection from').length - 1;

describe.skipIf(!has('sshd') || !has('ssh-keygen'))('authentication', { concurrent: true }, () => {
  it('offers a rejected key once, despite SIGHUPs and clients, and uses a new key immediately', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    const stranger = generateKey(join(sshd.directory, 'stranger'));
    await using mesh = await startMesh({
      sshd,
      actor: { key: stranger.path },
      tunnels: { echo: { target: echo.port, while_down: { hold: '1s' } } },
    });
    const blocked = await mesh.waitFor((status) => linkOf(status).state === 'blocked');
    const rejectedAt = performance.now();
    expect(linkOf(blocked).last_error).toMatchObject({ code: 'auth_rejected' });
    expect(linkOf(blocked).credential.fingerprint).toBe(stranger.fingerprint);
    expect(blocked.tunnels[0]?.reason).toMatch(/manual fix required/);

    for (let time = 1; time <= 3; time++) await mesh.reload();
    await echoOnce(mesh.port('echo')).catch(() => {});
    // The wait proves that nothing happens; sshd's PerSourcePenalties would count each attempt.
    await pause(20_000 - (performance.now() - rejectedAt));
    expect(connections(sshd)).toBe(1);
    expect(await mesh.metric('link_connect_attempts_total', { code: 'auth_rejected' })).toBe(1);
    const still = linkOf(await mesh.waitFor((status) => linkOf(status).state === 'blocked'));
    expect(still).toMatchObject({ last_error: { code: 'auth_rejected' } });

    const second = generateKey(join(sshd.directory, 'second'));
    sshd.authorize(second.publicKey);
    await mesh.write({ actor: { key: second.path } });
    await mesh.reload();
    await mesh.waitForTunnel('up', 'echo', 5_000);
    await echoOnce(mesh.port('echo'));
    expect(linkOf(await mesh.waitFor(hasSessions(2))).credential.fingerprint).toBe(second.fingerprint);
  });

  it('decrypts a key with its passphrase_file', async () => {
    await using sshd = await startSshd({ clientKey: { passphrase: 'correct horse' } });
    await using echo = await startEcho();
    const passphraseFile = join(sshd.directory, 'passphrase');
    writeFileSync(passphraseFile, 'correct horse\n', { mode: 0o600 });
    await using mesh = await startMesh({
      sshd,
      actor: { passphrase_file: passphraseFile },
      tunnels: { echo: { target: echo.port } },
    });
    await mesh.waitFor(hasSessions(2));
    await echoOnce(mesh.port('echo'));
  });

  it('reports a wrong passphrase and dials nothing', async () => {
    await using sshd = await startSshd({ clientKey: { passphrase: 'correct horse' } });
    await using echo = await startEcho();
    const passphraseFile = join(sshd.directory, 'passphrase');
    await using mesh = await startMesh({ sshd, tunnels: { echo: { target: echo.port } } });
    const none = linkOf(await mesh.waitFor((status) => linkOf(status).state === 'blocked'));
    expect(none.last_error).toMatchObject({ code: 'key_unreadable' });
    expect(none.last_error?.message).toContain('no passphrase_file');

    writeFileSync(passphraseFile, 'battery staple\n', { mode: 0o600 });
    await mesh.write({ actor: { passphrase_file: passphraseFile } });
    await mesh.reload();
    await mesh.waitFor((status) => linkOf(status).last_error?.message.includes('does not decrypt') === true);
    expect(connections(sshd)).toBe(0);
    expect(`${mesh.daemon.log()}${(await mesh.daemon.get('/status')).body}`).not.toContain('battery staple');
  });

  it.skipIf(!has('ssh-agent'))('uses the keys of a running ssh-agent with key: agent', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    await using agent = await startSshAgent();
    await agent.add(generateKey(join(sshd.directory, 'other')).path);
    await agent.add(sshd.clientKeyFile);
    await using mesh = await startMesh({
      sshd,
      actor: { key: 'agent' },
      env: agent.env,
      tunnels: { echo: { target: echo.port } },
    });
    const { credential } = linkOf(await mesh.waitFor(hasSessions(2)));
    expect(credential.type).toBe('agent');
    await echoOnce(mesh.port('echo'));
  });

  it('names SSH_AUTH_SOCK with key: agent and no agent', async () => {
    await using sshd = await startSshd();
    await using mesh = await startMesh({
      sshd,
      actor: { key: 'agent' },
      env: { SSH_AUTH_SOCK: undefined },
      tunnels: { echo: { target: sshd.port } },
    });
    const { last_error } = linkOf(await mesh.waitFor((status) => linkOf(status).state === 'blocked'));
    expect(last_error).toMatchObject({ code: 'key_unreadable' });
    expect(last_error?.message).toContain('SSH_AUTH_SOCK');
  });

  it('rejects a key that others can read, and dials nothing until the mode is fixed', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    chmodSync(sshd.clientKeyFile, 0o644);
    await using mesh = await startMesh({ sshd, tunnels: { echo: { target: echo.port } } });
    const blocked = await mesh.waitFor((status) => linkOf(status).state === 'blocked');
    expect(linkOf(blocked).last_error).toMatchObject({ code: 'key_permissions' });
    expect(linkOf(blocked).last_error?.hint).toContain('chmod 600');
    expect(connections(sshd)).toBe(0);

    chmodSync(sshd.clientKeyFile, 0o600);
    await mesh.reload();
    await mesh.waitForTunnel('up');
    await waitUntil('both sessions are there', () => connections(sshd) === 2);
  });
});
