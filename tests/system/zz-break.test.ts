import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { echoOnce } from '../support/clients/steady-client.ts';
import { freePort, type LoopbackServer } from '../support/peers/loopback.ts';
import { startEcho } from '../support/peers/targets.ts';
import { waitUntil } from '../support/wait-until.ts';
import { BareNode } from './box/bare-node.ts';
import { appendFileSync } from 'node:fs';
const log = (...a: unknown[]) => appendFileSync('/tmp/b17/kill.log', `${a.map((x) => (typeof x === 'string' ? x : JSON.stringify(x))).join(' ')}\n`);
describe('kill', () => {
  let node: BareNode; let echo: LoopbackServer; let hub: number; let yaml: string;
  beforeAll(async () => {
    [node, echo] = [await BareNode.boot('system'), await startEcho()];
    hub = await freePort();
    await node.startOldUnit('fleet-hub', { port: hub, target: echo.port });
    await node.bringKeys();
    yaml = await node.writeYaml({ hub: { listen: `127.0.0.1:${hub}`, target: `127.0.0.1:${echo.port}`, probe: { tcp: {}, every: '1s' } } });
    await waitUntil('ssh serves', async () => await echoOnce(hub).catch(() => undefined));
  });
  afterAll(async () => { await node?.[Symbol.asyncDispose](); await echo?.[Symbol.asyncDispose](); });
  it('x', async () => {
    for (const d of [0.5, 0.8, 1, 1.2, 1.5, 1.8, 2.1, 2.5, 3, 3.5, 4, 5]) {
      const k = await node.box.run('timeout', '-s', 'KILL', String(d), 'node', '/opt/release/dist/cli.js', 'install', '--config', yaml);
      const lastLine = k.stdout.trim().split('\n').at(-1);
      const st = [await node.state('fleet-hub'), await node.state('fleet-mesh.service')];
      const serves = await echoOnce(hub).then(() => 'serves', () => 'DEAD');
      const rb = await node.mesh('install', '--rollback', '--dry-run');
      const again = await node.mesh('install', '--config', yaml);
      const st2 = [await node.state('fleet-hub'), await node.state('fleet-mesh.service')];
      const serves2 = await echoOnce(hub).then(() => 'serves', () => 'DEAD');
      const back = await node.mesh('install', '--rollback');
      const st3 = [await node.state('fleet-hub'), await node.state('fleet-mesh.service')];
      await waitUntil('ssh serves', async () => await echoOnce(hub).catch(() => undefined), 8000).catch(() => log('   old unit does not serve after rollback'));
      log(`d=${d} code=${k.code} last="${lastLine}"`, st, serves, `| rb-dry ${rb.code} ${rb.stderr.trim().slice(0,200)}`, '| again', again.code, again.stderr.slice(0, 300), st2, serves2, '| rollback', back.code, back.stderr.slice(0, 300), st3);
      const tr = await node.traces();
      log('   traces', tr.length, tr.slice(0, 5));
      if (st3[0] !== 'active enabled') { await node.mesh('uninstall'); await node.systemctl('enable', '--now', 'fleet-hub.service'); }
    }
    // other faults
    for (const [name, pre, post] of [
      ['read-only /opt', 'mount --bind /opt /opt && mount -o remount,ro,bind /opt', 'umount /opt'],
      ['read-only /etc/systemd/system', 'mount --bind /etc/systemd/system /etc/systemd/system && mount -o remount,ro,bind /etc/systemd/system', 'umount /etc/systemd/system'],
      ['read-only /etc/fleet-mesh', 'mount --bind /etc/fleet-mesh /etc/fleet-mesh && mount -o remount,ro,bind /etc/fleet-mesh', 'umount /etc/fleet-mesh'],
      ['foreign unit', 'printf "[Service]\\nExecStart=/bin/sleep 99\\n" > /etc/systemd/system/fleet-mesh.service', 'grep -c "sleep 99" /etc/systemd/system/fleet-mesh.service; rm /etc/systemd/system/fleet-mesh.service'],
      ['foreign /usr/local/bin/fleet-mesh', 'echo "#!/bin/sh" > /usr/local/bin/fleet-mesh', 'cat /usr/local/bin/fleet-mesh; rm /usr/local/bin/fleet-mesh'],
      ['foreign /opt/fleet-mesh file', 'echo x > /opt/fleet-mesh', 'cat /opt/fleet-mesh; rm -rf /opt/fleet-mesh'],
      ['disk full /opt', 'mkdir -p /opt/fleet-mesh && mount -t tmpfs -o size=1m t /opt/fleet-mesh', 'ls /opt/fleet-mesh; umount /opt/fleet-mesh; rmdir /opt/fleet-mesh'],
      ['masked unit', 'systemctl mask fleet-mesh.service', 'systemctl unmask fleet-mesh.service'],
      ['user fleet-mesh exists as person', 'useradd -m -s /bin/bash fleet-mesh', 'getent passwd fleet-mesh; userdel -r fleet-mesh'],
    ] as const) {
      const p = await node.box.run('sh', '-c', pre);
      const t = await node.traces();
      const r = await node.mesh('install', '--config', yaml);
      const st = [await node.state('fleet-hub'), await node.state('fleet-mesh.service')];
      const serves = await echoOnce(hub).then(() => 'serves', () => 'DEAD');
      const t2 = await node.traces();
      log(`FAULT ${name}: pre ${p.code} ${p.stderr.slice(0, 100)} install ${r.code} ${r.stderr.slice(0, 500)}`, st, serves, 'new traces', t2.filter((x) => !t.includes(x)).slice(0, 6));
      if (r.code === 0) { const b = await node.mesh('install', '--rollback'); log('   rolled back', b.code, b.stderr.slice(0, 200)); }
      const q = await node.box.run('sh', '-c', post);
      log('   post', q.code, q.stdout.trim().slice(0, 200), q.stderr.slice(0, 100));
    }
    expect(1).toBe(1);
  }, 900_000);
});
