import { spawnSync } from 'node:child_process';

/** Whether a private mount namespace is possible. Tries one, which ends with the process. */
export function canMount(): boolean {
  const mount = ['--mount', '--propagation', 'private', 'mount', '-t', 'tmpfs', 'none', '/mnt'];
  return spawnSync('unshare', mount, { stdio: 'ignore' }).status === 0;
}
