import type { Command } from 'commander';

/** One command line for the program. */
export interface Example {
  readonly line: string;
  readonly words: readonly string[];
  /** Find the command and its options, and do nothing. */
  readonly isOnlyParsed: boolean;
}

export interface Outcome {
  readonly line: string;
  readonly code: number;
  readonly told: string;
}

interface Built {
  readonly main: (argv: readonly string[]) => Promise<number>;
  readonly program: Command;
}

/** A process that runs each command line of `argv[2]` with the built program, one after the other: sixty starts would take long. */
const built = new URL('../../../dist/program.js', import.meta.url).href;
const { main, program } = (await import(built)) as Built;
const write = process.stdout.write.bind(process.stdout);
const outcomes: Outcome[] = [];
process.setMaxListeners(0);
process.stdout.setMaxListeners(0);
let told = '';
for (const stream of [process.stdout, process.stderr]) {
  stream.write = (text) => {
    told += String(text);
    return true;
  };
}
const examples: readonly Example[] = JSON.parse(process.argv[2] ?? '[]');
// Last: these commands do nothing from then on.
for (const example of examples.toSorted((a, b) => Number(a.isOnlyParsed) - Number(b.isOnlyParsed))) {
  const { line, words, isOnlyParsed } = example;
  told = '';
  if (isOnlyParsed) {
    const [first, second] = words;
    const outer = program.commands.find((command) => command.name() === first);
    (outer?.commands.find((command) => command.name() === second) ?? outer)?.action(() => {});
  }
  const code = await main(['node', 'fleet-mesh', ...words]);
  outcomes.push({ line, code, told });
}
write(JSON.stringify(outcomes));
