import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { echoOnce } from '../support/clients/steady-client.ts';
import { hasBox } from '../support/machine/capabilities.ts';
import { descendantsOf, nameOf } from '../support/machine/proc.ts';
import { freePort, type LoopbackServer } from '../support/peers/loopback.ts';
import { startEcho } from '../support/peers/targets.ts';
import { waitUntil } from '../support/wait-until.ts';
import { BareNode, CHECKOUT } from './box/bare-node.ts';
import type { Outcome } from './box/box.ts';

const MAIN = ['--import', 'tsx', 'scripts/install-node-run/main.ts', 'node', '--user'];
const SERVICE = 'fleet-mesh.service';

describe.skipIf(!hasBox())('installing a node over ssh for a user, under their lingering manager', () => {
  let node: BareNode;
  let echo: LoopbackServer;
  let port: number;
  let sshConfig: string;
  let yaml: string;

  beforeAll(async () => {
    [node, echo] = [await BareNode.boot('user'), await startEcho()];
    port = await freePort();
    sshConfig = await node.letIn();
    await node.startOldUnit('fleet-hub', { port, target: echo.port });
    const inside = await node.writeYaml({ hub: { listen: `127.0.0.1:${port}`, target: `127.0.0.1:${echo.port}` } });
    // Names with everything in them that a shell could trip over.
    const directory = join(node.sshd.directory, `it's a "$(reboot)" directory`);
    mkdirSync(directory);
    yaml = join(directory, 'tunnels; reboot.yaml');
    writeFileSync(yaml, await node.box.must('cat', inside));
    await waitUntil('ssh serves', () => echoOnce(port).catch(() => undefined));
  });
  afterAll(async () => {
    await node?.[Symbol.asyncDispose]();
    await echo?.[Symbol.asyncDispose]();
  });

  /** scripts/install-node out here, for the node. */
  const installNode = (...args: readonly string[]): Promise<Outcome> => {
    const main = [...MAIN, '--ssh-config', sshConfig];
    return new Promise((resolve) => {
      execFile(process.execPath, [...main, ...args], { cwd: CHECKOUT, timeout: 150_000 }, (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, stdout, stderr });
      });
    });
  };

  it('takes the port over from the ssh unit of the user, and changes nothing the second time', async () => {
    const { code, stdout, stderr } = await installNode('--config', yaml);
    expect(code, `${stdout}${stderr}${await node.box.journal(40)}`).toBe(0);
    expect([await node.state('fleet-hub'), await node.state(SERVICE)]).toEqual(['inactive disabled', 'active enabled']);
    expect((await node.status()).tunnels.map(({ state, listen_by }) => [state, listen_by])).toEqual([
      ['up', 'systemd'],
    ]);
    await echoOnce(port);
    const again = await installNode();
    expect([again.code, again.stdout], again.stderr).toEqual([0, 'nothing to do\n']);
    expect(await node.box.must('find', '/tmp', '-name', 'tmp.*')).toBe('');
  });

  it('starts the ssh unit again with --rollback', async () => {
    const { code, stderr } = await installNode('--rollback');
    expect(code, stderr).toBe(0);
    expect([await node.state('fleet-hub'), await node.state(SERVICE)]).toEqual(['active enabled', 'inactive']);
    await echoOnce(port);
  });

  it('finishes the installation although the ssh connection is lost half-way', async () => {
    const child = spawn(process.execPath, [...MAIN, '--ssh-config', sshConfig], { cwd: CHECKOUT });
    child.stdout.on('data', (chunk: Buffer) => {
      if (!chunk.includes('copy ')) return;
      const ssh = descendantsOf(child.pid ?? 0).find((pid) => nameOf(pid) === 'ssh');
      if (ssh !== undefined) process.kill(ssh, 'SIGKILL');
    });
    const [code] = await once(child, 'exit');
    expect(code).toBe(1);
    await waitUntil(
      'ssh has been taken over from',
      async () => (await node.state('fleet-hub')) === 'inactive disabled',
      30_000,
    );
    expect(await node.state(SERVICE)).toBe('active enabled');
    await echoOnce(port);
  });

  it('leaves only the configuration behind after --uninstall', async () => {
    const { code, stdout, stderr } = await installNode('--uninstall');
    expect(code, stderr).toBe(0);
    expect(stdout).toContain('kept: fleet-hub.service, stopped and disabled');
    expect(await node.state(SERVICE)).toBe('inactive');
    // systemd 254 and later keep the state of units of a user there.
    const own = (await node.traces()).filter((path) => path !== '/home/mesh/.local/state/fleet-mesh');
    expect(own).toEqual(['/home/mesh/.config/fleet-mesh']);
  });

  it('reports an unreadable configuration in one line, before it connects to the host', async () => {
    const { code, stdout, stderr } = await installNode('--config', '/nowhere/tunnels.yaml');
    expect([code, stdout, stderr]).toEqual([1, '', 'install-node: cannot read /nowhere/tunnels.yaml (ENOENT)\n']);
  });

  it('reports an unreachable host', async () => {
    const nowhere = join(node.sshd.directory, 'nowhere');
    writeFileSync(nowhere, `Host node\n  HostName 127.0.0.1\n  Port ${await freePort()}\n`);
    const { code, stderr } = await installNode('--rollback', '--ssh-config', nowhere);
    expect([code, stderr]).toEqual([255, expect.stringContaining('Connection refused')]);
  });
});
