import type { Command } from 'commander';
import type { CommandIo, Ends } from './command.ts';
import { interruptible } from './interruptible.ts';

/** Adds `import ssh-unit`, `import ssh-config` and `import ops-bridge`. */
export function addImportCommands(program: Command, ends: Ends, io: CommandIo): void {
  const importing = program
    .command('import')
    .description('converts existing ssh forwards to tunnel YAML on standard output');

  importing
    .command('ssh-unit')
    .description('reads systemd units that run ssh -N with -L, -R or -D')
    .argument('<file...>', 'unit files; their drop-ins and environment files are read too')
    .option('--ssh-config <file>', "read this file instead of the ssh_config of the unit's user and the system's")
    .option('--json', 'print {ok, yaml, remarks, failures, problems} as JSON', false)
    .action(
      ends(async (files: string[], options: { json: boolean; sshConfig?: string }) => {
        const { importUnits } = await import('./import.ts');
        return importUnits(files, options, interruptible(io));
      }),
    );

  importing
    .command('ssh-config')
    .description('reads hosts of ssh_config, resolved by `ssh -G`')
    .argument('<host...>', 'host names as given to ssh, or patterns such as db-* for the hosts that ssh_config names')
    .option('--ssh-config <file>', "read this file instead of the user's and the system's")
    .option('--json', 'print {ok, yaml, remarks, failures, problems} as JSON', false)
    .action(
      ends(async (hosts: string[], options: { json: boolean; sshConfig?: string }) => {
        const { importHosts } = await import('./import.ts');
        return importHosts(hosts, options, interruptible(io));
      }),
    );

  importing
    .command('ops-bridge')
    .description('reads the tunnels.yaml of ops-bridge')
    .argument('<file>', 'usually ~/.config/bridge/tunnels.yaml')
    .option('--json', 'print {ok, yaml, remarks, failures, problems} as JSON', false)
    .action(
      ends(async (file: string, options: { json: boolean }) => {
        const { importBridge } = await import('./import.ts');
        return importBridge(file, options, interruptible(io));
      }),
    );
}
