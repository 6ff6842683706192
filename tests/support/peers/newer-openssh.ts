import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { has, missing } from '../machine/capabilities.ts';
import type { SshdOptions } from './real-sshd.ts';

/** What `scripts/fetch-openssh` left: a root directory for chroot(8). */
const CACHE = '.cache/openssh-10';

/** The mounts end with the program. */
const ENTER = [
  'mount --rbind /dev "$0/dev"',
  'mount -t proc proc "$0/proc"',
  'mount -t tmpfs none "$0/tmp"',
  'mkdir -p "$0$1"',
  'mount --bind "$1" "$0$1"',
  'shift',
  'exec chroot "$0" "$@"',
].join(' && ');

/** The options of `startSshd` for OpenSSH 10. Undefined and reported if there is none. */
export function newerOpenssh(...extraConfig: readonly string[]): SshdOptions | undefined {
  if (!has('mount')) return undefined;
  const root = resolve(CACHE);
  const wrapper = (directory: string) => inside(root, directory);
  const [unshare = '', ...args] = [...wrapper('/tmp'), '/usr/sbin/sshd', '-V'];
  if (!existsSync(`${root}/usr/sbin/sshd`)) {
    missing('OpenSSH 10', 'run scripts/fetch-openssh; it needs apt and a mirror of Debian');
    return undefined;
  }
  const { status, stderr } = spawnSync(unshare, args, { encoding: 'utf8' });
  if (status !== 0) {
    missing('OpenSSH 10', `${root} does not run: ${stderr.trim()}`);
    return undefined;
  }
  // The directory has no modules of PAM, and tests fail logins on purpose.
  return { wrapper, extraConfig: ['UsePAM no', 'PerSourcePenalties no', ...extraConfig] };
}

function inside(root: string, directory: string): string[] {
  return ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', ENTER, root, directory];
}
