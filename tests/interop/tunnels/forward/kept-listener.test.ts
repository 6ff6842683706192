import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { echoOnce } from '../../../support/clients/steady-client.ts';
import { hasSessions, linkOf, startMesh, tunnelOf } from '../../../support/daemon/mesh.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { patient } from '../../../support/patience.ts';
import { startDropbear } from '../../../support/peers/lab/dropbear.ts';
import { freePort } from '../../../support/peers/loopback.ts';
import { startSshd } from '../../../support/peers/real-sshd.ts';
import { startEcho } from '../../../support/peers/targets.ts';

const here = (['root', 'mount', 'dropbear', 'ssh-keygen'] as const).every(has);

/** dropbear does not release an address before the session ends, whatever cancel-tcpip-forward asks. */
describe.skipIf(!here)('a remote tunnel over a server that releases no address', () => {
  it('serves again after a reload that moved its port away and back', async () => {
    const [there, elsewhere] = [await freePort(), await freePort()];
    await using server = await startDropbear();
    await using echo = await startEcho();
    const tunnel = (port: number) => ({
      far: { direction: 'remote', listen: `127.0.0.1:${port}`, target: echo.port },
    });
    await using mesh = await startMesh({ sshd: server, tunnels: tunnel(there) });
    await mesh.waitFor(hasSessions(2));
    await mesh.waitForTunnel('up');
    await echoOnce(there, 'first', patient(5_000));

    await mesh.write({ tunnels: tunnel(elsewhere) });
    await mesh.reload();
    await mesh.waitForTunnel('up');
    await echoOnce(elsewhere, 'moved', patient(5_000));

    await mesh.write({ tunnels: tunnel(there) });
    await mesh.reload();
    await mesh.waitForTunnel('up', 'far', 20_000);
    await echoOnce(there, 'back', patient(5_000));
  });

  it('serves without a pause when its session is replaced under an open connection, and moves after that', async () => {
    const port = await freePort();
    await using server = await startDropbear();
    await using echo = await startEcho();
    await using mesh = await startMesh({
      sshd: server,
      tunnels: { far: { direction: 'remote', listen: `127.0.0.1:${port}`, target: echo.port } },
    });
    await mesh.waitFor(hasSessions(2));
    await mesh.waitForTunnel('up');
    const before = linkOf(await mesh.daemon.status()).sessions.map(({ id }) => id);
    const client = connect(port, '127.0.0.1');
    client.write('open');
    await once(client, 'data');

    await mesh.write({ host: { keepalive: { every: '4s', lost_after: 3 } } });
    await mesh.reload();
    await mesh.waitFor((status) => linkOf(status).sessions.filter(({ id }) => !before.includes(id)).length === 2);
    await echoOnce(port, 'while the old session drains', patient(5_000));
    client.end('bye').resume();
    await once(client, 'close');

    await mesh.waitFor((status) => linkOf(status).sessions.every(({ id }) => !before.includes(id)));
    await mesh.waitForTunnel('up', 'far', 20_000);
    await echoOnce(port, 'on a new session', patient(10_000));
  });

  it('keeps the reason, and its sessions, when the server listens on loopback only instead of everywhere', async () => {
    const port = await freePort();
    await using server = await startDropbear();
    await using echo = await startEcho();
    await using mesh = await startMesh({
      sshd: server,
      tunnels: { far: { direction: 'remote', listen: `0.0.0.0:${port}`, target: echo.port } },
    });
    await mesh.waitFor(hasSessions(2));
    const wrong = await mesh.waitForDown('remote_listen_denied');
    expect(wrong.last_error).toMatchObject({
      message: expect.stringContaining('loopback'),
      hint: expect.stringContaining('Start dropbear with -a'),
    });
    const logins = await mesh.metric('link_connect_attempts_total');
    // Longer than the first retries.
    await pause(3_000);
    const later = tunnelOf(await mesh.daemon.status(), 'far');
    expect(later.last_error).toMatchObject({
      code: 'remote_listen_denied',
      message: expect.stringContaining('loopback'),
    });
    expect(await mesh.metric('link_connect_attempts_total')).toBe(logins);
  });
});

/** Both listen on the other loopback address alone, and call that a success. */
const HALF_BOUND = [
  { name: 'dropbear at an address', host: '127.0.0.1', present: here, start: () => startDropbear() },
  { name: 'OpenSSH at a name', host: 'localhost', present: has('sshd'), start: () => startSshd() },
];

describe.concurrent.each(HALF_BOUND)('a remote tunnel over $name that another program holds', (row) => {
  it.skipIf(!row.present)('names the other program, and serves as soon as the program is gone', async () => {
    await using server = await row.start();
    await using echo = await startEcho();
    await using other = await startEcho();
    const far = { direction: 'remote', listen: `${row.host}:${other.port}`, target: echo.port };
    await using mesh = await startMesh({ sshd: server, tunnels: { far } });
    const held = await mesh.waitFor((status) => tunnelOf(status, 'far').last_error !== null);
    expect(tunnelOf(held, 'far').last_error).toMatchObject({
      code: 'remote_listen_in_use',
      message: expect.stringContaining('did not come back to this node'),
    });

    await other.stop();
    await mesh.waitForTunnel('up', 'far', patient(20_000));
    await echoOnce(other.port, 'free', patient(5_000));
    const said = mesh.daemon.records().map(({ error }) => error as { code?: string } | undefined);
    expect(said.filter((error) => error?.code === 'remote_listen_denied')).toEqual([]);
  });
});
