/** LoadCredential=key:DIRECTORY of the system unit: each FILE in the directory is the credential key_FILE. */
export const KEYS_OF_THE_UNIT = '/etc/fleet-mesh/keys';

/** Homes, which the system unit does not see (ProtectHome=). */
const HOME = /^\/(home|root)\//;

/** Whether the system unit does not see the file, for it is in a home. Pure. */
export function isInHome(path: string): boolean {
  return HOME.test(path);
}

/** The fix for a file that the daemon's user may not read. `kind`: a private file has another place than a public one. Pure. */
export function permissionHint(path: string, kind: 'key' | 'known_hosts'): string {
  const readable = `Make ${path} readable for the user of the daemon.`;
  return isInHome(path) ? `${readable} ${homeHint(path, kind)}` : readable;
}

/** How a file gets from a home to where the system unit reads it. Pure. */
export function homeHint(path: string, kind: 'key' | 'known_hosts'): string {
  const name = copyName(path);
  const [mode, copy, written] =
    kind === 'key'
      ? ['600', `${KEYS_OF_THE_UNIT}/${name}`, `key: credential:key_${name}`]
      : ['644', `/etc/fleet-mesh/${name}`, `known_hosts: /etc/fleet-mesh/${name}`];
  return `The system unit reads no home directory: run \`install -D -m ${mode} ${path} ${copy}\`, and write \`${written}\`.`;
}

/**
 * The name of the copy of a file in a home: ops-id for /home/ops/.ssh/id. Two users have files of one name, and so have two
 * directories of a user. Only characters that a credential name may have. Pure.
 */
function copyName(path: string): string {
  return path
    .replace(/^\/(home\/)?/, '')
    .replace('/.ssh/', '/')
    .replace(/[^\w@:.-]+/g, '-');
}
