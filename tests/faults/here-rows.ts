import { readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { echoOnce } from '../support/clients/steady-client.ts';
import { linkOf, tunnelOf } from '../support/daemon/mesh.ts';
import { settableClock } from '../support/machine/settable-clock.ts';
import { type LoopbackServer, listenLoopback } from '../support/peers/loopback.ts';
import { waitUntil } from '../support/wait-until.ts';
import type { FaultRow } from './row.ts';
import type { Stage } from './stage.ts';

const files = new WeakMap<Stage, string>();
const squatters = new WeakMap<Stage, LoopbackServer>();

const crowds = new WeakMap<Stage, Socket[]>();

const RELOAD_STORM = 50;
/** Longer than the keepalive of the stage allows. */
const STOPPED_MS = 4_000;
/** More descriptors than Node needs to load the program, fewer than the crowd of clients uses. */
const DESCRIPTORS = 400;

/** The difference between the daemon's clock and the real time. */
async function clockOffsetMs({ mesh }: Stage): Promise<number> {
  return new Date((await mesh.daemon.status()).now).getTime() - Date.now();
}

const CLOCK_FILE = 'clock-offset';

function clockJump(fault: string, offset: string, offsetMs: number): FaultRow {
  const file = ({ sshd }: Stage) => join(sshd.directory, CLOCK_FILE);
  const waitForOffset = (stage: Stage, wanted: number) =>
    waitUntil('the clock has jumped', async () => Math.abs((await clockOffsetMs(stage)) - wanted) < 60_000);
  return {
    fault,
    needs: ['faketime'],
    stage: {
      wrapper: (directory) => settableClock(join(directory, CLOCK_FILE)).wrapper,
    },
    inject: async (stage) => {
      writeFileSync(file(stage), `${offset}\n`);
      await waitForOffset(stage, offsetMs);
    },
    during: { link: 'up', tunnel: 'up', withinMs: 2_000 },
    heal: async (stage) => {
      writeFileSync(file(stage), '+0\n');
      await waitForOffset(stage, 0);
    },
    recoversWithinMs: 2_000,
    requests: 'are all served',
    stream: 'survives',
  };
}

const DAY_MS = 86_400_000;

/** Faults of this machine, its operator and the configuration file. */
export const HERE_ROWS: readonly FaultRow[] = [
  {
    fault: 'the file is broken at a reload',
    inject: (stage) => {
      files.set(stage, readFileSync(stage.mesh.configFile, 'utf8'));
      stage.mesh.writeRaw(`${files.get(stage)}  nonsense: [\n`);
      stage.mesh.daemon.signal('SIGHUP');
    },
    during: { link: 'up', tunnel: 'up', reloaded: false, withinMs: 3_000 },
    heal: async (stage) => {
      writeFileSync(stage.mesh.configFile, files.get(stage) ?? '');
      const { config } = await stage.mesh.reload();
      if (config.last_reload?.ok !== true) throw new Error(config.last_reload?.error ?? 'it was not reloaded');
    },
    recoversWithinMs: 2_000,
    requests: 'are all served',
    stream: 'survives',
  },
  {
    fault: `${RELOAD_STORM} fast reloads of a changing file`,
    inject: async ({ mesh, tunnels }) => {
      for (let n = 0; n < RELOAD_STORM; n += 1) {
        await mesh.write({ tunnels: { ...tunnels, echo: { ...tunnels.echo, note: `${n}` } } });
        mesh.daemon.signal('SIGHUP');
      }
    },
    during: { link: 'up', tunnel: 'up', reloaded: true, withinMs: 10_000 },
    whileBroken: async ({ mesh }) => {
      await mesh.waitFor((status) => tunnelOf(status, 'echo').note === `${RELOAD_STORM - 1}`, 15_000);
    },
    recoversWithinMs: 10_000,
    requests: 'are all served',
    stream: 'survives',
  },
  {
    fault: 'a local port is taken',
    inject: async (stage) => {
      const squatter = await listenLoopback((socket) => socket.destroy());
      squatters.set(stage, squatter);
      const late = { target: stage.echo.port, listen: squatter.port };
      await stage.mesh.write({ tunnels: { ...stage.tunnels, late } });
      stage.mesh.daemon.signal('SIGHUP');
    },
    during: { link: 'up', tunnel: 'up', reloaded: true, withinMs: 3_000 },
    whileBroken: async ({ mesh }) => {
      await mesh.waitForDown('listen_in_use', 'late');
    },
    heal: async (stage) => {
      await squatters.get(stage)?.stop();
      await stage.mesh.waitForTunnel('up', 'late', 8_000);
      await echoOnce(stage.mesh.port('late'));
      await stage.mesh.write({ tunnels: stage.tunnels });
      await stage.mesh.reload();
    },
    recoversWithinMs: 3_000,
    requests: 'are all served',
    stream: 'survives',
  },
  {
    fault: 'no file descriptor is left (EMFILE)',
    // From the start: the daemon reserves a part of the limit.
    stage: { wrapper: () => ['prlimit', `--nofile=${DESCRIPTORS}`] },
    inject: (stage) => {
      const crowd = Array.from({ length: DESCRIPTORS }, () =>
        connect({ host: '127.0.0.1', port: stage.mesh.port('echo') }),
      );
      crowds.set(stage, crowd);
      for (const socket of crowd) socket.on('error', () => {}).resume();
    },
    // The HTTP endpoint answers and the link stays up: both use reserved descriptors.
    during: { link: 'up', tunnel: 'up', withinMs: 2_000 },
    whileBroken: async (stage) => {
      const refused = () => crowds.get(stage)?.filter(({ closed }) => closed).length ?? 0;
      await waitUntil(
        'some are turned away',
        () => refused() > 10,
        3_000,
        () => `${refused()}`,
      );
      const { mesh } = stage;
      if ((await mesh.metric('accept_errors_total', { tunnel: 'echo' })) === 0) throw new Error('not counted');
      await waitUntil('the log says so', () => mesh.daemon.log().includes('tunnel.accept_failed'));
    },
    heal: (stage) => {
      for (const socket of crowds.get(stage) ?? []) socket.destroy();
    },
    recoversWithinMs: 5_000,
    requests: 'may fail',
    stream: 'survives',
  },
  {
    fault: 'the daemon stands still for longer than the silence that ends a session (SIGSTOP)',
    inject: async ({ mesh }) => {
      const before = linkOf(await mesh.daemon.status()).sessions.map(({ id }) => id);
      mesh.daemon.signal('SIGSTOP');
      await pause(STOPPED_MS);
      mesh.daemon.signal('SIGCONT');
      const after = linkOf(await mesh.daemon.status()).sessions.map(({ id }) => id);
      if (`${after}` !== `${before}`) throw new Error(`it had the sessions ${before}, and now has ${after}`);
    },
    during: { link: 'up', tunnel: 'up', withinMs: 2_000 },
    recoversWithinMs: 2_000,
    requests: 'are all served',
    stream: 'survives',
  },
  clockJump('the clock jumps a day ahead', '+1d', DAY_MS),
  clockJump('the clock jumps a day back', '-1d', -DAY_MS),
];
