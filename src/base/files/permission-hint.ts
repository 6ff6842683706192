import { basename } from 'node:path';

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

/** How a file gets from a home to where the system unit reads it. `name`: another name for the copy. Pure. */
export function homeHint(path: string, kind: 'key' | 'known_hosts', name = basename(path)): string {
  const [mode, directory, written] =
    kind === 'key'
      ? ['600', '/etc/fleet-mesh/keys/', `key: credential:key_${name}`]
      : ['644', '/etc/fleet-mesh/', `known_hosts: /etc/fleet-mesh/${name}`];
  const copy = name === basename(path) ? `-t ${directory} ${path}` : `${path} ${directory}${name}`;
  return `The system unit reads no home directory: run \`install -D -m ${mode} ${copy}\`, and write \`${written}\`.`;
}
