import type { Command } from 'commander';
import type { CommandIo, Ends } from './command.ts';
import { type InstallCommandOptions, type InstallIo, install } from './install.ts';
import { type UninstallCommandOptions, uninstall } from './uninstall.ts';

/** What scripts/install-node has a node do. */
export function addInstallCommands(program: Command, ends: Ends, io: CommandIo): void {
  program
    .command('install')
    .description('makes this node run this release; scripts/install-node packs one and calls this')
    .option('--user', 'for whoever runs it, instead of the system', false)
    .option('-c, --config <file>', 'a tunnel YAML, for a node that has none yet')
    .option('--dry-run', 'show every file, unit and command, and change nothing', false)
    .option('--rollback', 'bring back what was there before the last installation', false)
    .option('--skip-doctor', 'go on though hosts are away; a port of an ssh unit is never taken over like that', false)
    .option('--timeout <duration>', 'how long the tunnels may take to be up', '60s')
    .option('--json', 'print {ok, changed, steps, notes, problems} as JSON', false)
    .action(ends((options: InstallCommandOptions) => install(options, undisturbed(io))));

  program
    .command('uninstall')
    .description('removes what install has brought; configuration, keys and state stay')
    .option('--user', 'of whoever runs it, instead of the system', false)
    .option('--dry-run', 'show every file, unit and command, and change nothing', false)
    .option('--purge', 'configuration, keys and state as well', false)
    .option('--json', 'print {ok, changed, steps, notes, problems} as JSON', false)
    .action(ends((options: UninstallCommandOptions) => uninstall(options, undisturbed(io))));
}

/**
 * Ctrl-C has an installation undone. A login that ends has not, and takes both streams with it: the node may be reached
 * through its own tunnels.
 */
function undisturbed(io: CommandIo): InstallIo {
  const interrupted = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => interrupted.abort(new Error(name)));
  process.on('SIGHUP', () => {});
  process.stderr.on('error', () => {});
  return { ...io, signal: interrupted.signal, env: process.env };
}
