import { type Command, Option } from 'commander';
import { CONDITIONS } from '../text/holds.ts';
import type { CommandIo, Ends } from './command.ts';
import { type EventsOptions, events } from './events.ts';
import { interruptible } from './interruptible.ts';
import { chosenFrom, configOption, endpointOption } from './options.ts';
import { statusCommand } from './status.ts';
import { terminal } from './terminal.ts';
import { verifyEvents } from './verify-events.ts';
import { wait } from './wait.ts';
import { where } from './where.ts';
import { why } from './why.ts';

interface AskFlags {
  config: string;
  endpoint?: string;
  json: boolean;
}

/** Adds `status`, `why`, `events` and `wait`: these commands ask the endpoint of the daemon and change nothing. */
export function addWatchCommands(program: Command, ends: Ends, io: CommandIo): void {
  const watchCommand = (name: string, text: string) =>
    program.command(name).description(text).addOption(configOption()).addOption(endpointOption());

  watchCommand('status', 'shows tunnels, links and sessions, with reasons')
    .argument('[name]', 'one tunnel (default: all)')
    .option('--json', 'print the snapshot as JSON', false)
    .option('--watch', 'repeat until Ctrl-C', false)
    .action(
      ends((name: string | undefined, options: AskFlags & { watch: boolean }) => {
        return statusCommand({ name, ...options, ...where }, { ...interruptible(io), look: terminal });
      }),
    );

  watchCommand('why', 'explains one tunnel: since when, the cause, the next step, the fix')
    .argument('<name>', 'the tunnel')
    .option('--json', 'print the explanation as JSON', false)
    .action(ends((name: string, options: AskFlags) => why({ name, ...options, ...where }, interruptible(io))));

  watchCommand('events', 'shows recorded events; --verify checks that the records are unchanged')
    .option('--follow', 'follow new events until Ctrl-C', false)
    .option('--tunnel <name>', 'only events of this tunnel')
    .option('--since <when>', 'a time, or a span before now, e.g. 30m, 24h, 7d')
    .option(
      '--verify',
      'check the chain of the files without the daemon; exit code 0: intact, 1: broken, 2: no files',
      false,
    )
    .option('--dir <directory>', 'for --verify: the state directory (default: state_dir in --config)')
    .option('--json', 'print JSON; with --follow, one entry per line', false)
    .action(
      ends((options: AskFlags & EventsOptions & { verify: boolean; dir?: string }) =>
        options.verify ? verifyEvents(options, interruptible(io)) : events({ ...options, ...where }, interruptible(io)),
      ),
    );

  watchCommand('wait', 'waits until tunnels are up or retirable')
    .argument('[name...]', 'the tunnels (default: production tunnels in service)')
    .addOption(chosenFrom(CONDITIONS, new Option('--for <condition>', 'what to wait for').default('up')))
    .option('--timeout <duration>', 'how long to wait, e.g. 500ms, 60s, 5m', '60s')
    .option('--json', 'print {ok, for, waited_ms, reasons} as JSON', false)
    .action(
      ends((names: string[], options: AskFlags & { for: string; timeout: string }) =>
        wait({ names, ...options, ...where }, interruptible(io)),
      ),
    );
}
