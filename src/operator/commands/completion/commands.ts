import type { Command } from 'commander';
import { type CommandIo, type Ends, EXIT } from '../command.ts';
import { bashCompletion } from './bash.ts';
import { fishCompletion } from './fish.ts';
import { outlineOf } from './outline.ts';
import { zshCompletion } from './zsh.ts';

const SHELLS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion };

/** Adds `completion bash|zsh|fish`. The completions know every command of `program`. */
export function addCompletionCommand(program: Command, ends: Ends, io: CommandIo): void {
  const command = program
    .command('completion')
    .description('prints the completion of a shell; it also knows names of tunnels, hosts and actors')
    .argument('<shell>', 'the shell');
  offer(command, Object.keys(SHELLS));
  command.action(
    ends((shell: string) => {
      const make = Object.hasOwn(SHELLS, shell) ? SHELLS[shell as keyof typeof SHELLS] : undefined;
      if (make === undefined) {
        io.err(`fleet-mesh: unknown shell ${JSON.stringify(shell)}; shells: ${Object.keys(SHELLS).join(', ')}\n`);
        return EXIT.usage;
      }
      io.out(make(outlineOf(program)));
      return EXIT.ok;
    }),
  );
}

/** The closed list of the last argument, for help and completions; the command itself says what is wrong. */
export function offer(command: Command, words: readonly string[]): void {
  const argument = command.registeredArguments.at(-1);
  if (argument) argument.argChoices = [...words];
}
