import { type Command, Option } from 'commander';
import type { CommandIo, Ends } from './command.ts';
import { type ControlOptions, down, reload, rotate, up } from './control.ts';
import { cutover, rollback } from './cutover.ts';
import { interruptible } from './interruptible.ts';
import { configOption, socketOption } from './options.ts';
import { type RetireOptions, retire } from './retire.ts';

/** Adds the commands that the daemon carries out, asked at its control socket. */
export function addControlCommands(program: Command, ends: Ends, io: CommandIo): void {
  const controlCommand = (name: string, text: string, ownOptions: readonly Option[] = []) => {
    const command = program.command(name).description(text).addOption(configOption()).addOption(socketOption());
    for (const option of ownOptions) command.addOption(option);
    return command.option('--json', 'print the outcome as JSON', false);
  };

  controlCommand('reload', 'has the daemon read its configuration again, and waits for the outcome').action(
    ends((options: ControlOptions) => reload(options, interruptible(io))),
  );

  controlCommand('up', 'takes tunnels back into service')
    .argument('<name...>', 'the tunnels')
    .action(ends((names: string[], options: ControlOptions) => up(names, options, interruptible(io))));

  controlCommand('down', 'takes tunnels out of service: nothing listens, open connections get stop_grace')
    .argument('<name...>', 'the tunnels')
    .action(ends((names: string[], options: ControlOptions) => down(names, options, interruptible(io))));

  controlCommand('rotate', 'has an actor take on a new credential now, make before break')
    .argument('<actor>', 'the actor')
    .action(ends((actor: string, options: ControlOptions) => rotate(actor, options, interruptible(io))));

  controlCommand('retire', 'ends the SSH forward of a tunnel for good, once nothing speaks against it (see why NAME)', [
    new Option('--dry-run', 'only say what would be done, and what speaks against it').default(false),
    new Option('--wait <duration>', 'try until it may go, as in 24h; ends early where waiting does not help'),
    new Option('--override <code>', 'take on a blocker; each with a --reason, in the same order')
      .argParser(collect)
      .default([]),
    new Option('--reason <text>', 'why it is overridden: kept as evidence').argParser(collect).default([]),
  ])
    .argument('<name>', 'the tunnel')
    .action(ends((name: string, options: RetireOptions) => retire(name, options, interruptible(io))));

  controlCommand('cutover', 'moves the local port of a tunnel to its successor, without its clients noticing', [
    new Option('--dry-run', 'only say what would be done, and what is against it now').default(false),
  ])
    .argument('<name>', 'the tunnel')
    .action(
      ends((name: string, options: ControlOptions & { dryRun: boolean }) => cutover(name, options, interruptible(io))),
    );

  controlCommand('rollback', 'the way back of a cut-over: new connections go through the tunnel again, at once')
    .argument('<name>', 'the tunnel')
    .action(ends((name: string, options: ControlOptions) => rollback(name, options, interruptible(io))));
}

function collect(value: string, before: string[]): string[] {
  return [...before, value];
}
