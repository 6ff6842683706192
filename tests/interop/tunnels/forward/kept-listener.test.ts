import { describe, it } from 'vitest';
import { echoOnce } from '../../../support/clients/steady-client.ts';
import { hasSessions, startMesh } from '../../../support/daemon/mesh.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { patient } from '../../../support/patience.ts';
import { startDropbear } from '../../../support/peers/lab/dropbear.ts';
import { freePort } from '../../../support/peers/loopback.ts';
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
});
