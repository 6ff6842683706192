import type { Command } from 'commander';
import { type CommandIo, type Ends, EXIT } from '../command.ts';

const SHELLS = ['bash', 'zsh', 'fish'];

/** Adds `completion bash|zsh|fish`. The completions know every command of `program`. */
export function addCompletionCommand(program: Command, ends: Ends, io: CommandIo): void {
  const command = program
    .command('completion')
    .description('prints the completion of a shell; it also knows names of tunnels, hosts and actors')
    .argument('<shell>', 'the shell');
  offer(command, SHELLS);
  command.action(
    ends(async (shell: string) => {
      if (!SHELLS.includes(shell)) {
        io.err(`fleet-mesh: unknown shell ${JSON.stringify(shell)}; shells: ${SHELLS.join(', ')}\n`);
        return EXIT.usage;
      }
      const { completionFor } = await import('./shells.ts');
      io.out(completionFor(shell, program));
      return EXIT.ok;
    }),
  );
}

/** The closed list of the last argument, for help and completions; the command itself says what is wrong. */
export function offer(command: Command, words: readonly string[]): void {
  const argument = command.registeredArguments.at(-1);
  if (argument) argument.argChoices = [...words];
}
