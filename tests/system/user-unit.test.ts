import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { echoOnce } from '../support/clients/steady-client.ts';
import { hasBox } from '../support/machine/capabilities.ts';
import { freePort } from '../support/peers/loopback.ts';
import { waitUntil } from '../support/wait-until.ts';
import { BoxedMesh, HAS_NATIVE } from './box/mesh.ts';

const SERVICE = 'fleet-mesh.service';
const while_down = { hold: '15s', limit: 5_000 };

describe.skipIf(!hasBox())('the user unit, under the lingering manager of a user', () => {
  let mesh: BoxedMesh;
  let port: number;

  beforeAll(async () => {
    mesh = await BoxedMesh.install('user');
    port = await freePort();
    await mesh.write({ held: { listen: `127.0.0.1:${port}`, while_down, max_connections: 5_000 } });
    await mesh.must('daemon-reload');
    await mesh.must('start', 'fleet-mesh-endpoint.socket', `fleet-mesh-forward@${port}.socket`);
    await mesh.must('start', SERVICE);
  });
  afterAll(() => mesh?.[Symbol.asyncDispose]());

  it('serves on the sockets of the user, and the user manager watches it', async () => {
    const { tunnels, systemd } = await mesh.allUp();
    expect(tunnels.map(({ listen_by }) => listen_by)).toEqual(['systemd']);
    expect(systemd).toMatchObject({ notify: HAS_NATIVE ? 'sd-notify' : 'systemd-notify', watchdog_ms: 30_000 });
    await waitUntil('STATUS is told', async () => (await mesh.show('StatusText')) === '1/1 up');
    await echoOnce(port);
  });

  it('confines the daemon: in the home it can write only its own directories', async () => {
    const mounts = await mesh.box.must('cat', `/proc/${await mesh.mainPid()}/mounts`);
    // The last mount at a place covers the others; /home has none of its own in the box.
    const readOnly = mounts
      .split('\n')
      .map((line) => line.split(' '))
      .findLast(([, where]) => where === '/')?.[3]
      ?.split(',')[0];
    expect(readOnly).toBe('ro');
    const status = await mesh.box.must('cat', `/proc/${await mesh.mainPid()}/status`);
    expect(status).toMatch(/^CapBnd:\t0+$/m);
    expect(status).toMatch(/^NoNewPrivs:\t1$/m);
    expect(status).toMatch(/^Seccomp:\t2$/m);
  });

  it('fails a reload of an invalid file, and keeps serving', async () => {
    const yaml = await mesh.write({ held: { listen: `127.0.0.1:${port}`, while_down, max_connections: 5_000 } });
    await mesh.writeRaw(yaml.replace('version: 1', 'version: 7'));
    expect((await mesh.systemctl('reload', SERVICE)).code).not.toBe(0);
    await mesh.writeRaw(yaml);
    await mesh.must('reload', SERVICE);
    await echoOnce(port);
  });

  it('refuses and loses no connection at a restart, and refuses none when it is killed', async () => {
    const restarted = await mesh.underLoad(port, () => mesh.must('restart', SERVICE));
    expect(restarted.failures).toEqual([]);
    const pid = await mesh.outerPid();
    const killed = await mesh.underLoad(port, () => process.kill(pid, 'SIGKILL'));
    expect(killed.failures).toEqual([]);
  });
});
