/** The tunnel YAML's name beside the packed program. */
export const GIVEN_CONFIG = 'given-tunnels.yaml';

/**
 * What ssh has the login shell of a node do with the packed program on its standard input. The shell may be any: it sees one
 * word in single quotes, and of ours nothing but words from a fixed set. Pure.
 */
export function farCommand(command: 'install' | 'uninstall', flags: readonly string[], hasConfig: boolean): string {
  for (const flag of flags) {
    if (!/^(--[a-z-]+|\d+[a-z]+)$/.test(flag)) throw new Error(`${JSON.stringify(flag)} is no flag`);
  }
  const config = hasConfig ? ` --config "$d/${GIVEN_CONFIG}"` : '';
  const script = [
    'set -eu',
    'command -v node >/dev/null || { echo "node (20.19 or later) is not on the PATH of this login" >&2; exit 1; }',
    'd=$(mktemp -d)',
    'trap "rm -rf \\"$d\\"" EXIT',
    // Whoever closes the connection ends neither this nor the installation.
    'trap : HUP PIPE',
    'tar -xzf - -C "$d"',
    `node "$d/dist/cli.js" ${[command, ...flags].join(' ')}${config}`,
  ].join('\n');
  return `sh -c '${script}'`;
}
