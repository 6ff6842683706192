import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Daemon, startDaemon } from '../../../tests/support/daemon/daemon.ts';
import { writeFleetConfig } from '../../../tests/support/fakes/fleet-config.ts';
import { findProgram } from '../../../tests/support/machine/find-program.ts';
import { tempDir } from '../../../tests/support/machine/temp-dir.ts';
import { startEmbeddedSshd } from '../../../tests/support/peers/embedded-sshd.ts';
import { freePort } from '../../../tests/support/peers/loopback.ts';
import { startSshd } from '../../../tests/support/peers/real-sshd.ts';
import type { DemoPorts } from '../ports.ts';
import { print, say } from '../say.ts';
import { Started } from '../started.ts';
import { type Hub, startHub } from './hub.ts';
import { WAVE_PLAN } from './wave-plan.ts';

export const TUNNEL = 'fleet-state-hub-coulombcore';
export const STEP = '2.4';
export const GATE = 'state-hub-cutover';
/** `drain.successor.hold`: the longest time that a client waits. */
export const HOLD_MS = 2_000;
/** Seconds instead of days. Longer than the start takes, so that the first verdict has an observation gap. */
const QUIET = '6s';

/** The State Hub behind its tunnel, and its future successor. */
export interface DrainFleet extends AsyncDisposable {
  /** The directory of YAML, plan and state. */
  readonly directory: string;
  readonly configFile: string;
  readonly daemon: Daemon;
  /** The local port of the tunnel. */
  readonly port: number;
  /** Starts the successor. */
  startSuccessor(): Promise<Hub>;
  /** Writes `drain.rollback` into the YAML; returns its text. */
  writeRollback(): string;
}

/** Starts everything and waits until the tunnel is up. After a failure, stops everything again. */
export async function startDrainFleet(ports: DemoPorts, interrupted: AbortSignal): Promise<DrainFleet> {
  const started = new Started();
  try {
    return await start(ports, started, interrupted);
  } catch (error) {
    await started[Symbol.asyncDispose]();
    throw error;
  }
}

async function start(ports: DemoPorts, started: Started, interrupted: AbortSignal): Promise<DrainFleet> {
  const directory = started.use(tempDir('demo')).path;
  say('Starting "coulombcore", the State Hub on it, and the daemon of railiance01');
  const hub = started.use(await startHub('coulombcore'));
  const real = findProgram('sshd') !== undefined;
  if (!real) print('   NO sshd ON THIS MACHINE: the demo uses an SSH server of ssh2 instead');
  const sshd = started.use(await (real ? startSshd() : startEmbeddedSshd()));
  interrupted.throwIfAborted();
  const successorPort = await freePort();
  const write = (rollback?: string) =>
    writeFleetConfig(directory, {
      endpointPort: ports.endpoint,
      host: { port: sshd.port, user: sshd.user, known_hosts: sshd.knownHostsFile },
      actor: { key: sshd.clientKeyFile },
      extra: { plan: 'drain-plan.yaml' },
      tunnels: {
        [TUNNEL]: {
          listen: `127.0.0.1:${ports.stateHub}`,
          target: `127.0.0.1:${hub.port}`,
          production: true,
          probe: HEALTH,
          drain: drainSection(successorPort, rollback),
        },
      },
    });
  writeFileSync(join(directory, 'drain-plan.yaml'), WAVE_PLAN);
  const configFile = write();
  print(
    `   State Hub 127.0.0.1:${hub.port}; its tunnel 127.0.0.1:${ports.stateHub}; its successor will be 127.0.0.1:${successorPort}`,
  );
  print(
    `   Shortened for the demo: quiet_for ${QUIET}, healthy_for 2s, hold 2s, verify_for 3s (defaults: 24h, 1h, 5s, 30s)`,
  );
  print(`   export FLEET_MESH_CONFIG=${configFile}`);
  const daemon = started.use(startDaemon({ configFile, endpointPort: ports.endpoint }));
  await daemon.waitFor((status) => {
    interrupted.throwIfAborted();
    return status.state === 'up';
  }, 30_000);
  return {
    directory,
    configFile,
    daemon,
    port: ports.stateHub,
    startSuccessor: async () => started.use(await startHub('railiance01', successorPort)),
    writeRollback: () => {
      const rollback = 'systemctl --user start fleet-state-hub-coulombcore.service (the old ssh unit)';
      write(rollback);
      return rollback;
    },
    [Symbol.asyncDispose]: () => started[Symbol.asyncDispose](),
  };
}

const HEALTH = { http: { path: '/state/health', status: 200, json: { status: 'ok' } }, every: '1s', timeout: '1s' };

function drainSection(successorPort: number, rollback: string | undefined) {
  return {
    step: STEP,
    quiet_for: QUIET,
    ...(rollback !== undefined && { rollback }),
    successor: {
      target: `127.0.0.1:${successorPort}`,
      probe: HEALTH,
      healthy_for: '2s',
      compare: [{ path: '/state/summary', fields: ['workstreams', 'tasks', 'progress_events'] }],
      hold: `${HOLD_MS}ms`,
      verify_for: '3s',
    },
  };
}
