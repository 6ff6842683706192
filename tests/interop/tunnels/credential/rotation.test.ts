import { copyFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Status } from '../../../../src/telemetry/status/status.ts';
import { generateKey } from '../../../support/certificates/keys.ts';
import { openChatter } from '../../../support/clients/chatter.ts';
import { startRequestLoop } from '../../../support/clients/request-loop.ts';
import { echoOnce } from '../../../support/clients/steady-client.ts';
import { startCertifiedLab } from '../../../support/daemon/certified-mesh.ts';
import { runCli } from '../../../support/daemon/daemon.ts';
import { hasSessions, linkOf, startMesh, tunnelOf } from '../../../support/daemon/mesh.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { patient } from '../../../support/patience.ts';
import { startSshd } from '../../../support/peers/real-sshd.ts';
import { startEcho } from '../../../support/peers/targets.ts';
import { waitUntil } from '../../../support/wait-until.ts';

const type = (status: Status) => linkOf(status).sessions.map(({ credential_type }) => credential_type);
const byCertificate = (status: Status) =>
  hasSessions(2)(status) && type(status).every((each) => each === 'certificate');
const serials = (status: Status) => linkOf(status).credential.serial;

describe.skipIf(!has('sshd') || !has('ssh-keygen'))('credentials that change', { concurrent: true }, () => {
  it('replaces the static key with the first certificate', async () => {
    await using lab = await startCertifiedLab();
    await using echo = await startEcho();
    lab.sshd.authorize(lab.key.publicKey);
    await using mesh = await lab.mesh({
      actor: { key: lab.key.path },
      tunnels: { echo: { target: echo.port }, back: { direction: 'remote', target: echo.port } },
    });
    await mesh.waitFor((status) => hasSessions(2)(status) && type(status).every((each) => each === 'static_key'));
    await using chatter = await openChatter(mesh.port('echo'));
    const requests = startRequestLoop(mesh.port('echo'), 10);
    await mesh.write({ actor: lab.actor });
    await mesh.reload();
    await mesh.waitFor(
      (status) => linkOf(status).sessions.filter((one) => one.credential_type === 'certificate').length === 2,
    );
    await chatter.say('over the session of the static key');
    expect((await requests.stop()).failures).toEqual([]);
    await chatter.end();
    const after = await mesh.waitFor(byCertificate);
    expect(linkOf(after)).toMatchObject({
      degraded: null,
      credential: {
        type: 'certificate',
        fingerprint: lab.key.fingerprint,
        key_id: 'fleet-test',
        principals: [lab.sshd.user],
        renewal: { state: 'ok', last_error: null },
      },
    });
    await mesh.waitForTunnel('up', 'back');
    expect(await mesh.metric('credential_info', { type: 'certificate' })).toBe(1);
    expect(await mesh.metric('certificate_valid_before_timestamp_seconds')).toBeGreaterThan(Date.now() / 1000 + 3_000);
    expect(await mesh.metric('certificate_renewals_total', { result: 'ok' })).toBe(1);
  });

  it('gets a certificate and replaces the sessions with `rotate`, or reports why not', async () => {
    await using lab = await startCertifiedLab();
    await using echo = await startEcho();
    await using mesh = await lab.mesh({ tunnels: { echo: { target: echo.port } } });
    const before = linkOf(await mesh.waitFor(byCertificate)).sessions.map(({ id }) => id);
    const done = await runCli(['rotate', 'atm-fleet-mesh', '--config', mesh.configFile]);
    expect(done).toMatchObject({ code: 0, stdout: expect.stringContaining('links replaced: coulombcore') });
    const after = await mesh.waitFor(byCertificate);
    for (const { id } of linkOf(after).sessions) expect(before).not.toContain(id);
    expect(done.stdout).toContain(`certificate ${serials(after)}`);
    lab.signing.set({ down: 'no route to the CA' });
    const failed = await runCli(['rotate', 'atm-fleet-mesh', '--config', mesh.configFile]);
    expect(failed).toMatchObject({ code: 1, stderr: expect.stringContaining('no route to the CA') });
    await echoOnce(mesh.port('echo'));
  });

  it('hints at source-address when the host rejects the certificate, and `rotate` fails', async () => {
    await using lab = await startCertifiedLab();
    await using echo = await startEcho();
    lab.signing.set({ options: ['source-address=192.0.2.1/32'] });
    await using mesh = await lab.mesh({ tunnels: { echo: { target: echo.port } } });
    const { last_error, credential } = linkOf(await mesh.waitFor((status) => linkOf(status).state === 'blocked'));
    expect(last_error?.code).toBe('auth_rejected');
    expect(last_error?.hint).toMatch(/192\.0\.2\.1\/32 \(source-address\).*TrustedUserCAKeys/);
    expect(credential.restrictions).toEqual(['source-address=192.0.2.1/32']);
    const rotate = await runCli(['rotate', 'atm-fleet-mesh', '--config', mesh.configFile]);
    expect(rotate).toMatchObject({ code: 1, stderr: expect.stringContaining('not yet in use at coulombcore') });
    lab.signing.set({ options: ['force-command=/bin/false'] });
    expect(await runCli(['rotate', 'atm-fleet-mesh', '--config', mesh.configFile])).toMatchObject({ code: 0 });
    await echoOnce(mesh.port('echo'));
  });

  it('uses a replaced key file without a reload', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    const path = join(sshd.directory, 'changing');
    copyFileSync(sshd.clientKeyFile, path);
    const next = generateKey(join(sshd.directory, 'next'));
    sshd.authorize(next.publicKey);
    await using mesh = await startMesh({ sshd, actor: { key: path }, tunnels: { echo: { target: echo.port } } });
    await mesh.waitFor(hasSessions(2));
    await using chatter = await openChatter(mesh.port('echo'));
    renameSync(next.path, path);
    await mesh.waitFor(
      (status) => linkOf(status).credential.fingerprint === next.fingerprint && linkOf(status).sessions.length === 3,
    );
    await chatter.say('over the old key');
    await chatter.end();
    await mesh.waitFor((status) => linkOf(status).sessions.every(({ id }) => id > 2));
  });

  it('replaces no session with a key that may log in but not forward', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    const path = join(sshd.directory, 'changing');
    copyFileSync(sshd.clientKeyFile, path);
    const useless = generateKey(join(sshd.directory, 'useless'));
    sshd.authorize(useless.publicKey, 'restrict');
    await using mesh = await startMesh({ sshd, actor: { key: path }, tunnels: { echo: { target: echo.port } } });
    const before = linkOf(await mesh.waitFor(hasSessions(2))).sessions.map(({ id }) => id);
    renameSync(useless.path, path);
    const after = await mesh.waitFor((status) => linkOf(status).last_error?.code === 'forward_denied');
    expect(linkOf(after).sessions.map(({ id }) => id)).toEqual(before);
    expect(linkOf(after).state).toBe('up');
    await echoOnce(mesh.port('echo'));
  });

  it.each([
    ['the CA is down', { down: 'no route to the CA' }, 'cert_command_failed'],
    ['the clock of the CA is 10 minutes ahead', { validity: '+10m:+20m' }, 'cert_not_yet_valid'],
    ['the clock of the CA is 10 minutes behind', { validity: '-20m:-10m' }, 'cert_expired'],
    ['the CA signs for another principal', { principal: 'somebody' }, 'cert_wrong_principal'],
    ['the CA does not permit forwarding', { options: ['no-port-forwarding'] }, 'cert_invalid'],
  ])('keeps the old certificate while %s, and uses the next good one', async (_, trouble, code) => {
    // A busy machine takes longer until both sessions have used the certificate.
    const validS = Math.min(30, Math.ceil(patient(8_000) / 1_000));
    await using lab = await startCertifiedLab({ validity: `+${validS}s` });
    await using echo = await startEcho();
    await using mesh = await lab.mesh({
      actor: { ...lab.actor, principals: [lab.sshd.user], renew_after: 0.2 },
      tunnels: { echo: { target: echo.port } },
    });
    const first = serials(await mesh.waitFor(byCertificate));
    const requests = startRequestLoop(mesh.port('echo'), 20);
    lab.signing.set(trouble);
    const failing = await mesh.waitFor((status) => linkOf(status).credential.renewal?.state === 'failing');
    expect(linkOf(failing).credential.renewal?.last_error?.code).toBe(code);
    expect(failing.advisories).toMatchObject([{ code: 'certificate_without_renewal' }]);
    // The sessions outlive the certificate, but the next login would fail.
    const expired = await mesh.waitFor((status) => linkOf(status).replacement?.state === 'failing', 60_000);
    expect(linkOf(expired)).toMatchObject({ state: 'up', credential: { renewal: { state: 'expired' } } });
    expect(linkOf(expired).replacement?.last_error?.code).toBe(code);
    lab.signing.set({ validity: '+1h' });
    const fixed = await mesh.waitFor(
      (status) => linkOf(status).credential.renewal?.state === 'ok' && byCertificate(status),
      40_000,
    );
    expect(fixed.advisories).toEqual([]);
    expect(serials(fixed)).not.toBe(first);
    expect((await requests.stop()).failures).toEqual([]);
    expect(await mesh.metric('certificate_renewals_total', { result: 'failed' })).toBeGreaterThan(0);
  });

  it('uses a saved certificate at the next start while the CA is down', async () => {
    await using lab = await startCertifiedLab();
    await using echo = await startEcho();
    const tunnels = { echo: { target: echo.port } };
    let serial: string | null;
    {
      await using mesh = await lab.mesh({ tunnels });
      serial = serials(await mesh.waitFor(byCertificate));
      await mesh.daemon.stop();
    }
    lab.signing.set({ down: 'away' });
    await using again = await lab.mesh({ tunnels });
    expect(serials(await again.waitFor(byCertificate))).toBe(serial);
    expect(lab.signing.runs()).toBe(1);
  });

  it('works with an unwritable state directory, except that the next start has no certificate', async () => {
    await using lab = await startCertifiedLab();
    await using echo = await startEcho();
    // Fails for root as well: a directory cannot be made below a file.
    await using mesh = await lab.mesh({
      tunnels: { echo: { target: echo.port } },
      extra: { state_dir: join(lab.sshd.clientKeyFile, 'state') },
    });
    const status = await mesh.waitFor(byCertificate);
    expect(linkOf(status).credential.renewal).toMatchObject({
      state: 'ok',
      last_error: { code: 'state_dir_unusable' },
    });
    await echoOnce(mesh.port('echo'));
  });

  it.each(['keep', 'drain', 'cut'])('handles a session with an expired certificate: on_expiry %s', async (onExpiry) => {
    await using lab = await startCertifiedLab({ validity: '+7s' });
    await using echo = await startEcho();
    await using mesh = await lab.mesh({
      actor: { ...lab.actor, on_expiry: onExpiry, renew_after: 0.9 },
      tunnels: { echo: { target: echo.port, while_down: { hold: '100ms' } } },
    });
    await mesh.waitFor(byCertificate);
    await using chatter = await openChatter(mesh.port('echo'));
    lab.signing.set({ down: 'away' });
    await mesh.waitFor((status) => linkOf(status).credential.renewal?.state === 'expired');
    const served = () =>
      echoOnce(mesh.port('echo')).then(
        () => true,
        () => false,
      );
    const alive = () =>
      chatter.say('still there').then(
        () => true,
        () => false,
      );
    if (onExpiry === 'keep') {
      expect([await served(), await alive()]).toEqual([true, true]);
      return;
    }
    await waitUntil('no new connection is served', async () => !(await served()));
    expect(await alive()).toBe(onExpiry === 'drain');
    await mesh.waitFor((status) => linkOf(status).state !== 'up' && tunnelOf(status, 'echo').state === 'down');
  });

  it('ends the last connections of a replaced session after drain_timeout', async () => {
    await using lab = await startCertifiedLab({ validity: '+10s' });
    await using echo = await startEcho();
    await using mesh = await lab.mesh({
      actor: { ...lab.actor, drain_timeout: '1s', renew_after: 0.2 },
      tunnels: { echo: { target: echo.port } },
    });
    const before = linkOf(await mesh.waitFor(byCertificate)).sessions.map(({ id }) => id);
    await using chatter = await openChatter(mesh.port('echo'));
    lab.signing.set({ validity: '+1h' });
    // Not the second in which the session drains: a look may miss it.
    await mesh.waitFor(
      (status) => hasSessions(2)(status) && linkOf(status).sessions.every(({ id }) => !before.includes(id)),
    );
    await mesh.waitFor((status) => linkOf(status).sessions.every(({ role }) => role !== 'draining'));
    await expect(chatter.say('too late')).rejects.toThrow('cut');
    await echoOnce(mesh.port('echo'));
  });

  it('uses the static key only without a certificate, and reports that', async () => {
    await using lab = await startCertifiedLab({ down: 'not installed yet' });
    await using echo = await startEcho();
    const exception = 'static-id-ops';
    await using mesh = await lab.mesh({
      actor: { ...lab.actor, fallback: { key: lab.sshd.clientKeyFile, exception } },
      tunnels: { echo: { target: echo.port } },
    });
    const standing = await mesh.waitFor(
      (status) => hasSessions(2)(status) && tunnelOf(status, 'echo').state === 'degraded',
    );
    expect(tunnelOf(standing, 'echo').reason).toContain(exception);
    expect(linkOf(standing)).toMatchObject({
      state: 'up',
      degraded: expect.stringContaining('not installed yet'),
      credential: { type: 'static_key', static_key: { exception, removable: false } },
    });
    expect(standing.advisories).toMatchObject([{ code: 'static_key_in_use' }]);
    expect(await mesh.metric('advisories', { code: 'static_key_in_use' })).toBe(1);
    await echoOnce(mesh.port('echo'));
    await using chatter = await openChatter(mesh.port('echo'));

    lab.signing.set({});
    const over = await mesh.waitFor(({ tunnels: [tunnel] }) => tunnel?.state === 'up', 40_000);
    expect(linkOf(over)).toMatchObject({ degraded: null, credential: { type: 'certificate' } });
    await chatter.say('over the static key');
    await chatter.end();
    await mesh.waitFor(byCertificate);
    expect(await mesh.metric('advisories', { code: 'static_key_in_use' })).toBe(0);
    expect(linkOf(await mesh.daemon.status()).credential.static_key?.last_needed_at).not.toBeNull();
  });
});
