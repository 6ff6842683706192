import { requireProgram } from '../machine/find-program.ts';
import { type OwnedProcess, spawnOwned } from '../machine/owned-process.ts';

/**
 * A process of its own, with a name and perhaps a user, that has a connection to a loopback port and keeps it, silent, until
 * it is ended.
 */
export function startNamedClient(port: number, name: string, uid?: number): OwnedProcess {
  const script = 'exec 3<>"/dev/tcp/127.0.0.1/$1"; printf %s "$2" >/proc/$$/comm; read -r <&3';
  const as = uid === undefined ? [] : ['--reuid', String(uid), '--clear-groups'];
  return spawnOwned(requireProgram('setpriv'), [...as, '--', 'bash', '-c', script, 'bash', String(port), name]);
}
