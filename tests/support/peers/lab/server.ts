import { writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { generateKey, type KeyFile } from '../../certificates/keys.ts';
import { type OwnedProcess, spawnOwned } from '../../machine/owned-process.ts';
import { type TempDir, tempDir } from '../../machine/temp-dir.ts';
import { waitUntil } from '../../wait-until.ts';

/** An SSH server of any make on loopback, and a key that the server accepts. */
export interface LabServer extends AsyncDisposable {
  readonly port: number;
  readonly user: string;
  readonly directory: string;
  readonly knownHostsFile: string;
  readonly clientKeyFile: string;
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

/** Runs a server that prints its port on a line of its own, or listens on `port`. */
export async function startLabServer(
  files: LabFiles & Disposable,
  command: readonly [string, ...string[]],
  ready: (output: string) => number | undefined,
): Promise<LabServer> {
  const [program, ...args] = command;
  const server: OwnedProcess = spawnOwned(program, args);
  const stop = async () => {
    await server.stop('SIGKILL');
    files[Symbol.dispose]();
  };
  const output = () => server.stdout() + server.stderr();
  try {
    const port = await waitUntil(
      `${program} listens`,
      () => {
        if (server.child.exitCode !== null) throw new Error(`${program} ended at once\n${output()}`);
        return ready(output());
      },
      10_000,
      output,
    );
    const knownHostsFile = join(files.directory, 'known_hosts');
    writeFileSync(knownHostsFile, `[127.0.0.1]:${port} ${files.hostKey.publicKey}\n`);
    return {
      port,
      user: userInfo().username,
      directory: files.directory,
      knownHostsFile,
      clientKeyFile: files.clientKey.path,
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
