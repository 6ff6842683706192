import type { Command } from 'commander';
import type { CommandIo, Ends } from './command.ts';
import type { InstallCommandOptions, InstallIo } from './install.ts';
import type { UninstallCommandOptions } from './uninstall.ts';

/** Adds `install` and `uninstall`: scripts/install-node calls them on a node. */
export function addInstallCommands(program: Command, ends: Ends, io: CommandIo): void {
  program
    .command('install')
    .description('installs this release on this node; scripts/install-node packs a release and calls this command')
    .option('--user', 'install for the current user instead of the system', false)
    .option('-c, --config <file>', 'a tunnel YAML, for a node without a configuration')
    .option('--dry-run', 'show every file, unit and command, and change nothing', false)
    .option('--rollback', 'restore the state before the last installation', false)
    .option(
      '--skip-doctor',
      'continue if hosts are unreachable; tunnels that replace ssh units are checked anyway',
      false,
    )
    .option('--timeout <duration>', 'how long the tunnels may take to come up', '60s')
    .option(
      '--observe <duration>',
      'watch the new release for so long (e.g. 10m), then promote the release, or roll back if it does not serve',
    )
    .option('--json', 'print {ok, changed, steps, notes, problems} as JSON', false)
    .action(
      ends(async (options: InstallCommandOptions) => (await import('./install.ts')).install(options, undisturbed(io))),
    );

  program
    .command('uninstall')
    .description('removes the installed files and units; configuration, keys and state stay')
    .option('--user', 'remove the installation of the current user instead of the system', false)
    .option('--dry-run', 'show every file, unit and command, and change nothing', false)
    .option('--purge', 'remove configuration, keys and state as well', false)
    .option('--json', 'print {ok, changed, steps, notes, problems} as JSON', false)
    .action(
      ends(async (options: UninstallCommandOptions) =>
        (await import('./uninstall.ts')).uninstall(options, undisturbed(io)),
      ),
    );
}

/** Ctrl-C undoes an installation. The end of the login does not: the login may come through a tunnel of this node. */
function undisturbed(io: CommandIo): InstallIo {
  const interrupted = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => interrupted.abort(new Error(name)));
  process.on('SIGHUP', () => {});
  process.stderr.on('error', () => {});
  return { ...io, signal: interrupted.signal, env: process.env };
}
