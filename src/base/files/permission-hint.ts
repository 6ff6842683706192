import { basename } from 'node:path';

/** Homes, which the system unit does not see (ProtectHome=). */
const HOME = /^\/(home|root)\//;

/** The fix for a file that the daemon's user may not read. `kind`: a private file has another place than a public one. Pure. */
export function permissionHint(path: string, kind: 'key' | 'known_hosts'): string {
  const readable = `Make ${path} readable for the user of the daemon.`;
  return HOME.test(path) ? `${readable} ${homeHint(path, kind)}` : readable;
}

/** How a file gets from a home to where the system unit reads it. Pure. */
export function homeHint(path: string, kind: 'key' | 'known_hosts'): string {
  const [mode, directory, written] =
    kind === 'key'
      ? ['600', '/etc/fleet-mesh/keys/', `key: credential:key_${basename(path)}`]
      : ['644', '/etc/fleet-mesh/', `known_hosts: ${basename(path)}`];
  return `The system unit reads no home directory: run \`install -D -m ${mode} -t ${directory} ${path}\`, and write \`${written}\`.`;
}
