import { connect, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { DirectSource } from '../../../../src/tunnels/forward/direct-source.ts';
import { socksConnect } from '../../../support/clients/socks-client.ts';
import { never, originator } from '../../../support/clients/ssh-session.ts';
import { startMesh } from '../../../support/daemon/mesh.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { keepaliveSeconds } from '../../../support/machine/keepalive-timer.ts';
import { startSshd } from '../../../support/peers/real-sshd.ts';
import { startEcho } from '../../../support/peers/targets.ts';
import { waitUntil } from '../../../support/wait-until.ts';

/** A few minutes, so that a vanished machine is noticed, and a pause of a network is not. */
const LONGEST_S = 300;

/** Settles when the kernel asks the peers of exactly so many connections in time. */
async function asked(ports: Parameters<typeof keepaliveSeconds>[0], count: number): Promise<void> {
  const inTime = (seconds: number | undefined) => seconds !== undefined && seconds > 0 && seconds <= LONGEST_S;
  const shown = () => JSON.stringify(keepaliveSeconds(ports));
  // A connection that has just sent has another timer for a moment.
  await waitUntil('keepalive runs', () => keepaliveSeconds(ports).filter(inTime).length === count, 5_000, shown);
  expect(keepaliveSeconds(ports)).toHaveLength(count);
}

describe.skipIf(!has('sshd'))('the daemon asks silent peers whether they still exist', () => {
  it('on the sockets of local, dynamic and remote tunnels', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    await using here = await startEcho();
    await using mesh = await startMesh({
      sshd,
      tunnels: {
        local: { target: echo.port },
        dynamic: { direction: 'dynamic', allow: [`127.0.0.1:${echo.port}`] },
        remote: { direction: 'remote', target: here.port },
      },
    });
    for (const name of ['local', 'dynamic', 'remote']) await mesh.waitForTunnel('up', name);
    const clients: Socket[] = [
      connect(mesh.port('local'), '127.0.0.1'),
      await socksConnect({ port: mesh.port('dynamic'), host: '127.0.0.1' }, '127.0.0.1', echo.port),
      connect(mesh.port('remote'), '127.0.0.1'),
    ];
    for (const client of clients) client.on('error', () => {});
    await asked({ local: mesh.port('local') }, 1);
    await asked({ local: mesh.port('dynamic') }, 1);
    await asked({ remote: here.port }, 1);
    for (const client of clients) client.destroy();
  });

  it('on the socket to a successor', async () => {
    await using successor = await startEcho();
    const target = { kind: 'tcp', host: '127.0.0.1', port: successor.port } as const;
    const channel = await new DirectSource('relay').open(target, originator, never);
    await asked({ remote: successor.port }, 1);
    channel.close();
  });
});
