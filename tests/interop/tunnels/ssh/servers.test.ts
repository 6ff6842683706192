import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bulkDigest, exchangeBulk, startBulkServer } from '../../../support/clients/bulk.ts';
import { echoOnce } from '../../../support/clients/steady-client.ts';
import { hasSessions, linkOf, startMesh } from '../../../support/daemon/mesh.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { patient } from '../../../support/patience.ts';
import { FaultProxy } from '../../../support/peers/fault-proxy.ts';
import type { LabServer } from '../../../support/peers/lab/server.ts';
import { LAB } from '../../../support/peers/lab/servers.ts';
import { freePort } from '../../../support/peers/loopback.ts';
import { startEcho } from '../../../support/peers/targets.ts';

const MB = 1_000_000;

describe.each(LAB)('tunnels over $name', ({ needs, start, version, rekeyBytes }) => {
  const here = needs.every(has);

  it.skipIf(!here)('carry 20 MB each way at once, unchanged, also through new keys', async () => {
    const [there, back] = [
      { seed: 1, bytes: 20 * MB },
      { seed: 2, bytes: 20 * MB },
    ] as const;
    await using server = await start();
    await using target = await startBulkServer(back);
    await using mesh = await startMesh({ sshd: server, tunnels: { bulk: { target: target.port } } });
    const status = await mesh.waitFor(hasSessions(2));
    expect(linkOf(status).sessions[0]?.server).toMatch(version);

    const [sent, got] = await Promise.all([target.received(), exchangeBulk(mesh.port('bulk'), there)]);

    expect(sent).toEqual({ ...bulkDigest(there), end: 'fin' });
    expect(got).toEqual({ ...bulkDigest(back), end: 'fin' });
    // Neither the bytes nor the new keys cost a session.
    expect(await mesh.metric('link_connect_attempts_total')).toBe(2);
    if (rekeyBytes !== undefined) expect(20 * MB).toBeGreaterThan(5 * rekeyBytes);
  });

  it.skipIf(!here)('name a refused target, and serve again after every session was cut', async () => {
    await using server = await start();
    await using proxy = await FaultProxy.start(server.port);
    await using echo = await startEcho();
    await using mesh = await startMesh({
      sshd: server,
      // The host key is known under the port of the server, not of the proxy.
      host: { port: proxy.port, known_hosts: knownAs(server, proxy.port) },
      tunnels: { echo: { target: echo.port }, nobody: { target: await freePort(), while_down: { hold: '1s' } } },
    });
    await mesh.waitFor(hasSessions(2));
    await echoOnce(mesh.port('echo'), 'before', patient(5_000));
    await echoOnce(mesh.port('nobody'), 'nobody', patient(5_000)).catch(() => {});
    const refused = await mesh.waitFor(({ tunnels }) =>
      tunnels.some(({ name, last_error: error }) => name === 'nobody' && error !== null),
    );
    expect(refused.tunnels.find(({ name }) => name === 'nobody')?.last_error?.code).toBe('target_refused');

    proxy.reset();
    await echoOnce(mesh.port('echo'), 'after', patient(15_000));
  });
});

/** A known_hosts file with the key of the server for another port. */
function knownAs(server: LabServer, port: number): string {
  const path = join(server.directory, `known_hosts_${port}`);
  writeFileSync(path, readFileSync(server.knownHostsFile, 'utf8').replace(/^\S+/gm, `[127.0.0.1]:${port}`));
  return path;
}
