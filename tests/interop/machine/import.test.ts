import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runCli } from '../../support/daemon/daemon.ts';
import { has } from '../../support/machine/capabilities.ts';
import { tempDir } from '../../support/machine/temp-dir.ts';

const SSH_CONFIG = `Host hub
  HostName 192.0.2.4
  User tegwick
  IdentityFile ~/.ssh/id_ops
  LocalForward 18000 10.0.0.5:8000
  LocalForward /run/x.sock /run/docker.sock
  RemoteForward 9000 127.0.0.1:9000
  RemoteForward 9001
  ProxyJump edge
  ServerAliveInterval 15
  Compression yes
Host edge
  HostName 192.0.2.9
  Port 2222
Match host 192.0.2.4
  ConnectTimeout 7
`;

describe.skipIf(!has('ssh'))('fleet-mesh import', { concurrent: true }, () => {
  it('imports a host and its jump host from ssh_config with `ssh -G`; the output passes check', async () => {
    using temp = tempDir('import');
    const file = join(temp.path, 'ssh_config');
    writeFileSync(file, SSH_CONFIG);
    const { code, stdout, stderr } = await runCli(['import', 'ssh-config', 'hub', '--ssh-config', file]);
    expect(code).toBe(1);
    expect(stderr).toContain('The forward remoteforward=9001 [socks]:0 is not translated');
    expect(stdout).toMatch(
      /hub:\n {4}address: "192.0.2.4"\n {4}user: tegwick\n {4}keepalive: .*15s.*\n {4}connect_timeout: "7s"\n {4}jump: edge/,
    );
    expect(stdout).toMatch(/edge:\n {4}address: "192.0.2.9"\n {4}port: 2222/);
    const yaml = join(temp.path, 'tunnels.yaml');
    writeFileSync(yaml, stdout);
    expect((await runCli(['check', '--config', yaml], { HOME: temp.path })).stdout).toContain('3 tunnels');
  });

  it('reports a unit that is a FIFO or endless, and does not wait for the file', async () => {
    using temp = tempDir('import');
    const fifo = join(temp.path, 'fifo.service');
    execFileSync('mkfifo', [fifo]);
    const { code, stderr } = await runCli(['import', 'ssh-unit', fifo, '/dev/zero', temp.path]);
    expect(code).toBe(1);
    for (const path of [fifo, '/dev/zero', temp.path]) expect(stderr).toMatch(`${path} cannot be read (ENOTSUP)`);
  });

  it('imports the fleet units into YAML that passes check, and reports commands other than ssh', async () => {
    using temp = tempDir('import');
    const units = ['state-hub', 'issue-core'].map((name) => `tests/fixtures/units/fleet-${name}-coulombcore.service`);
    const { code, stdout } = await runCli(['import', 'ssh-unit', ...units]);
    expect(code).toBe(0);
    const yaml = join(temp.path, 'tunnels.yaml');
    writeFileSync(yaml, stdout);
    expect((await runCli(['check', '--config', yaml])).stdout).toContain('2 tunnels');

    const other = join(temp.path, 'other.service');
    writeFileSync(other, '[Service]\nExecStart=/usr/bin/socat TCP-LISTEN:1 TCP:h:2\n');
    const mixed = await runCli(['import', 'ssh-unit', units[0] ?? '', other, '/nowhere.service']);
    expect(mixed.code).toBe(1);
    expect(mixed.stderr).toMatch(/other\.service.*socat/);
    expect(mixed.stderr).toMatch(/nowhere\.service cannot be read \(ENOENT\)/);
    expect(mixed.stdout).toContain('fleet-state-hub-coulombcore:');
    const json = JSON.parse((await runCli(['import', 'ssh-unit', other, '--json'])).stdout);
    expect(json).toMatchObject({ ok: false, failures: [expect.stringContaining('socat')] });
  });
});
