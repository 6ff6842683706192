import { join } from 'node:path';
import { type Daemon, startDaemon } from '../../tests/support/daemon/daemon.ts';
import { writeFleetConfig } from '../../tests/support/fakes/fleet-config.ts';
import { tempDir } from '../../tests/support/machine/temp-dir.ts';
import { type StandIn, startIssueCore, startStateHub } from '../../tests/support/peers/stand-ins.ts';
import { type Coulombcore, type Pace, startCoulombcore } from './coulombcore.ts';
import type { DemoPorts } from './ports.ts';
import { print, say } from './say.ts';
import { servingOf } from './serving.ts';
import { Started } from './started.ts';

export interface DemoOptions extends Pace {
  readonly ports: DemoPorts;
}

export interface DemoFleet extends AsyncDisposable {
  readonly options: DemoOptions;
  readonly coulombcore: Coulombcore;
  readonly stateHub: StandIn;
  readonly issueCore: StandIn;
  readonly configFile: string;
  readonly daemon: Daemon;
  /** The present output of `fleet-mesh status`. */
  table(): Promise<string>;
}

/** Starts everything and waits until both tunnels serve. After a failure, stops everything again. */
export async function startDemoFleet(options: DemoOptions, interrupted: AbortSignal): Promise<DemoFleet> {
  const started = new Started();
  try {
    return await start(options, started, interrupted);
  } catch (error) {
    await started[Symbol.asyncDispose]();
    throw error;
  }
}

async function start(options: DemoOptions, started: Started, interrupted: AbortSignal): Promise<DemoFleet> {
  const { ports } = options;
  const temp = started.use(tempDir('demo'));

  say('Starting the test servers: State Hub and issue-core');
  const stateHub = started.use(await startStateHub());
  const issueCore = started.use(await startIssueCore());
  print(`   State Hub 127.0.0.1:${stateHub.port}, issue-core 127.0.0.1:${issueCore.port}`);
  interrupted.throwIfAborted();

  say('Starting "coulombcore"');
  const coulombcore = started.use(await startCoulombcore(options));
  interrupted.throwIfAborted();

  const http = (path: string) => ({ http: { path, status: 200, json: { status: 'ok' } }, every: '2s', timeout: '1s' });
  const configFile = writeFleetConfig(temp.path, {
    endpointPort: ports.endpoint,
    host: { port: coulombcore.port, user: coulombcore.user, known_hosts: coulombcore.knownHostsFile },
    actor: coulombcore.actor,
    extra: { state_dir: join(temp.path, 'state') },
    tunnels: {
      'fleet-state-hub-coulombcore': {
        listen: `127.0.0.1:${ports.stateHub}`,
        target: `127.0.0.1:${stateHub.port}`,
        production: true,
        probe: http('/state/health'),
      },
      'fleet-issue-core-coulombcore': {
        listen: `127.0.0.1:${ports.issueCore}`,
        target: `127.0.0.1:${issueCore.port}`,
        production: true,
        probe: http('/healthz'),
      },
    },
  });

  say('Starting the daemon and waiting for both tunnels');
  print(`   node dist/cli.js run --config ${configFile}`);
  const daemon = started.use(startDaemon({ configFile, endpointPort: ports.endpoint }));
  // A static key as fallback degrades a tunnel, which still serves.
  const carrying = coulombcore.ca === undefined ? 'up' : 'degraded';
  const bothCarry = daemon.waitFor((status) => {
    interrupted.throwIfAborted();
    const probed = status.tunnels.filter(({ state, probe }) => state === carrying && probe?.state === 'passing');
    return servingOf(status) !== undefined && probed.length === 2;
  }, 30_000);
  await bothCarry.catch((error: unknown) => {
    // Only the log of sshd has the reason of a rejected login.
    throw new Error(`${error instanceof Error ? error.message : error}\nlog of coulombcore:\n${coulombcore.log()}`);
  });

  return {
    options,
    coulombcore,
    stateHub,
    issueCore,
    configFile,
    daemon,
    table: async () => (await daemon.get('/status?format=text')).body,
    [Symbol.asyncDispose]: () => started[Symbol.asyncDispose](),
  };
}
