import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { canMount } from '../machine/can-mount.ts';
import { missing } from '../machine/capabilities.ts';

/** What `scripts/fetch-openssh` left. */
const CACHE = '.cache/openssh-10';

/** Lines for an sshd that runs in its own root directory: no PAM modules are there, and tests fail logins on purpose. */
export const UNPACKED = ['UsePAM no', 'PerSourcePenalties no'] as const;

/** A root directory with OpenSSH 10, for `startSshd`. Undefined and reported if missing. */
export function findNewerOpenssh(): string | undefined {
  if (process.getuid?.() !== 0 || !canMount()) {
    missing('OpenSSH 10', 'run as root with CAP_SYS_ADMIN');
    return undefined;
  }
  const root = resolve(CACHE);
  if (
    existsSync(`${root}/usr/sbin/sshd`) &&
    spawnSync(...shell(insideRoot(root, undefined, '/usr/sbin/sshd', '-V'))).status === 0
  )
    return root;
  missing('OpenSSH 10', 'run scripts/fetch-openssh; it needs apt and a Debian mirror');
  return undefined;
}

const MOUNTS = [
  'mount --rbind /dev "$0/dev"',
  'mount -t proc proc "$0/proc"',
  'mount -t tmpfs none "$0/tmp"',
  'if [ -n "$1" ]; then mkdir -p "$0$1" && mount --bind "$1" "$0$1"; fi',
  'shift',
  'exec chroot "$0" "$@"',
].join(' && ');

/** The command line that runs a program of the root directory, which sees `directory` as well. Its mounts end with it. */
export function insideRoot(root: string, directory: string | undefined, ...command: readonly string[]): string[] {
  return ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', MOUNTS, root, directory ?? '', ...command];
}

function shell([file = '', ...args]: readonly string[]): [string, string[]] {
  return [file, args];
}
