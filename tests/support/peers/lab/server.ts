import { writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { generateKey, type KeyFile } from '../../certificates/keys.ts';
import { type OwnedProcess, spawnOwned } from '../../machine/owned-process.ts';
import { type TempDir, tempDir } from '../../machine/temp-dir.ts';
import { waitUntil } from '../../wait-until.ts';
import { freePort } from '../loopback.ts';

/** An SSH server of any make on loopback, and a key that the server accepts. */
export interface LabServer extends AsyncDisposable {
  readonly port: number;
  readonly user: string;
  readonly directory: string;
  readonly knownHostsFile: string;
  readonly clientKeyFile: string;
  /** Kills the server with all sessions, and starts it on the same port. */
  restart(): Promise<void>;
}

/** The files that a server is started with. */
export interface LabFiles {
  readonly directory: string;
  readonly hostKey: KeyFile;
  readonly clientKey: KeyFile;
  readonly authorizedKeysFile: string;
}

export function labFiles(name: string): LabFiles & Disposable {
  const temp: TempDir = tempDir(name);
  const clientKey = generateKey(join(temp.path, 'client_key'));
  const authorizedKeysFile = join(temp.path, 'authorized_keys');
  writeFileSync(authorizedKeysFile, `${clientKey.publicKey}\n`, { mode: 0o600 });
  return {
    directory: temp.path,
    hostKey: generateKey(join(temp.path, 'host_key')),
    clientKey,
    authorizedKeysFile,
    [Symbol.dispose]: () => temp[Symbol.dispose](),
  };
}

/** Runs a server on a free port. Its output matches `ready` as soon as it listens. */
export async function startLabServer(
  files: LabFiles & Disposable,
  command: (port: number) => readonly [string, ...string[]],
  ready: RegExp,
): Promise<LabServer> {
  const port = await freePort();
  const [program, ...args] = command(port);
  let server: OwnedProcess | undefined;
  const kill = () => server?.stop('SIGKILL');
  const start = async () => {
    const started = spawnOwned(program, args);
    server = started;
    const output = () => started.stdout() + started.stderr();
    const listens = () => {
      if (started.child.exitCode !== null) throw new Error(`${program} ended at once\n${output()}`);
      return ready.test(output());
    };
    await waitUntil(`${program} listens`, listens, 10_000, output);
  };
  const stop = async () => {
    await kill();
    files[Symbol.dispose]();
  };
  try {
    await start();
  } catch (error) {
    await stop();
    throw error;
  }
  const knownHostsFile = join(files.directory, 'known_hosts');
  writeFileSync(knownHostsFile, `[127.0.0.1]:${port} ${files.hostKey.publicKey}\n`);
  return {
    port,
    user: userInfo().username,
    directory: files.directory,
    knownHostsFile,
    clientKeyFile: files.clientKey.path,
    restart: async () => {
      await kill();
      await start();
    },
    [Symbol.asyncDispose]: stop,
  };
}
