import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { echoOnce } from '../support/clients/steady-client.ts';
import { has, hasBox, missing } from '../support/machine/capabilities.ts';
import { requireProgram } from '../support/machine/find-program.ts';
import { freePort } from '../support/peers/loopback.ts';
import { AnsibleFleet, type AnsibleNode } from './ansible/nodes.ts';

it.skipIf(!has('ansible-lint'))('keeps the Ansible role clean for ansible-lint, with the production profile', () => {
  const { status, stdout, stderr } = spawnSync(requireProgram('ansible-lint'), ['--offline', '--nocolor'], {
    cwd: 'scripts/ansible',
    encoding: 'utf8',
    timeout: 120_000,
  });
  expect(status, `${stdout}${stderr}`).toBe(0);
  expect(stderr).toContain('production profile: 0 failure(s), 0 warning(s)');
});

const canRun = hasBox() && has('ansible-playbook') && has('dpkg-deb');

const { CI } = process.env;
/** Every task of Ansible costs some tenths of a second of a core on each node. */
const hasTime = () => CI !== 'true' || missing('time for a second node', 'run without CI=true');
const COUNT = canRun && hasTime() ? 2 : 1;

describe.skipIf(!canRun)('the Ansible role, on booted nodes', { timeout: 600_000 }, () => {
  let fleet: AnsibleFleet;
  let system: AnsibleNode;

  beforeAll(async () => {
    fleet = await AnsibleFleet.boot(COUNT);
    [system] = fleet.nodes as [AnsibleNode];
  }, 120_000);
  afterAll(() => fleet?.[Symbol.asyncDispose](), 30_000);

  const there = ({ box }: AnsibleNode, path: string) => existsSync(box.path(path));

  it('says with --check what it would change, and changes nothing', async () => {
    const { code, recap, output } = await fleet.play('--check');
    expect(code, output).toBe(0);
    for (const node of fleet.nodes) {
      expect(recap[node.name]).toMatchObject({ failed: 0, unreachable: 0, rescued: 0 });
      expect(recap[node.name]?.changed).toBeGreaterThan(4);
      expect((await node.box.run('dpkg-query', '--show', 'fleet-mesh')).code).toBe(1);
      const paths = [
        '/etc/fleet-mesh',
        '/var/cache/fleet-mesh-ansible',
        '/etc/targets',
        '/home/mesh/.config/fleet-mesh',
      ];
      expect(paths.filter((path) => there(node, path))).toEqual([]);
    }
  });

  it('installs package, configuration, key, sockets and target, and proves the tunnels', async () => {
    const { code, recap, output } = await fleet.play();
    expect(code, output).toBe(0);
    for (const node of fleet.nodes) {
      expect(recap[node.name]).toMatchObject({ failed: 0, unreachable: 0, rescued: 0 });
      const { tunnels, systemd } = await fleet.status(node);
      expect(tunnels.map(({ state, listen_by }) => [state, listen_by])).toEqual([['up', 'systemd']]);
      expect(systemd.sockets.map(({ problem }) => problem)).toEqual([null, null]);
      await echoOnce(node.port);
      const target = readFileSync(node.box.path('/etc/targets/fleet-mesh-railiance01.json'), 'utf8');
      expect(JSON.parse(target)).toEqual([
        { targets: [`127.0.0.1:${node.endpointPort}`], labels: { node: 'railiance01' } },
      ]);
    }
    expect((await system.box.run('stat', '-c', '%U %a', '/etc/fleet-mesh/keys/id_fleet')).stdout).toBe('root 600\n');
  });

  it.skipIf(COUNT < 2)('installs the unit of a user with lingering on the second node', async () => {
    const [, user] = fleet.nodes as [AnsibleNode, AnsibleNode];
    expect(there(user, '/var/lib/systemd/linger/mesh')).toBe(true);
    expect((await user.box.run('stat', '-c', '%U %a', '/home/mesh/.ssh/id_fleet')).stdout).toBe('mesh 600\n');
    expect((await user.box.run('systemctl', 'is-active', 'fleet-mesh.service')).stdout).toBe('inactive\n');
  });

  it('changes nothing in a second run', async () => {
    const { code, recap, output } = await fleet.play();
    expect(code, output).toBe(0);
    expect(Object.values(recap).map(({ changed }) => changed)).toEqual(fleet.nodes.map(() => 0));
  });

  it('puts package and configuration back if a tunnel does not come up', async () => {
    const installed = () => system.box.must('dpkg-query', '--show', 'fleet-mesh');
    const before = await installed();
    fleet.writeYaml(system, await freePort());
    const { code, recap, output } = await fleet.play(
      '--limit',
      system.name,
      '--extra-vars',
      `fleet_mesh_timeout=2s fleet_mesh_deb=${fleet.laterPackage()}`,
    );
    expect(code, output).not.toBe(0);
    expect(recap[system.name]).toMatchObject({ failed: 1, rescued: 1 });
    expect(output).toMatch(/fleet-mesh was not installed on node-1: .*hub.*the node is as before: version /s);
    fleet.writeYaml(system);
    expect(await installed()).toBe(before);
    const { tunnels } = await fleet.status(system);
    expect(tunnels.map(({ target, listen_by }) => [target, listen_by])).toEqual([
      [`127.0.0.1:${fleet.echo.port}`, 'systemd'],
    ]);
    await echoOnce(system.port);
  });
});
