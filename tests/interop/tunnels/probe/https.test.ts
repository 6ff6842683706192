import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeTlsAuthority, type TlsAuthority } from '../../../support/certificates/tls-certificate.ts';
import { runCli } from '../../../support/daemon/daemon.ts';
import { findTunnel, showsReason, startMesh, tunnelOf } from '../../../support/daemon/mesh.ts';
import { planYaml, wave } from '../../../support/fakes/plan-fixture.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { type TempDir, tempDir } from '../../../support/machine/temp-dir.ts';
import { patient } from '../../../support/patience.ts';
import { type Sshd, startSshd } from '../../../support/peers/real-sshd.ts';
import { startEcho } from '../../../support/peers/targets.ts';
import { startTlsHub } from '../../../support/peers/tls-hub.ts';

const EXPIRING = 'probe_certificate_expiring';
const PAUSE = `${Math.min(patient(500), 2_000)}ms`;
const OFTEN = { every: PAUSE, timeout: PAUSE, fall: 1, rise: 1 };
const ANSWER = { path: '/health', json: { status: 'ok' } };

describe.skipIf(!has('sshd') || !has('openssl'))('an https probe', () => {
  let sshd: Sshd;
  let directory: TempDir;
  let authority: TlsAuthority;
  let stranger: TlsAuthority;
  beforeAll(async () => {
    sshd = await startSshd();
    directory = tempDir('tls');
    authority = makeTlsAuthority(directory.path, 'authority');
    stranger = makeTlsAuthority(directory.path, 'stranger');
  });
  afterAll(async () => {
    await sshd[Symbol.asyncDispose]();
    directory[Symbol.dispose]();
  });

  it('verifies the certificate through the tunnel, for the virtual host, the server name or the address', async () => {
    const { cert, key, validBefore } = authority.issue('DNS:hub.example,IP:127.0.0.1', 365);
    await using hub = await startTlsHub({ cert, key });
    const ca = authority.file;
    const probes = {
      host: { https: { ...ANSWER, ca, host: 'hub.example:8443' }, ...OFTEN },
      name: { https: { ...ANSWER, ca, server_name: 'hub.example' }, ...OFTEN },
      address: { https: { ...ANSWER, ca }, ...OFTEN },
    };
    const tunnels = Object.entries(probes).map(([name, probe]) => [name, { target: hub.port, probe }]);
    await using mesh = await startMesh({ sshd, tunnels: Object.fromEntries(tunnels) });
    for (const name of Object.keys(probes)) await mesh.waitForTunnel('up', name);
    const status = await mesh.waitFor((each) => each.tunnels.every(({ probe }) => probe?.state === 'passing'));
    const path = '/health';
    expect(hub.requests).toEqual(
      expect.arrayContaining([
        { sni: 'hub.example', host: 'hub.example:8443', path },
        { sni: 'hub.example', host: 'hub.example', path },
        { sni: undefined, host: `127.0.0.1:${hub.port}`, path },
      ]),
    );
    expect(tunnelOf(status, 'host').probe_certificate).toMatchObject({ seen_at: 'target', valid_before: validBefore });
    expect(await mesh.metric('probe_certificate_valid_before_timestamp_seconds', { tunnel: 'host' })).toBe(
      validBefore.getTime() / 1_000,
    );
    expect(status.advisories.map(({ code }) => code)).not.toContain(EXPIRING);
  });

  it('fails for another name, another CA, an expired certificate, a missing CA file and a target without TLS', async () => {
    const good = authority.issue('DNS:hub.example', 365);
    const expired = authority.issue('DNS:hub.example', -1);
    await using hub = await startTlsHub(good);
    await using old = await startTlsHub(expired);
    await using plain = await startEcho();
    const https = { ...ANSWER, ca: authority.file, host: 'hub.example' };
    const fifo = join(directory.path, 'fifo.pem');
    execFileSync('mkfifo', [fifo]);
    const failures = {
      name: [
        hub.port,
        { ...https, host: 'other.example' },
        /certificate of other\.example is rejected: it is for other names: DNS:hub\.example/,
      ],
      stranger: [hub.port, { ...https, ca: stranger.file }, /does not come from an accepted CA \(/],
      default: [hub.port, { ...ANSWER, host: 'hub.example' }, /does not come from an accepted CA \(/],
      expired: [old.port, https, /certificate of hub\.example is rejected: it expired at/],
      file: [
        hub.port,
        { ...https, ca: join(directory.path, 'missing.pem') },
        /CA file of the probe cannot be read: ENOENT/,
      ],
      fifo: [hub.port, { ...https, ca: fifo }, /CA file of the probe cannot be read: .+ is not a regular file/],
      plain: [plain.port, https, /the target does not speak TLS/],
    } as const;
    const tunnels = Object.entries(failures).map(([name, [target, https]]) => [
      name,
      { target, probe: { https, ...OFTEN } },
    ]);
    await using mesh = await startMesh({ sshd, tunnels: Object.fromEntries(tunnels) });
    // On a busy machine the first probe may fail for its time limit.
    for (const [name, [, , reason]] of Object.entries(failures))
      await mesh.waitFor((each) => showsReason(tunnelOf(each, name), reason));
    // No request leaves before the certificate is accepted.
    expect([...hub.requests, ...old.requests]).toEqual([]);
    const status = await mesh.waitFor((each) => findTunnel(each, 'expired')?.probe_certificate !== null);
    expect(tunnelOf(status, 'expired').probe_certificate?.valid_before).toEqual(expired.validBefore);
    expect(status.advisories.filter(({ code }) => code === EXPIRING).map(({ message }) => message)).toEqual([
      expect.stringContaining('of the target of expired expired at'),
    ]);
  });

  it('probes a successor over TLS, shows the certificate that expires first, and compares over TLS', async () => {
    const answer = (_: unknown, response: { end(text: string): void }) =>
      response.end('\uFEFF{"status":"ok","tasks":3}');
    await using before = await startTlsHub(authority.issue('IP:127.0.0.1', 365), answer);
    await using successor = await startTlsHub(authority.issue('IP:127.0.0.1', 1), answer);
    const https = { ...ANSWER, ca: authority.file };
    const drain = {
      step: '1.1',
      quiet_for: '1s',
      rollback: 'start the old unit',
      successor: {
        target: `127.0.0.1:${successor.port}`,
        probe: { https, ...OFTEN },
        healthy_for: '1s',
        hold: '1s',
        verify_for: '1s',
        compare: [{ path: '/summary', fields: ['tasks'] }],
      },
    };
    writeFileSync(join(sshd.directory, 'plan.yaml'), planYaml({ waves: [wave(1, [], 1)] }));
    await using mesh = await startMesh({
      sshd,
      tunnels: { hub: { target: before.port, probe: { https, ...OFTEN }, drain } },
      extra: { plan: 'plan.yaml' },
    });
    await mesh.waitForTunnel('up');
    const status = await mesh.waitFor((each) => findTunnel(each, 'hub')?.probe_certificate?.seen_at === 'successor');
    expect(status.advisories.map(({ code }) => code)).not.toContain(EXPIRING);
    // A comparison that fails blocks the cut-over.
    const { code } = await runCli(['cutover', 'hub', '--config', mesh.configFile]);
    expect(code).toBe(0);
    for (const { requests } of [before, successor]) expect(requests.map(({ path }) => path)).toContain('/summary');
  });
});
