import { execFileSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runCli } from '../../support/daemon/daemon.ts';
import { startMesh } from '../../support/daemon/mesh.ts';
import { has } from '../../support/machine/capabilities.ts';
import { tempDir } from '../../support/machine/temp-dir.ts';
import { freePort } from '../../support/peers/loopback.ts';
import { startSshd } from '../../support/peers/real-sshd.ts';
import { startEcho } from '../../support/peers/targets.ts';

/** Every file of the archive. */
function unpack(archive: string): Map<string, string> {
  const names = execFileSync('tar', ['-tzf', archive], { encoding: 'utf8' }).trim().split('\n');
  return new Map(
    names
      .filter((name) => !name.endsWith('/'))
      .map((name) => {
        const text = execFileSync('tar', ['-xzOf', archive, name], { encoding: 'utf8' });
        return [name.replace('fleet-mesh-report/', ''), text];
      }),
  );
}

describe.skipIf(!has('sshd'))('fleet-mesh doctor --bundle', { concurrent: true }, () => {
  it('has configuration, findings, answers of the daemon and versions, and no secret', async () => {
    using temp = tempDir('bundle');
    await using sshd = await startSshd();
    await using echo = await startEcho();
    const canary = (name: string) => `CANARY-${name}-7f3a9c`;
    const secretFile = join(temp.path, 'token');
    writeFileSync(secretFile, `${canary('token')}\n`, { mode: 0o600 });
    const webhook = `http://127.0.0.1:${await freePort()}/hook/${canary('webhook')}`;
    const mesh = await startMesh({
      sshd,
      tunnels: {
        echo: {
          target: echo.port,
          note: 'a note for people',
          probe: { tcp: {} },
          drain: { step: '2.4', quiet_for: '1h', rollback: `curl -H ${canary('rollback')} http://x` },
        },
        web: {
          target: echo.port,
          probe: { http: { path: `/health?key=${canary('query')}`, json: { key: canary('json') } }, every: '1s' },
        },
      },
      actors: {
        'atm-other': {
          key: sshd.clientKeyFile,
          cert_command: ['sign-it', 'atm-other', '--token', canary('command'), '{pubkey}'],
        },
      },
      extra: {
        notify: [
          {
            webhook,
            events: ['tunnel.state'],
            secret_file: secretFile,
            template: `{"room":"${canary('template')}","text":"{text}"}`,
          },
        ],
      },
    });
    await using _ = mesh;
    await mesh.waitForTunnel('up', 'echo');
    writeFileSync(mesh.configFile, `# ${canary('comment')}\n${readFileSync(mesh.configFile, 'utf8')}`);
    const archive = join(temp.path, 'report.tar.gz');
    const made = await runCli(['doctor', '--bundle', archive, '--config', mesh.configFile]);
    expect(made, made.stdout + made.stderr).toMatchObject({ code: 0, stderr: '' });
    expect(statSync(archive).mode & 0o777).toBe(0o600);
    const files = unpack(archive);
    expect([...files.keys()].toSorted()).toEqual([
      'README.txt',
      'config.json',
      'doctor.json',
      'drain.json',
      'events.json',
      'metrics.txt',
      'status.json',
      'unit.txt',
      'versions.txt',
    ]);
    for (const [name, text] of files) expect(text, name).not.toContain('CANARY');
    const config = JSON.parse(files.get('config.json') ?? '');
    expect(config.tunnels.echo.note).toBe('a note for people');
    expect(config.notify[0]).toEqual({
      webhook: '[redacted]',
      events: ['tunnel.state'],
      secret_file: secretFile,
      template: '[redacted]',
    });
    expect(config.actors['atm-other'].cert_command).toEqual([
      'sign-it',
      '[redacted]',
      '[redacted]',
      '[redacted]',
      '{pubkey}',
    ]);
    const status = JSON.parse(files.get('status.json') ?? '');
    expect(status.tunnels.map(({ name }: { name: string }) => name)).toEqual(['echo', 'web']);
    expect(files.get('metrics.txt')).toContain('fleet_mesh_tunnel_up{tunnel="echo"} 1');
    expect(JSON.parse(files.get('events.json') ?? '').events.length).toBeGreaterThan(0);
    expect(JSON.parse(files.get('doctor.json') ?? '').links).toHaveLength(1);
    expect(files.get('versions.txt')).toMatch(/fleet-mesh \d[\s\S]*node \d+[\s\S]*OpenSSH/);
    expect(files.get('unit.txt')).toContain('[system]');

    const again = await runCli(['doctor', '--bundle', archive, '--config', mesh.configFile]);
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('exists already') });
  });

  it('makes a report without a daemon and with a broken file, and says in each part what is missing', async () => {
    using temp = tempDir('bundle');
    const config = join(temp.path, 'tunnels.yaml');
    const archive = join(temp.path, 'report.tar.gz');
    writeFileSync(config, 'version: 1\nnotify: [ { webhook: "CANARY-in-a-broken-file" \nhosts: [\n');
    const env = { HOME: temp.path, XDG_RUNTIME_DIR: undefined };
    expect(await runCli(['doctor', '--bundle', archive, '--config', config, '--json'], env)).toMatchObject({ code: 0 });
    const files = unpack(archive);
    for (const [name, text] of files) expect(text, name).not.toContain('CANARY');
    expect(files.get('config.json')).toMatch(/not valid YAML; mistakes at:\n.*tunnels\.yaml:\d+:\d+/);
    expect(JSON.parse(files.get('doctor.json') ?? '').problems.length).toBeGreaterThan(0);
  });
});
