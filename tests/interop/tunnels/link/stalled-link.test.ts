import { readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Cleanup } from '../../../support/cleanup.ts';
import { bulkDigest, exchangeBulk, startBulkServer } from '../../../support/clients/bulk.ts';
import { startMesh } from '../../../support/daemon/mesh.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { FaultProxy } from '../../../support/peers/fault-proxy.ts';
import { startSshd } from '../../../support/peers/real-sshd.ts';
import { waitUntil } from '../../../support/wait-until.ts';

const CHANNELS = 50;
const MIB = 1024 * 1024;

/** Resident memory of a process in MiB (proc(5), status). */
function residentMib(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
}

/** Sends as fast as the link allows. */
function startFlood(port: number): Socket {
  const chunk = Buffer.alloc(256 * 1024, 7);
  // The sink ends its side at once: a socket that is not half-open would end with it.
  const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
  socket.on('error', ({ message }) => process.stderr.write(`a flood failed: ${message}\n`));
  const push = () => {
    while (!socket.destroyed && socket.write(chunk)) {}
  };
  socket.on('connect', push).on('drain', push);
  return socket;
}

describe.skipIf(!has('sshd') || !has('ssh-keygen') || !has('procfs'))('a link that stalls', () => {
  let cleanup: Cleanup;
  beforeEach(() => {
    cleanup = new Cleanup();
  });
  afterEach(() => cleanup[Symbol.asyncDispose]());

  const start = async (target: number) => {
    const sshd = cleanup.use(await startSshd());
    const proxy = cleanup.use(await FaultProxy.start(sshd.port));
    const known = `${sshd.directory}/known_hosts_proxy`;
    writeFileSync(known, readFileSync(sshd.knownHostsFile, 'utf8').replaceAll(`:${sshd.port} `, `:${proxy.port} `));
    const mesh = cleanup.use(
      await startMesh({
        sshd,
        host: { port: proxy.port, known_hosts: known, sessions: 1, keepalive: { every: '60s' } },
        tunnels: { bulk: { target } },
      }),
    );
    await mesh.waitForTunnel('up');
    return { proxy, mesh };
  };

  it(`slows ${CHANNELS} clients of a stalled link down in bounded memory, and lets them continue`, async () => {
    const sink = cleanup.use(await startBulkServer());
    const { proxy, mesh } = await start(sink.port);
    const { pid } = mesh.daemon;
    const floods = Array.from({ length: CHANNELS }, () => startFlood(mesh.port('bulk')));
    await mesh.waitFor(({ tunnels }) => tunnels[0]?.usage.open === CHANNELS);
    await waitUntil('data flows', () => proxy.passed['to-server'] > 50 * MIB);
    const before = residentMib(pid);
    proxy.pause();
    let peak = before;
    let received = -1;
    // Stalled once no client could send a byte for a second.
    await waitUntil(
      'the clients are slowed down',
      async () => {
        peak = Math.max(peak, residentMib(pid));
        const now = (await mesh.daemon.status()).tunnels[0]?.usage.bytes_to_target ?? 0;
        await new Promise((resolve) => setTimeout(resolve, 1_000));
        const quiet = now === received;
        received = now;
        return quiet;
      },
      20_000,
    );
    process.stderr.write(`stalled link: ${before.toFixed(0)} MiB -> ${peak.toFixed(0)} MiB\n`);
    expect(peak - before).toBeLessThan(60);
    const passed = proxy.passed['to-server'];
    proxy.resume();
    await waitUntil('data flows again', () => proxy.passed['to-server'] > passed + 50 * MIB, 10_000);
    for (const socket of floods) socket.destroy();
  });

  it('delivers every byte unaltered over a link that stalls', async () => {
    const plan = { seed: 3, bytes: 60_000_000 };
    const sink = cleanup.use(await startBulkServer());
    const { proxy, mesh } = await start(sink.port);
    const sent = Array.from({ length: 4 }, () => exchangeBulk(mesh.port('bulk'), plan));
    const received = Array.from({ length: 4 }, () => sink.received());
    for (const mib of [20, 60, 120]) {
      await waitUntil('so much has passed', () => proxy.passed['to-server'] > mib * MIB, 10_000);
      proxy.pause();
      await mesh.daemon.status();
      proxy.resume();
    }
    await Promise.all(sent);
    for (const result of received) expect(await result).toEqual({ ...bulkDigest(plan), end: 'fin' });
  });
});
