import type { Command } from 'commander';
import { loadConfig } from '../../config/load.ts';
import { outsideOfUnit } from '../../config/paths.ts';
import type { CommandIo, Ends } from './command.ts';
import { type EventsOptions, events } from './events.ts';
import { interruptible } from './interruptible.ts';
import { configOption, endpointOption } from './options.ts';
import { statusCommand } from './status.ts';
import { verifyEvents } from './verify-events.ts';
import { wait } from './wait.ts';
import { why } from './why.ts';

interface AskFlags {
  config: string;
  endpoint?: string;
  json: boolean;
}

/** Adds `status`, `why`, `events` and `wait`: what asks the endpoint of the daemon and changes nothing. */
export function addWatchCommands(program: Command, ends: Ends, io: CommandIo): void {
  const watchCommand = (name: string, text: string) =>
    program.command(name).description(text).addOption(configOption()).addOption(endpointOption());

  watchCommand('status', 'what is: tunnels, links, sessions, and the reasons')
    .argument('[name]', 'one tunnel instead of all')
    .option('--json', 'print the snapshot as JSON', false)
    .option('--watch', 'go on, until Ctrl-C', false)
    .action(
      ends((name: string | undefined, options: AskFlags & { watch: boolean }) => {
        const { isTTY, columns } = process.stdout;
        return statusCommand(
          { name, ...options, endpointOf },
          { ...interruptible(io), isTty: isTTY === true, columns },
        );
      }),
    );

  watchCommand('why', 'explains one tunnel: since when, because of what, what happens next, what would fix it')
    .argument('<name>', 'the tunnel')
    .option('--json', 'print the explanation as JSON', false)
    .action(ends((name: string, options: AskFlags) => why({ name, ...options, endpointOf }, interruptible(io))));

  watchCommand('events', 'what has happened, out of the evidence; --verify: whether that is as it was written')
    .option('--follow', 'go on with what happens, until Ctrl-C', false)
    .option('--tunnel <name>', 'only what is said of this one')
    .option('--since <when>', 'a time, or a span before now as in 30m, 24h, 7d')
    .option('--verify', 'check the chain of the files, without the daemon: 0 intact, 1 not, 2 there is none', false)
    .option('--dir <directory>', 'for --verify: the state directory (default: the one that --config names)')
    .option('--json', 'print JSON; with --follow one entry a line', false)
    .action(
      ends((options: AskFlags & EventsOptions & { verify: boolean; dir?: string }) =>
        options.verify
          ? verifyEvents(options, interruptible(io))
          : events({ ...options, endpointOf }, interruptible(io)),
      ),
    );

  watchCommand('wait', 'blocks until tunnels are up, or may be retired')
    .argument('[name...]', 'the tunnels (default: those of production, or all where none is)')
    .option('--for <condition>', 'up or retirable', 'up')
    .option('--timeout <duration>', 'how long, as in 500ms, 60s, 5m', '60s')
    .option('--json', 'print {ok, for, waited_ms, reasons} as JSON', false)
    .action(
      ends((names: string[], options: AskFlags & { for: string; timeout: string }) =>
        wait({ names, ...options, endpointOf }, interruptible(io)),
      ),
    );
}

async function endpointOf(path: string) {
  return (await loadConfig(path, outsideOfUnit(process.env))).endpoint.listen;
}
