import { type Command, Option } from 'commander';
import { CONDITIONS } from '../text/holds.ts';
import type { CommandIo, Ends } from './command.ts';
import type { EventsOptions } from './events.ts';
import { interruptible } from './interruptible.ts';
import { chosenFrom, configOption, endpointOption } from './options.ts';
import { terminal } from './terminal.ts';
import { where } from './where.ts';

interface AskFlags {
  config: string;
  endpoint?: string;
  json: boolean;
}

/** Adds `status`, `fleet`, `why`, `events` and `wait`: these commands ask the endpoint of the daemon and change nothing. */
export function addWatchCommands(program: Command, ends: Ends, io: CommandIo & { readonly version: string }): void {
  const watchCommand = (name: string, text: string) =>
    program.command(name).description(text).addOption(configOption()).addOption(endpointOption());

  watchCommand('status', 'shows tunnels, links and sessions, with reasons')
    .argument('[name]', 'one tunnel (default: all)')
    .option('--json', 'print the snapshot as JSON', false)
    .option('--watch', 'repeat until Ctrl-C; on a terminal a full screen: s sort, / filter, Enter detail, q end', false)
    .action(
      ends(async (name: string | undefined, options: AskFlags & { watch: boolean }) => {
        const { statusCommand } = await import('./status.ts');
        const keys = options.watch ? (await import('./watch-screen.ts')).keyboard() : undefined;
        return statusCommand({ name, ...options, ...where }, { ...interruptible(io), look: terminal, keyboard: keys });
      }),
    );

  watchCommand('fleet', 'shows the nodes that the links reach, each as its own daemon answers')
    .option('--json', 'print the answer as JSON', false)
    .action(
      ends(async (options: AskFlags) => {
        const { fleet } = await import('./fleet.ts');
        return fleet({ ...options, ...where }, { ...interruptible(io), look: terminal });
      }),
    );

  watchCommand('why', 'explains one tunnel: since when, the cause, the next step, the fix')
    .argument('<name>', 'the tunnel')
    .option('--json', 'print the explanation as JSON', false)
    .action(
      ends(async (name: string, options: AskFlags) => {
        const { why } = await import('./why.ts');
        return why({ name, ...options, ...where }, interruptible(io));
      }),
    );

  watchCommand('events', 'shows recorded events; --verify checks that the records are unchanged, --export files them')
    .option('--follow', 'follow new events until Ctrl-C', false)
    .option('--tunnel <name>', 'only events of this tunnel')
    .option('--since <when>', 'a time, or a span before now, e.g. 30m, 24h, 7d')
    .option(
      '--verify',
      'check the chain of the files without the daemon; exit code 0: intact, 1: broken, 2: no files',
      false,
    )
    .option('--export', 'file all records with a script that checks them: sha256sum and jq are enough', false)
    .option('--dir <directory>', 'for --verify and --export: the state directory (default: state_dir in --config)')
    .option('--out <directory>', 'for --export: the directory to make (default: evidence-NODE-TIME)')
    .option('--json', 'print JSON; with --follow, one entry per line', false)
    .action(
      ends(
        async (
          options: AskFlags & EventsOptions & { verify: boolean; export: boolean; dir?: string; out?: string },
        ) => {
          if (options.verify) return (await import('./verify-events.ts')).verifyEvents(options, interruptible(io));
          if (options.export) {
            const { exportEvents } = await import('./export-events.ts');
            return exportEvents(options, { ...interruptible(io), version: io.version });
          }
          const { events } = await import('./events.ts');
          return events({ ...options, ...where }, interruptible(io));
        },
      ),
    );

  watchCommand('wait', 'waits until tunnels are up or retirable')
    .argument('[name...]', 'the tunnels (default: production tunnels in service)')
    .addOption(chosenFrom(CONDITIONS, new Option('--for <condition>', 'what to wait for').default('up')))
    .option('--timeout <duration>', 'how long to wait, e.g. 500ms, 60s, 5m', '60s')
    .option('--json', 'print {ok, for, waited_ms, reasons} as JSON', false)
    .action(
      ends(async (names: string[], options: AskFlags & { for: string; timeout: string }) => {
        const { wait } = await import('./wait.ts');
        return wait({ names, ...options, ...where }, interruptible(io));
      }),
    );
}
