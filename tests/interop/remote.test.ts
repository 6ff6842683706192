import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { bulkDigest, exchangeBulk, startBulkServer } from '../support/bulk.ts';
import { has } from '../support/capabilities.ts';
import { freePort } from '../support/loopback.ts';
import { findTunnel, hasSessions, type Mesh, startMesh, tunnelOf } from '../support/mesh.ts';
import { listenersOn } from '../support/port-owner.ts';
import { signal } from '../support/proc.ts';
import { type Sshd, startSshd } from '../support/real-sshd.ts';
import { startStateHub } from '../support/stand-ins.ts';
import { echoOnce, startSteadyClient } from '../support/steady-client.ts';
import { startEcho } from '../support/targets.ts';
import { waitUntil } from '../support/wait-until.ts';

const remote = (target: number, more: object = {}) => ({ direction: 'remote', target, ...more });

/** Everything that the daemon has logged of one event. */
const events = (mesh: Mesh, event: string) => mesh.daemon.records().filter((record) => record['event'] === event);

describe.skipIf(!has('sshd') || !has('ssh-keygen'))('remote tunnels over a real sshd', () => {
  it('carries bytes both ways, whole, and counts them from the client at the far side', async () => {
    await using sshd = await startSshd();
    const down = { seed: 1, bytes: 40_000_000 };
    const up = { seed: 2, bytes: 30_000_000 };
    await using target = await startBulkServer(down);
    await using mesh = await startMesh({ sshd, tunnels: { back: remote(target.port) } });
    const { reason } = await mesh.waitForTunnel('up');
    expect(reason).toBeNull();

    const [received, sent] = await Promise.all([exchangeBulk(mesh.port('back'), up), target.received()]);
    expect(received).toEqual({ ...bulkDigest(down), end: 'fin' });
    expect(sent).toEqual({ ...bulkDigest(up), end: 'fin' });
    const status = await mesh.waitFor((each) => findTunnel(each, 'back')?.usage.open === 0);
    // The proof is no use: one connection, and not a byte more than it carried.
    expect(tunnelOf(status, 'back').usage).toMatchObject({
      opened_total: 1,
      failed_total: 0,
      bytes_to_target: up.bytes,
      bytes_from_target: down.bytes,
    });
    expect(target.accepted()).toBe(1);
  });

  it('is bound again by the other session when the one that holds it is killed', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    await using mesh = await startMesh({ sshd, tunnels: { back: remote(echo.port) } });
    await mesh.waitForTunnel('up');
    await mesh.waitFor(hasSessions(2));
    expect(await mesh.metric('remote_listen_gap_seconds_count')).toBe(0);

    const client = startSteadyClient(mesh.port('back'), 5);
    await waitUntil('it runs', () => client.served() > 20);
    await client.inTheGap(() => signal(holderOf(sshd, mesh.port('back')), 'SIGKILL'));
    await waitUntil('it was bound again', async () => (await mesh.metric('remote_listen_gap_seconds_count')) === 1);
    const served = client.served();
    await waitUntil('it goes on', () => client.served() > served + 20);
    const { failures } = await client.stop();
    const gap = await mesh.metric('remote_listen_gap_seconds_sum');
    console.error(`killed: gap ${(gap * 1000).toFixed(1)} ms, ${failures.length} refused`);
    expect(gap).toBeLessThan(0.25);
    await mesh.waitForTunnel('up');
  });
});

/** The sshd process of the session that holds the listener. */
function holderOf(sshd: Sshd, port: number): number {
  const [pid] = listenersOn(port, sshd.sessionPids());
  if (pid === undefined) throw new Error(`no session of this sshd listens on ${port}`);
  return pid;
}
