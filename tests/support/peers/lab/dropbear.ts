import { execFileSync } from 'node:child_process';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { requireProgram } from '../../machine/find-program.ts';
import { type LabServer, labFiles, startLabServer } from './server.ts';

/** dropbear reads only ~/.ssh/authorized_keys: a private mount shows the server another ~/.ssh. */
const SCRIPT = `
set -e
mkdir -p "$1"
mount --bind "$2" "$1"
shift 2
exec dropbear "$@"
`;

/** A dropbear. Needs root, `mount` and `dropbearkey`. */
export async function startDropbear(options: readonly string[] = []): Promise<LabServer> {
  const files = labFiles('dropbear');
  const hostKeyFile = join(files.directory, 'dropbear_host_key');
  const made = execFileSync(requireProgram('dropbearkey'), ['-t', 'ed25519', '-f', hostKeyFile], { encoding: 'utf8' });
  const [publicKey = ''] = /^ssh-ed25519 \S+/m.exec(made) ?? [];
  const ssh = join(userInfo().homedir, '.ssh');
  const unshare = [requireProgram('unshare'), '--mount', '--propagation', 'private'] as const;
  return startLabServer(
    { ...files, hostKey: { ...files.hostKey, publicKey } },
    (port) => {
      const dropbear = ['-F', '-E', '-r', hostKeyFile, '-p', `127.0.0.1:${port}`, '-P', join(files.directory, 'pid')];
      return [...unshare, 'sh', '-c', SCRIPT, 'sh', ssh, files.directory, ...dropbear, ...options];
    },
    /Not backgrounding/,
  );
}
