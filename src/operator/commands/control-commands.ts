import { type Command, Option } from 'commander';
import { OVERRIDABLE } from '../../retirement/drain/overrides.ts';
import type { CommandIo, Ends } from './command.ts';
import type { ControlOptions } from './control.ts';
import { interruptible } from './interruptible.ts';
import { chosenFrom, configOption, socketOption } from './options.ts';
import type { RetireOptions } from './retire.ts';

/** Adds the commands that use the control socket. */
export function addControlCommands(program: Command, ends: Ends, io: CommandIo): void {
  const controlCommand = (name: string, text: string, ownOptions: readonly Option[] = []) => {
    const command = program.command(name).description(text).addOption(configOption()).addOption(socketOption());
    for (const option of ownOptions) command.addOption(option);
    return command.option('--json', 'print the outcome as JSON', false);
  };

  controlCommand('reload', 'makes the daemon read its configuration again, and waits for the result').action(
    ends(async (options: ControlOptions) => (await import('./control.ts')).reload(options, interruptible(io))),
  );

  controlCommand('up', 'puts tunnels back into service, and waits up to ten seconds until they are up')
    .argument('<name...>', 'the tunnels')
    .action(
      ends(async (names: string[], options: ControlOptions) =>
        (await import('./control.ts')).up(names, options, interruptible(io)),
      ),
    );

  controlCommand('down', 'takes tunnels out of service: listeners close, open connections get stop_grace to finish')
    .argument('<name...>', 'the tunnels')
    .action(
      ends(async (names: string[], options: ControlOptions) =>
        (await import('./control.ts')).down(names, options, interruptible(io)),
      ),
    );

  controlCommand('rotate', 'gives an actor a new credential now; new sessions open before old sessions close')
    .argument('<actor>', 'the actor')
    .action(
      ends(async (actor: string, options: ControlOptions) =>
        (await import('./control.ts')).rotate(actor, options, interruptible(io)),
      ),
    );

  controlCommand('retire', 'ends the SSH forward of a tunnel permanently when no blockers remain (see why NAME)', [
    new Option('--dry-run', 'only list the blockers and the steps').default(false),
    new Option('--wait <duration>', 'retry for this long, e.g. 24h; stops early if waiting cannot help'),
    chosenFrom(
      OVERRIDABLE,
      new Option('--override <code>', 'override a blocker; each needs a --reason, in the same order')
        .argParser(collect)
        .default([]),
    ),
    new Option('--reason <text>', 'why the blocker is overridden; recorded as evidence').argParser(collect).default([]),
  ])
    .argument('<name>', 'the tunnel')
    .action(
      ends(async (name: string, options: RetireOptions) =>
        (await import('./retire.ts')).retire(name, options, interruptible(io)),
      ),
    );

  controlCommand('cutover', 'moves the local port of a tunnel to its successor without interrupting clients', [
    new Option('--dry-run', 'only list the steps and the current blockers').default(false),
  ])
    .argument('<name>', 'the tunnel')
    .action(
      ends(async (name: string, options: ControlOptions & { dryRun: boolean }) =>
        (await import('./cutover.ts')).cutover(name, options, interruptible(io)),
      ),
    );

  controlCommand('rollback', 'reverses a cut-over: new connections use the tunnel again at once')
    .argument('<name>', 'the tunnel')
    .action(
      ends(async (name: string, options: ControlOptions) =>
        (await import('./cutover.ts')).rollback(name, options, interruptible(io)),
      ),
    );
}

function collect(value: string, before: string[]): string[] {
  return [...before, value];
}
