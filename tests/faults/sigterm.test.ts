import { connect, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { pythonClient } from '../support/clients/python-client.ts';
import { has } from '../support/machine/capabilities.ts';
import { descendantsOf } from '../support/machine/proc.ts';
import { patient } from '../support/patience.ts';
import { waitUntil, within } from '../support/wait-until.ts';
import { startSlowBanner } from './false-sshd.ts';
import { signalSession } from './link-rows.ts';
import { shows } from './row.ts';
import { type Stage, startStage } from './stage.ts';

interface State {
  readonly state: string;
  /** Brings the daemon there, from up and at rest. */
  reach(stage: Stage, use: (resource: AsyncDisposable) => void): Promise<void>;
  /** Connections open or held at that moment: they get stop_grace. */
  readonly withClients?: true;
}

const GRACE_MS = 500;

function clients({ mesh }: Stage, count: number): Socket[] {
  return Array.from({ length: count }, () =>
    connect({ host: '127.0.0.1', port: mesh.port('echo') })
      .on('error', () => {})
      .resume(),
  );
}

const STATES: readonly State[] = [
  { state: 'up and at rest', reach: async () => {} },
  {
    state: 'dialling a black hole',
    reach: async ({ proxy, mesh }) => {
      proxy.pause();
      await mesh.waitFor(shows({ link: 'connecting' }));
    },
  },
  {
    state: 'waiting for a banner',
    reach: async ({ proxy, mesh }, use) => {
      const loris = await startSlowBanner();
      use(loris);
      proxy.target = loris.port;
      proxy.reset();
      await waitUntil('it waits', () => loris.accepted() > 0);
      await mesh.waitFor(shows({ link: 'connecting' }));
    },
  },
  {
    state: 'backing off',
    reach: async ({ proxy, mesh }) => {
      await proxy.refuse(true);
      proxy.reset();
      await mesh.waitFor(shows({ link: 'backoff', linkCode: 'connect_refused' }));
    },
  },
  {
    state: 'blocked by a changed host key',
    reach: async ({ sshd, mesh }) => {
      await sshd.restart({ newHostKey: true });
      await mesh.waitFor(shows({ link: 'blocked' }));
    },
  },
  {
    state: 'up, with idle clients',
    withClients: true,
    reach: async (stage) => {
      clients(stage, 10);
      await stage.mesh.waitFor(({ tunnels }) => tunnels.some(({ usage }) => usage.open === 10));
    },
  },
  {
    state: 'holding clients',
    withClients: true,
    reach: async (stage) => {
      await stage.proxy.refuse(true);
      stage.proxy.reset();
      await stage.mesh.waitForTunnel('down', 'echo');
      clients(stage, 10);
      await stage.mesh.waitFor(({ tunnels }) => tunnels.some(({ usage }) => usage.held === 10));
    },
  },
  {
    state: 'up, with a frozen server',
    reach: async (stage) => {
      for (const session of [0, 1]) signalSession(stage, session, 'SIGSTOP');
    },
  },
  {
    state: 'in the middle of a reload',
    reach: async ({ mesh, tunnels }) => {
      await mesh.write({ tunnels, host: { keepalive: { every: '700ms', lost_after: 3 } } });
      for (let n = 0; n < 5; n += 1) mesh.daemon.signal('SIGHUP');
    },
  },
];

describe.skipIf(!has('sshd') || !has('python3'))('SIGTERM', () => {
  for (const { state, reach, withClients } of STATES) {
    it.concurrent(`${state}: it ends with 0, in time, and leaves nothing`, async () => {
      const resources: AsyncDisposable[] = [];
      await using stage = await startStage({ extra: { stop_grace: `${GRACE_MS}ms` } });
      const { daemon } = stage.mesh;
      await reach(stage, (resource) => resources.push(resource));
      const below = descendantsOf(daemon.pid);
      const from = performance.now();
      daemon.signal('SIGTERM');
      const exit = await within('the daemon ends', daemon.exit);
      const tookMs = performance.now() - from;
      process.stderr.write(`sigterm: ${state} | ended after ${Math.round(tookMs)} ms\n`);
      expect(exit).toEqual({ code: 0, signal: null });
      // One second for the disconnect from a silent peer, and slack for a busy machine.
      expect(tookMs).toBeLessThan(patient((withClients ? GRACE_MS : 0) + 3_000));
      expect(below).toEqual([]);
      const again = await pythonClient({ port: stage.mesh.port('echo'), timeoutMs: 10_000 });
      expect(again.end, 'the port is free').toBe('refused');
      for (const resource of resources) await resource[Symbol.asyncDispose]();
    });
  }

  it.concurrent('with traffic: a stream that finishes within the grace is whole, one that does not is reset', async () => {
    await using stage = await startStage({ extra: { stop_grace: '5s' } });
    const { mesh, source } = stage;
    const unfinished = pythonClient({ port: mesh.port('echo'), send: 'never ended', timeoutMs: 60_000 });
    const finished = pythonClient({ port: mesh.port('stream'), timeoutMs: 60_000 });
    await mesh.waitFor(({ tunnels }) => tunnels.every(({ usage }) => usage.open === 1));
    mesh.daemon.signal('SIGTERM');
    source.finish();
    expect(await finished).toMatchObject({ end: 'fin', ...(await source.sent) });
    expect(await unfinished).toMatchObject({ end: 'rst' });
    expect(await mesh.daemon.exit).toEqual({ code: 0, signal: null });
  });
});
