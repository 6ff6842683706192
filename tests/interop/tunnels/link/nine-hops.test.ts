import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { bulkBytes, bulkDigest, exchangeBulk, startBulkServer } from '../../../support/clients/bulk.ts';
import { startMesh } from '../../../support/daemon/mesh.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { requireProgram } from '../../../support/machine/find-program.ts';
import { freePort } from '../../../support/peers/loopback.ts';
import { startSshd } from '../../../support/peers/real-sshd.ts';
import { waitUntil, within } from '../../../support/wait-until.ts';

const HOPS = 9;
const PLAN = { seed: 9, bytes: 50_000_000 };
const BACK = { seed: 10, bytes: 50_000_000 };

/** As in OpenSSH's regress/forwarding.sh, every hop is the same sshd. */
const possible = has('sshd') && has('ssh-keygen');

it.skipIf(!possible)('carries 50 MB each way over nine jump hosts unaltered', async () => {
  await using sshd = await startSshd();
  await using bulk = await startBulkServer(PLAN);
  const here = {
    address: '127.0.0.1',
    port: sshd.port,
    user: sshd.user,
    known_hosts: sshd.knownHostsFile,
    sessions: 1,
  };
  const hosts = Array.from({ length: HOPS }, (_, hop) => [
    `hop${hop + 1}`,
    { ...here, ...(hop === 0 ? {} : { jump: `hop${hop}` }) },
  ]);
  await using mesh = await startMesh({
    sshd,
    host: { jump: `hop${HOPS}`, sessions: 1 },
    hosts: Object.fromEntries(hosts),
    tunnels: { bulk: { target: bulk.port } },
  });
  await mesh.waitForTunnel('up', 'bulk', 30_000);
  const [received, sent] = await Promise.all([exchangeBulk(mesh.port('bulk'), BACK), bulk.received()]);
  expect(received).toEqual({ ...bulkDigest(PLAN), end: 'fin' });
  expect(sent).toEqual({ ...bulkDigest(BACK), end: 'fin' });
  expect((await mesh.daemon.status()).links).toHaveLength(HOPS + 1);
  const { code } = await mesh.daemon.stop();
  expect(code).toBe(0);
  await waitUntil('sshd has no session left', () => sshd.sessionPids().length === 0);
});

it.skipIf(!possible)('carries 50 MB each way over nine nested tunnels unaltered', async () => {
  await using sshd = await startSshd();
  await using bulk = await startBulkServer(PLAN);
  const ports = await Promise.all(Array.from({ length: HOPS }, () => freePort()));
  const known = `${sshd.directory}/known_hosts_hops`;
  const lines = readFileSync(sshd.knownHostsFile, 'utf8');
  writeFileSync(known, [sshd.port, ...ports].map((port) => lines.replaceAll(`:${sshd.port} `, `:${port} `)).join(''));
  const hosts = ports.map((port, hop) => [
    `hop${hop + 1}`,
    { address: '127.0.0.1', port, user: sshd.user, known_hosts: known, sessions: 1 },
  ]);
  const tunnels = ports.map((listen, hop) => [
    `tunnel${hop}`,
    { ...(hop === 0 ? {} : { host: `hop${hop}` }), listen, target: sshd.port },
  ]);
  await using mesh = await startMesh({
    sshd,
    host: { sessions: 1, known_hosts: known },
    hosts: Object.fromEntries(hosts),
    tunnels: { ...Object.fromEntries(tunnels), bulk: { host: `hop${HOPS}`, target: bulk.port } },
  });
  await mesh.waitForTunnel('up', 'bulk', 30_000);
  const [received, sent] = await Promise.all([exchangeBulk(mesh.port('bulk'), BACK), bulk.received()]);
  expect(received).toEqual({ ...bulkDigest(PLAN), end: 'fin' });
  expect(sent).toEqual({ ...bulkDigest(BACK), end: 'fin' });
});

it.skipIf(!possible || !has('ssh'))(
  'carries a login and a 50 MB copy through a chain of nine local and remote forwards',
  async () => {
    await using sshd = await startSshd();
    const ports = await Promise.all(Array.from({ length: HOPS }, () => freePort()));
    // Each forward leads to the previous one, the first to sshd. Every second one listens on the far side (this machine).
    const tunnels = ports.map((port, hop) => [
      `hop${hop + 1}`,
      {
        direction: hop % 2 === 0 ? 'local' : 'remote',
        listen: `127.0.0.1:${port}`,
        target: hop === 0 ? sshd.port : (ports[hop - 1] ?? 0),
      },
    ]);
    await using mesh = await startMesh({ sshd, tunnels: Object.fromEntries(tunnels) });
    for (const [name] of tunnels) await mesh.waitForTunnel('up', String(name), 30_000);

    const sent = Buffer.concat([...bulkBytes(PLAN)]);
    const options = ['StrictHostKeyChecking=yes', `UserKnownHostsFile=${sshd.knownHostsFile}`, 'IdentitiesOnly=yes'];
    const login = [
      ...[...options, `HostKeyAlias=[127.0.0.1]:${sshd.port}`, 'BatchMode=yes', 'ConnectTimeout=10'].flatMap((o) => [
        '-o',
        o,
      ]),
      ...['-F', 'none', '-i', sshd.clientKeyFile, '-p', String(ports[HOPS - 1]), `${sshd.user}@127.0.0.1`],
    ];
    const copy = spawn(requireProgram('ssh'), [...login, 'cat'], { stdio: ['pipe', 'pipe', 'pipe'] });
    const hash = createHash('sha256');
    let bytes = 0;
    let complaint = '';
    copy.stderr.on('data', (chunk: Buffer) => {
      complaint += String(chunk);
    });
    copy.stdout.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      hash.update(chunk);
    });
    copy.stdin.end(sent);
    const [code] = await within('the copy ends', once(copy, 'close'), 90_000);
    expect({ code, complaint, bytes }).toEqual({ code: 0, complaint: '', bytes: PLAN.bytes });
    expect(hash.digest('hex')).toBe(bulkDigest(PLAN).sha256);
  },
);
