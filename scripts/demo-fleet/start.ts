import { type Daemon, runCli, startDaemon } from '../../tests/support/daemon.ts';
import { startEmbeddedSshd } from '../../tests/support/embedded-sshd.ts';
import { findProgram } from '../../tests/support/find-program.ts';
import { writeFleetConfig } from '../../tests/support/fleet-config.ts';
import { startSshd } from '../../tests/support/real-sshd.ts';
import { type StandIn, startIssueCore, startStateHub } from '../../tests/support/stand-ins.ts';
import { tempDir } from '../../tests/support/temp-dir.ts';
import { print, say } from './say.ts';

/** Those of the real railiance01: what is tried here is what will be typed there. */
export const DEMO_PORTS = { stateHub: 18_000, issueCore: 18_765, endpoint: 9_780 } as const;

/** What the demo needs of "coulombcore", whichever server plays it. */
interface Coulombcore extends AsyncDisposable {
  readonly port: number;
  readonly user: string;
  readonly knownHostsFile: string;
  readonly clientKeyFile: string;
  /** Cuts every SSH session; says what it did. */
  readonly killSessions: () => string;
  /** The same for a person's shell, as long as these sessions live; undefined where there is no such thing. */
  readonly killCommand: () => string | undefined;
  log(): string;
}

export interface DemoFleet extends AsyncDisposable {
  readonly coulombcore: Coulombcore;
  readonly stateHub: StandIn;
  readonly issueCore: StandIn;
  readonly configFile: string;
  readonly daemon: Daemon;
  /** What `fleet-mesh status` prints now. */
  table(): Promise<string>;
}

/** Starts everything and waits until both tunnels are up. What was started before a failure is ended again. */
export async function startDemoFleet(interrupted: AbortSignal): Promise<DemoFleet> {
  const started = new Started();
  try {
    return await start(started, interrupted);
  } catch (error) {
    await started.disposeAll();
    throw error;
  }
}

async function start(started: Started, interrupted: AbortSignal): Promise<DemoFleet> {
  const temp = started.use(tempDir('demo'));

  say('Starting the stand-ins: State Hub and issue-core');
  const stateHub = started.use(await startStateHub());
  const issueCore = started.use(await startIssueCore());
  print(`   State Hub 127.0.0.1:${stateHub.port}, issue-core 127.0.0.1:${issueCore.port}`);
  interrupted.throwIfAborted();

  say('Starting "coulombcore"');
  const coulombcore = started.use(await startCoulombcore());
  interrupted.throwIfAborted();

  const http = (path: string) => ({ http: { path, status: 200, json: { status: 'ok' } }, every: '2s', timeout: '1s' });
  const configFile = writeFleetConfig(temp.path, {
    endpointPort: DEMO_PORTS.endpoint,
    host: { port: coulombcore.port, user: coulombcore.user, known_hosts: coulombcore.knownHostsFile },
    actor: { key: coulombcore.clientKeyFile },
    tunnels: {
      'fleet-state-hub-coulombcore': {
        listen: `127.0.0.1:${DEMO_PORTS.stateHub}`,
        target: `127.0.0.1:${stateHub.port}`,
        production: true,
        probe: http('/state/health'),
      },
      'fleet-issue-core-coulombcore': {
        listen: `127.0.0.1:${DEMO_PORTS.issueCore}`,
        target: `127.0.0.1:${issueCore.port}`,
        production: true,
        probe: http('/healthz'),
      },
    },
  });

  say('Starting the daemon and waiting for both tunnels');
  print(`   node dist/cli.js run --config ${configFile}`);
  const daemon = started.use(startDaemon({ configFile, endpointPort: DEMO_PORTS.endpoint }));
  const bothUp = daemon.waitFor((status) => {
    interrupted.throwIfAborted();
    return status.tunnels.length === 2 && status.tunnels.every(({ state }) => state === 'up');
  }, 30_000);
  await bothUp.catch((error: unknown) => {
    // The other end often knows better: sshd tells the client nothing about why it refuses a login.
    throw new Error(`${error instanceof Error ? error.message : error}\nlog of coulombcore:\n${coulombcore.log()}`);
  });

  return {
    coulombcore,
    stateHub,
    issueCore,
    configFile,
    daemon,
    table: async () => {
      const { stdout, stderr } = await runCli(['status', '--endpoint', `127.0.0.1:${DEMO_PORTS.endpoint}`]);
      return stdout === '' ? stderr : stdout;
    },
    [Symbol.asyncDispose]: () => started.disposeAll(),
  };
}

/** What runs, ended in reverse order. (Node 20 has no AsyncDisposableStack.) */
class Started {
  readonly #resources: (Disposable | AsyncDisposable)[] = [];

  use<T extends Disposable | AsyncDisposable>(resource: T): T {
    this.#resources.push(resource);
    return resource;
  }

  async disposeAll(): Promise<void> {
    for (let last = this.#resources.pop(); last !== undefined; last = this.#resources.pop()) {
      if (Symbol.asyncDispose in last) await last[Symbol.asyncDispose]();
      else last[Symbol.dispose]();
    }
  }
}

async function startCoulombcore(): Promise<Coulombcore> {
  if (findProgram('sshd') !== undefined && findProgram('ssh-keygen') !== undefined) {
    const sshd = await startSshd();
    print(`   a real sshd (${findProgram('sshd')}) on 127.0.0.1:${sshd.port}, own host key, user ${sshd.user}`);
    const killSessions = () => {
      const pids = sshd.sessionPids();
      sshd.killSessions('SIGKILL');
      return `kill -9 ${pids.join(' ')} (the sshd processes of its SSH sessions)`;
    };
    return { ...sshd, killSessions, killCommand: () => `kill -9 ${sshd.sessionPids().join(' ')}` };
  }
  const embedded = await startEmbeddedSshd();
  print(`   NO sshd ON THIS MACHINE: an SSH server embedded through ssh2 stands in, on 127.0.0.1:${embedded.port}`);
  const killSessions = () => `cut ${embedded.killSessions('rst')} SSH sessions of the embedded server`;
  return { ...embedded, killSessions, killCommand: () => undefined, log: () => '(the embedded server keeps none)' };
}
