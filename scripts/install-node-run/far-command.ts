/** The file name of the given configuration in the packed program. */
export const GIVEN_CONFIG = 'given-tunnels.yaml';

/**
 * The command line for the login shell of a node; the packed program is on its standard input. Any shell can run this: the
 * script is one word in single quotes, and the flags are from a fixed set. Pure.
 */
export function farCommand(command: 'install' | 'uninstall', flags: readonly string[], hasConfig: boolean): string {
  for (const flag of flags) {
    if (!/^(--[a-z-]+|\d+[a-z]+)$/.test(flag)) throw new Error(`${JSON.stringify(flag)} is not a flag`);
  }
  const config = hasConfig ? ` --config "$d/${GIVEN_CONFIG}"` : '';
  const script = [
    'set -eu',
    'command -v node >/dev/null || { echo "node is not on the PATH of this login; install node 20.19 or later" >&2; exit 1; }',
    'd=$(mktemp -d)',
    'trap "rm -rf \\"$d\\"" EXIT',
    // A closed connection must not stop the installation.
    'trap : HUP PIPE',
    'tar -xzf - -C "$d"',
    `node "$d/dist/cli.js" ${[command, ...flags].join(' ')}${config}`,
  ].join('\n');
  return `sh -c '${script}'`;
}
