import { chmod, lstat, mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { TunnelError } from '../../base/errors.ts';

const DIRECTORY_MODE = 0o750;

/**
 * Creates a missing directory for the control socket (mode 0750; its parent must exist). Refuses a directory in which
 * another user could replace the socket: the owner must be this user or root, and a directory that others can write
 * must be sticky. Rejects with a TunnelError.
 */
export async function prepareDirectory(socketPath: string): Promise<void> {
  const path = dirname(socketPath);
  try {
    await mkdir(path, { mode: DIRECTORY_MODE });
    // The group needs access, whatever the umask.
    await chmod(path, DIRECTORY_MODE);
  } catch (error) {
    if (!(await exists(path))) throw unusable(path, `cannot be created (${codeOf(error)})`, error);
  }
  const found = await stat(path).catch((error: unknown) => {
    throw unusable(path, `cannot be read (${codeOf(error)})`, error);
  });
  if (!found.isDirectory()) throw unusable(path, 'is not a directory');
  const uid = process.geteuid?.();
  if (found.uid !== uid && found.uid !== 0) throw unusable(path, `belongs to another user (uid ${found.uid})`);
  const [othersMayWrite, sticky] = [(found.mode & 0o022) !== 0, (found.mode & 0o1000) !== 0];
  if (othersMayWrite && !sticky) throw unusable(path, 'is writable by other users, who could replace the socket');
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}

function unusable(path: string, why: string, cause?: unknown): TunnelError {
  return new TunnelError('internal', `the control socket cannot be in ${path}, which ${why}`, {
    cause,
    hint: 'Give the daemon a directory of its own: RuntimeDirectory=fleet-mesh in a systemd unit, or control.socket.',
  });
}
