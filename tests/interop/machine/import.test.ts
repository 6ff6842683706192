import { execFileSync } from 'node:child_process';
import { chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { translate } from '../../../src/machine/import/translate.ts';
import { entriesOfUnit } from '../../../src/machine/import/unit-entries.ts';
import { readUnitText } from '../../../src/machine/import/unit-source.ts';
import { withUsualFiles } from '../../../src/machine/import/usual-files.ts';
import { forwardsOf } from '../../../src/machine/install/old-units.ts';
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

  it("names the files that a unit's user has, and says how they get out of the homes", async () => {
    using temp = tempDir('import');
    const [units, ssh] = [join(temp.path, 'systemd/system'), join(temp.path, '.ssh')];
    for (const path of [units, ssh]) mkdirSync(path, { recursive: true });
    const file = join(units, 'tunnel.service');
    writeFileSync(file, '[Service]\nUser=ops\nExecStart=/usr/bin/ssh -N -L 1234:127.0.0.1:1 h\n');
    for (const name of ['id_ecdsa', 'known_hosts']) writeFileSync(join(ssh, name), '');
    const context = { hostname: 'here', user: 'me', homes: new Map([['ops', temp.path]]) };
    const told = async () => {
      const { entries } = await entriesOfUnit(file, await readUnitText(file), context);
      const { actors, hosts, remarks } = translate(await Promise.all(entries.map(withUsualFiles)), 'here');
      return { actors, hosts, said: remarks.map(({ text }) => text).join('\n') };
    };
    const { actors, hosts, said } = await told();
    expect(actors.get('id_ecdsa')?.key).toBe(join(ssh, 'id_ecdsa'));
    expect(hosts.get('h')?.known_hosts).toBe(join(ssh, 'known_hosts'));
    expect(said).toContain('No key is named: ssh finds ~/.ssh/id_ecdsa only.');
    writeFileSync(join(ssh, 'id_rsa'), '');
    const two = await told();
    expect(two.actors.get('default')?.key).toBe(join(ssh, 'id_ed25519'));
    expect(two.said).toContain('Check the key of actor default');
  });

  it.skipIf(!has('root'))("runs the programs of another user's ssh_config as that user", async () => {
    using temp = tempDir('import');
    const [ssh, out] = [join(temp.path, '.ssh'), join(temp.path, 'who')];
    mkdirSync(ssh);
    writeFileSync(join(ssh, 'config'), `Match exec "id -u >>${out}"\n  LocalForward 1234 127.0.0.1:1\n`);
    for (const path of [temp.path, ssh]) chownSync(path, 65_534, 65_534);
    const unit = '[Service]\nUser=nobody\nExecStart=/usr/bin/ssh -N h\n';
    const context = { hostname: 'here', user: 'root', homes: new Map([['nobody', temp.path]]) };
    const { entries } = await entriesOfUnit('/etc/systemd/system/t.service', unit, context);
    expect(forwardsOf(entries)).toMatchObject([{ direction: 'local', listen: { port: 1234 } }]);
    expect(readFileSync(out, 'utf8')).toBe('65534\n');
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
