import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Cleanup } from '../../../support/cleanup.ts';
import { echoOnce } from '../../../support/clients/steady-client.ts';
import { hasSessions, knownBehind, startMesh } from '../../../support/daemon/mesh.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { FaultProxy } from '../../../support/peers/fault-proxy.ts';
import { startSshd } from '../../../support/peers/real-sshd.ts';
import { startSlowTarget } from '../../../support/peers/slow-target.ts';
import { waitUntil } from '../../../support/wait-until.ts';

describe.skipIf(!has('sshd') || !has('python3'))('a target that is slow to accept', { concurrent: true }, () => {
  it.each(['127.0.0.1', 'localhost'])('is asked once for each client while the session answers (%s)', async (host) => {
    await using cleanup = new Cleanup();
    const slow = cleanup.use(await startSlowTarget());
    const sshd = cleanup.use(await startSshd());
    const tunnels = { slow: { target: `${host}:${slow.port}` } };
    const mesh = cleanup.use(await startMesh({ sshd, tunnels }));
    await mesh.waitFor(hasSessions(2));
    for (let round = 1; round <= 2; round++) {
      // On a busy machine a client may come after the queue is empty again.
      await waitUntil('a client comes while the queue is full', async () => {
        await slow.fill();
        return (await echoOnce(mesh.port('slow'))) > 600;
      });
      // A second connection would come a little later.
      await pause(1_000);
      expect(slow.accepted()).toBe(1);
    }
    expect(await mesh.metric('link_hedged_opens_total')).toBe(0);
  });

  it('gets its whole time after a gap in the network', async () => {
    await using cleanup = new Cleanup();
    const slow = cleanup.use(await startSlowTarget());
    const sshd = cleanup.use(await startSshd());
    const proxy = cleanup.use(await FaultProxy.start(sshd.port));
    const host = { port: proxy.port, known_hosts: knownBehind(sshd, proxy.port), connect_timeout: '4s' };
    const mesh = cleanup.use(await startMesh({ sshd, host, tunnels: { slow: { target: slow.port } } }));
    await mesh.waitFor(hasSessions(2));
    proxy.pause();
    const asked = echoOnce(mesh.port('slow'));
    await pause(3_000);
    await slow.fill();
    proxy.resume();
    // The bound of the open is four seconds, of which the gap took the most.
    expect(await asked).toBeGreaterThan(4_000);
    expect(await mesh.metric('tunnel_connections_total', { result: 'failed' })).toBe(0);
  });
});
