import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { httpGet } from '../../support/clients/http-get.ts';
import { watchLoop } from '../../support/daemon/loop-watch.ts';
import { hasSessions, startMesh } from '../../support/daemon/mesh.ts';
import { has } from '../../support/machine/capabilities.ts';
import { spawnOwned } from '../../support/machine/owned-process.ts';
import { startSshd } from '../../support/peers/real-sshd.ts';
import { waitUntil } from '../../support/wait-until.ts';

const LOAD = fileURLToPath(new URL('../../support/clients/bulk-load.mjs', import.meta.url));
/** Requests of each page; more by hand. */
const { FLEET_MESH_ASKS = '40' } = process.env;
const ASKS = Number(FLEET_MESH_ASKS);
const EVERY_MS = 50;
const BOUND_MS = 50;

/** The times of the answers by the clock, sorted, in milliseconds. One request at a time: a busy machine must not make a queue. */
async function ask(url: string): Promise<number[]> {
  const times: number[] = [];
  while (times.length < ASKS) {
    const from = performance.now();
    const { status } = await httpGet(url, { timeoutMs: 20_000 });
    expect(status).toBe(200);
    times.push(performance.now() - from);
    await pause(Math.max(0, from + EVERY_MS - performance.now()));
  }
  return times.sort((a, b) => a - b);
}

function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.ceil(q * sorted.length) - 1] ?? Number.NaN;
}

it.skipIf(!has('sshd'))(
  'answers /status and /metrics at once while tunnels carry all they can, both ways',
  async () => {
    await using sshd = await startSshd();
    await using load = spawnOwned(process.execPath, [LOAD], { stdio: ['pipe', 'pipe', 'inherit'] });
    const target = await waitUntil('the load has a target', () => Number(load.stdout().trim()) || undefined);
    const loop = await watchLoop(sshd.directory);
    const tunnels = Object.fromEntries(
      Array.from({ length: 10 }, (_, index) => [`bulk-${index}`, { target, probe: { tcp: {} } }]),
    );
    await using mesh = await startMesh({ sshd, tunnels, env: loop.env });
    await mesh.waitFor(hasSessions(2));
    for (const name of ['bulk-0', 'bulk-1', 'bulk-2', 'bulk-3']) load.child.stdin?.write(`${mesh.port(name)}\n`);
    await waitUntil('the load runs', async () => (await mesh.metric('tunnel_bytes_total')) > 20e6);

    const carriedBefore = await mesh.metric('tunnel_bytes_total');
    await loop.figures(mesh.daemon.pid);
    const from = performance.now();
    const pages = ['/status', '/metrics'];
    const answers = await Promise.all(
      pages.map((page) => ask(`http://127.0.0.1:${mesh.endpointPort}${page}`)),
    );
    const seconds = (performance.now() - from) / 1_000;
    const { longestMs, answersMs } = await loop.figures(mesh.daemon.pid);
    const carried = (await mesh.metric('tunnel_bytes_total')) - carriedBefore;
    load.child.kill('SIGTERM');
    await once(load.child, 'exit');

    const worked = quantile(answersMs, 0.99);
  const clock = answers.map((sorted, index) => `${pages[index]} p99 ${quantile(sorted, 0.99).toFixed(0)} ms`);
  process.stderr.write(
    `${2 * ASKS} answers under ${(carried / 1e6 / seconds).toFixed(0)} MB/s: ${clock.join(', ')} by the clock; ` +
      `p99 ${worked.toFixed(1)} ms of work, longest other work ${longestMs.toFixed(1)} ms\n`,
  );
  expect(answersMs.length).toBeGreaterThanOrEqual(2 * ASKS);
  // A request waits for the work that runs, and then for its answer. The clock counts the rest of a busy machine too.
  expect(longestMs + worked).toBeLessThan(BOUND_MS);
  expect(carried).toBeGreaterThan(20e6);
    },
);
