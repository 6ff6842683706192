import { describe, expect, it } from 'vitest';
import { bulkDigest, exchangeBulk, startBulkServer } from '../../../support/clients/bulk.ts';
import { hasSessions, sessionIds, startMesh } from '../../../support/daemon/mesh.ts';
import { withOtherSsh2 } from '../../../support/daemon/other-ssh2.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { tempDir } from '../../../support/machine/temp-dir.ts';
import { newerOpenssh } from '../../../support/peers/newer-openssh.ts';
import { startSshd } from '../../../support/peers/real-sshd.ts';
import { startEcho } from '../../../support/peers/targets.ts';

const HYBRID = 'mlkem768x25519-sha256';
const MEGABYTE = 1_000_000;
const hybridOnly = newerOpenssh(`KexAlgorithms ${HYBRID}`);

describe.skipIf(hybridOnly === undefined)('the post-quantum key exchange with OpenSSH 10', () => {
  it('opens sessions with a server that accepts nothing else, and shows the method', async () => {
    await using sshd = await startSshd(hybridOnly);
    await using target = await startBulkServer({ seed: 2, bytes: MEGABYTE });
    await using mesh = await startMesh({ sshd, tunnels: { bulk: { target: target.port } } });
    const status = await mesh.waitFor(hasSessions(2));
    for (const { server, kex } of status.links.flatMap(({ sessions }) => sessions))
      expect({ server, kex }).toEqual({ server: expect.stringMatching(/^SSH-2\.0-OpenSSH_(9\.9|1\d)/), kex: HYBRID });
    expect(await mesh.metric('link_kex_info', { kex: HYBRID })).toBe(1);
  });

  it('alters no byte and loses no session with new keys every megabyte under load', async () => {
    const [there, back] = [
      { seed: 4, bytes: 40 * MEGABYTE },
      { seed: 5, bytes: 40 * MEGABYTE },
    ] as const;
    await using sshd = await startSshd({
      ...hybridOnly,
      extraConfig: [...(hybridOnly?.extraConfig ?? []), 'RekeyLimit 1M', 'LogLevel DEBUG1'],
    });
    await using target = await startBulkServer(back);
    await using mesh = await startMesh({ sshd, tunnels: { bulk: { target: target.port } } });
    const first = sessionIds(await mesh.waitFor(hasSessions(2)));
    const [sent, got] = await Promise.all([target.received(), exchangeBulk(mesh.port('bulk'), there)]);
    expect(sent).toEqual({ ...bulkDigest(there), end: 'fin' });
    expect(got).toEqual({ ...bulkDigest(back), end: 'fin' });
    expect(sessionIds(await mesh.daemon.status())).toEqual(expect.arrayContaining(first));
    const exchanges = sshd.log().split(`kex: algorithm: ${HYBRID}`).length - 1;
    expect(exchanges).toBeGreaterThan(20);
    process.stderr.write(`hybrid: 2 x 40 MB with ${exchanges} exchanges\n`);
  });
});

describe.skipIf(!has('sshd'))('another ssh2 than the pinned one', () => {
  it('exchanges keys classically, and the log says so once', async () => {
    using temp = tempDir('other-ssh2');
    await using sshd = await startSshd();
    await using target = await startEcho();
    const wrapper = withOtherSsh2(temp.path, '1.99.0');
    await using mesh = await startMesh({ sshd, tunnels: { echo: { target: target.port } }, wrapper });
    const status = await mesh.waitFor(hasSessions(2));
    const methods = status.links.flatMap(({ sessions }) => sessions.map(({ kex }) => kex));
    expect(methods).toEqual(['curve25519-sha256', 'curve25519-sha256']);
    const told = mesh.daemon.records().filter(({ event }) => event === 'ssh.classical_exchange');
    expect(told).toMatchObject([
      { level: 'warn', msg: 'ssh2 1.99.0 is installed, not 1.17.0: key exchange is classical, without ML-KEM' },
    ]);
  });
});
