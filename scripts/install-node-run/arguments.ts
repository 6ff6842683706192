import { parseArgs } from 'node:util';

export const USAGE = `usage: scripts/install-node HOST|--local [options]

  HOST               a destination of ssh (BatchMode: needs a key or an agent); --local is this machine
  --user             for the user who logs in, instead of the system (which needs root)
  --config FILE      a tunnel YAML, for a node without a configuration; an existing file stays
  --dry-run          show every file, unit and command, and change nothing
  --rollback         restore the state before the last installation
  --uninstall        remove fleet-mesh; configuration, keys and state stay
  --purge            with --uninstall: remove configuration, keys and state too
  --skip-doctor      continue if hosts are unreachable; tunnels that replace ssh units are checked anyway
  --timeout 60s      how long the tunnels may take to come up
  --observe 10m      watch the new release, then promote the release or roll back
  --ssh-config FILE  use this configuration of ssh instead of ~/.ssh/config
`;

export interface InstallNodeArguments {
  /** Undefined: this machine. */
  readonly host: string | undefined;
  readonly sshConfig: string | undefined;
  /** Path on this machine. */
  readonly config: string | undefined;
  readonly command: 'install' | 'uninstall';
  /** Flags for the command, from a fixed set: none has a meaning for a shell. */
  readonly flags: readonly string[];
}

/** Throws an Error that names the wrong argument. Pure. */
export function parseArguments(argv: readonly string[]): InstallNodeArguments | 'help' {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      help: { type: 'boolean' },
      local: { type: 'boolean' },
      user: { type: 'boolean' },
      config: { type: 'string' },
      'dry-run': { type: 'boolean' },
      rollback: { type: 'boolean' },
      uninstall: { type: 'boolean' },
      purge: { type: 'boolean' },
      'skip-doctor': { type: 'boolean' },
      timeout: { type: 'string' },
      observe: { type: 'string' },
      'ssh-config': { type: 'string' },
    },
  });
  if (values.help) return 'help';
  const [host, ...more] = positionals;
  if (more.length > 0 || (host === undefined) !== (values.local === true)) throw new Error('give one HOST, or --local');
  if (host?.startsWith('-') || host === '') throw new Error(`${JSON.stringify(host)} is not a host`);
  if (values.purge && !values.uninstall) throw new Error('--purge needs --uninstall');
  if (values.uninstall && (values.rollback || values.config !== undefined || values['skip-doctor'] || values.observe)) {
    throw new Error('--uninstall allows only --user, --dry-run and --purge');
  }
  if (values.rollback && values.observe !== undefined) throw new Error('--observe and --rollback exclude each other');
  for (const name of ['timeout', 'observe'] as const) {
    const written = values[name];
    if (written !== undefined && !/^\d{1,6}(ms|s|m|h)$/.test(written))
      throw new Error(`--${name} needs a duration such as 60s`);
  }
  const named = ['user', 'dry-run', 'rollback', 'purge', 'skip-doctor'] as const;
  return {
    host,
    sshConfig: values['ssh-config'],
    config: values.config,
    command: values.uninstall ? 'uninstall' : 'install',
    flags: [
      ...named.filter((name) => values[name]).map((name) => `--${name}`),
      ...(values.timeout === undefined ? [] : ['--timeout', values.timeout]),
      ...(values.observe === undefined ? [] : ['--observe', values.observe]),
    ],
  };
}
