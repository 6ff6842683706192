import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateKey } from '../support/certificates/keys.ts';
import { echoOnce } from '../support/clients/steady-client.ts';
import { has, hasBox } from '../support/machine/capabilities.ts';
import { freePort, type LoopbackServer } from '../support/peers/loopback.ts';
import { startEcho } from '../support/peers/targets.ts';
import { waitUntil } from '../support/wait-until.ts';
import { BareNode } from './box/bare-node.ts';

const SERVICE = 'fleet-mesh.service';
const CONFIG = '/etc/fleet-mesh/tunnels.yaml';
const AGENT = '/run/fleet-ca/agent.sock';

describe.skipIf(!hasBox() || !has('sshd'))('certificates from cert_command in the sandbox of the system unit', () => {
  let node: BareNode;
  let echo: LoopbackServer;
  let port: number;

  beforeAll(async () => {
    [node, echo, port] = [await BareNode.boot('system'), await startEcho(), await freePort()];
    const { box, sshd } = node;
    await node.startOldUnit('fleet-hub', { port, target: echo.port });
    await node.bringKeys();
    // The CA's key and one that the host knows only by the CA's certificates: root's alone, handed over by the unit.
    const ca = generateKey(join(sshd.directory, 'user_ca'));
    const certified = generateKey(join(sshd.directory, 'certified'));
    box.write('/etc/fleet-mesh/keys/user_ca', readFileSync(ca.path, 'utf8'), 0o600);
    box.write('/etc/fleet-mesh/keys/certified', readFileSync(certified.path, 'utf8'), 0o600);
    box.write('/home/ca/user_ca', readFileSync(ca.path, 'utf8'), 0o644);
    box.write('/etc/fleet-mesh/user_ca.pub', `${ca.publicKey}\n`);
    const trusted = join(sshd.directory, 'trusted');
    writeFileSync(trusted, `${ca.publicKey}\n`);
    await sshd.restart({ extraConfig: [`TrustedUserCAKeys ${trusted}`] });
    await waitUntil('ssh serves', () => echoOnce(port).catch(() => undefined));
  });
  afterAll(async () => {
    await node?.[Symbol.asyncDispose]();
    await echo?.[Symbol.asyncDispose]();
  });

  const yamlWith = (command: string) =>
    node.writeYaml(
      { hub: { listen: `127.0.0.1:${port}`, target: `127.0.0.1:${echo.port}`, probe: { tcp: {}, every: '1s' } } },
      { key: 'credential:key_certified', cert_command: command },
    );
  const signedBy = (signing: string) =>
    `${signing} -q -I fleet-test -n ${node.sshd.user} -V -1m:+1h -z ${Date.now()} {pubkey}`;
  const credential = async () => (await node.status()).links[0]?.credential;

  /** That the daemon goes by a new certificate of that command. */
  const expectRotation = async (signing: string, how: 'reload' | 'restart') => {
    const before = await credential();
    await node.box.must('cp', await yamlWith(signedBy(signing)), CONFIG);
    await node.box.must('systemctl', how, SERVICE);
    await node.box.must('node', '/opt/release/dist/cli.js', 'rotate', 'atm-fleet-mesh', '--config', CONFIG);
    const after = await waitUntil('it goes by another certificate', async () => {
      const now = await credential();
      return now?.serial === before?.serial ? undefined : now;
    });
    expect(after).toMatchObject({ type: 'certificate', key_id: 'fleet-test' });
    await echoOnce(port);
  };

  it('leaves ssh running if cert_command needs a path that the unit forbids', async () => {
    const yaml = await yamlWith(signedBy('ssh-keygen -s /home/ca/user_ca'));
    const { code, stderr } = await node.mesh('install', '--config', yaml);
    expect([code, stderr]).toEqual([1, expect.stringContaining('[cert_command_failed]')]);
    expect(stderr).toContain('Load key "/home/ca/user_ca": Permission denied');
    expect([await node.state('fleet-hub'), await node.state(SERVICE)]).toEqual(['active enabled', 'inactive']);
    expect(await node.traces()).toEqual(['/etc/fleet-mesh']);
  });

  it('takes a port over from ssh, with a certificate instead of the static key', async () => {
    const yaml = await yamlWith(signedBy('ssh-keygen -s credential:key_user_ca'));
    const { code, stdout, stderr } = await node.mesh('install', '--config', yaml);
    expect(code, `${stdout}${stderr}${await node.box.journal(40)}`).toBe(0);
    expect([await node.state('fleet-hub'), await node.state(SERVICE)]).toEqual(['inactive disabled', 'active enabled']);
    expect(await credential()).toMatchObject({ type: 'certificate', key_id: 'fleet-test' });
    await echoOnce(port);
    expect(await node.box.must('find', '/tmp', '-name', 'fleet-mesh-doctor-*')).toBe('');
  });

  it('obtains certificates from a CA whose key is in an agent', async () => {
    // ssh-agent answers nobody but its own user and root.
    const run = ['systemd-run', '--unit=fleet-ca', '--uid=fleet-mesh', '--property=RuntimeDirectory=fleet-ca'];
    await node.box.must(...run, 'ssh-agent', '-D', '-a', AGENT);
    await waitUntil('the agent listens', async () => (await node.box.run('test', '-S', AGENT)).code === 0);
    await node.box.must('env', `SSH_AUTH_SOCK=${AGENT}`, 'ssh-add', '-q', '/etc/fleet-mesh/keys/user_ca');
    await expectRotation(`env SSH_AUTH_SOCK=${AGENT} ssh-keygen -U -s user_ca.pub`, 'reload');
  });

  it('reaches a forbidden path with a drop-in of the operator', async () => {
    node.box.write(`/etc/systemd/system/${SERVICE}.d/60-ca.conf`, '[Service]\nProtectHome=read-only\n');
    await node.box.must('systemctl', 'daemon-reload');
    await expectRotation('ssh-keygen -s /home/ca/user_ca', 'restart');
    const again = await node.mesh('install');
    expect([again.code, again.stdout], again.stderr).toEqual([0, 'nothing to do\n']);
  });
});
