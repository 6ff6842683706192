import { runCli } from '../../tests/support/daemon/daemon.ts';
import { startMesh } from '../../tests/support/daemon/mesh.ts';
import { unitNodeOptions } from '../../tests/support/daemon/unit-node-options.ts';
import { residentBytes } from '../../tests/support/machine/daemon-holdings.ts';
import type { Sshd } from '../../tests/support/peers/real-sshd.ts';
import { startEcho } from '../../tests/support/peers/targets.ts';
import { cpuSeconds } from './loads.ts';
import { median } from './series.ts';

/** The figures of a daemon with many tunnels, each with a probe every ten seconds. */
export interface ScaleFigures {
  readonly upSeconds: number;
  readonly residentMegabytes: number;
  readonly metricsMs: number;
  readonly statusSeconds: number;
  /** CPU while nothing happens but probes, as a part of one core. */
  readonly idleCpu: number;
}

export async function measureScale(sshd: Sshd, tunnels: number, idleSeconds: number): Promise<ScaleFigures> {
  await using echo = await startEcho();
  // An object for each tunnel: the YAML of a shared one would use aliases.
  const probe = () => ({ tcp: {}, every: '10s', timeout: '5s' });
  const names = Array.from({ length: tunnels }, (_, number) => `tunnel-${number}`);
  await using mesh = await startMesh({
    sshd,
    tunnels: Object.fromEntries(names.map((name) => [name, { target: echo.port, probe: probe() }])),
    nodeOptions: unitNodeOptions(),
  });
  const up = await mesh.waitFor((status) => status.tunnels.every(({ state }) => state === 'up'), 120_000);
  const last = Math.max(...up.tunnels.map(({ since }) => since.getTime()));
  const upSeconds = (last - up.started_at.getTime()) / 1000;
  const { pid } = mesh.daemon;
  const metrics = await timed(9, () => mesh.daemon.get('/metrics', { accept: 'text/plain' }));
  const status = await timed(5, () => runCli(['status', '--endpoint', `127.0.0.1:${mesh.endpointPort}`]));
  const before = cpuSeconds(pid);
  await new Promise((resolve) => setTimeout(resolve, idleSeconds * 1000));
  const idleCpu = (cpuSeconds(pid) - before) / idleSeconds;
  return {
    upSeconds,
    residentMegabytes: residentBytes(pid) / 1e6,
    metricsMs: metrics,
    statusSeconds: status / 1000,
    idleCpu,
  };
}

/** The median time of the task, in milliseconds. */
async function timed(times: number, task: () => Promise<unknown>): Promise<number> {
  const took: number[] = [];
  for (let time = 0; time < times; time++) {
    const from = performance.now();
    await task();
    took.push(performance.now() - from);
  }
  return median(took);
}
