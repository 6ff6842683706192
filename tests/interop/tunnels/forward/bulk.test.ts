import { describe, expect, it } from 'vitest';
import { bulkDigest, exchangeBulk, startBulkServer } from '../../../support/clients/bulk.ts';
import { hasSessions, sessionIds, startMesh, tunnelOf } from '../../../support/daemon/mesh.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { patient } from '../../../support/patience.ts';
import { startSshd } from '../../../support/peers/real-sshd.ts';

const MEGABYTES = 1_000_000;

describe.skipIf(!has('sshd'))('bytes through a tunnel', () => {
  it.each([
    { bytes: 200 * MEGABYTES, sshd: 'as it comes', extraConfig: [] },
    { bytes: 64 * MEGABYTES, sshd: 'with new keys every 16 MB', extraConfig: ['RekeyLimit 16M'] },
  ])('$bytes bytes each way at once arrive whole over sshd $sshd', async ({ bytes, extraConfig }) => {
    const [there, back] = [
      { seed: 1, bytes },
      { seed: 2, bytes },
    ] as const;
    await using sshd = await startSshd({ extraConfig });
    await using target = await startBulkServer(back);
    await using mesh = await startMesh({ sshd, tunnels: { bulk: { target: target.port } } });
    const first = sessionIds(await mesh.waitFor(hasSessions(2)));

    const startedAt = performance.now();
    const [sent, got] = await Promise.all([target.received(), exchangeBulk(mesh.port('bulk'), there)]);
    const seconds = (performance.now() - startedAt) / 1000;

    expect(sent).toEqual({ ...bulkDigest(there), end: 'fin' });
    expect(got).toEqual({ ...bulkDigest(back), end: 'fin' });
    // The client may see its end before the daemon has closed the channel.
    const { usage } = tunnelOf(await mesh.waitFor(({ tunnels: [tunnel] }) => tunnel?.usage.open === 0), 'bulk');
    expect(usage).toMatchObject({ bytes_to_target: bytes, bytes_from_target: bytes });
    // The sessions that carried it are the first ones: neither bulk nor rekeying looked like a loss.
    expect(sessionIds(await mesh.daemon.status())).toEqual(expect.arrayContaining(first));
    // Generous: the measure is tests/bench. This only notices a stall.
    expect(seconds).toBeLessThan(patient(50));
    process.stderr.write(`bulk: 2 x ${bytes / MEGABYTES} MB in ${seconds.toFixed(1)} s\n`);
  });
});
