import type { Command } from 'commander';
import { didYouMean } from '../../base/text/closest.ts';
import { printable } from '../../base/text/printable.ts';

/** Ends the words that may name a command. */
const isOption = (word: string) => word.startsWith('-');

/**
 * Turns every way to ask for help (`help plan done`, `plan help done`, `plan done --help`) into the last one. Returns the
 * message for a name that no command has: a misspelt name must not get the help of the whole program, and success.
 *
 * @param argv without node and script
 */
export function helpRequest(
  program: Command,
  argv: readonly string[],
): { readonly argv: readonly string[] } | { readonly wrong: string } {
  const [before, ...after] = argv;
  if (after.length > 0 && (before === '--help' || before === '-h')) return helpRequest(program, [...after, '--help']);
  const first = argv.findIndex(isOption);
  const words = first === -1 ? argv : argv.slice(0, first);
  const options = first === -1 ? [] : argv.slice(first);
  let command = program;
  let isAsked = options.some((option) => option === '--help' || option === '-h');
  const path: string[] = [];
  for (const word of words) {
    if (command.commands.length === 0) break;
    if (word === 'help') {
      isAsked = true;
      continue;
    }
    const found = command.commands.find((each) => each.name() === word || each.aliases().includes(word));
    if (found === undefined) return isAsked ? { wrong: unknown(command, [...path, word]) } : { argv };
    path.push(word);
    command = found;
  }
  return words.includes('help') && isAsked ? { argv: [...path, '--help'] } : { argv };
}

function unknown(command: Command, words: readonly string[]): string {
  const names = command.commands.map((each) => each.name());
  const word = words.at(-1) ?? '';
  const before = ['fleet-mesh', ...words.slice(0, -1)].join(' ');
  const guess = didYouMean(word, names);
  return `fleet-mesh: unknown command ${JSON.stringify(printable(word, 80))}${guess}\nList the commands with: ${before} --help\n`;
}
