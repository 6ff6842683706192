import {
  type CommandOutline,
  leavesOf,
  type Offer,
  type OptionOutline,
} from '../../src/operator/commands/completion/outline.ts';
import { ENVIRONMENT, EXIT_STATUS, FILES, SIGNALS } from '../reference/command-facts.ts';
import { code, fence, page, prose, sentence, table } from './markdown.ts';

/** Every command with its arguments and options; then exit codes, signals, environment and files. */
export function commandsPage(program: CommandOutline): string {
  const commands = leavesOf(program).filter(([, { name }]) => name !== 'help');
  return page('Commands', 'src/program.ts and src/operator/commands/', [
    prose(
      'The daemon is `fleet-mesh run`. All other commands ask the daemon, command the daemon, or work without the ' +
        'daemon. `fleet-mesh COMMAND --help` shows the same text as this page.',
    ),
    table(
      ['Command', 'Purpose'],
      commands.map(([words, { description }]) => [
        `[${code(words.join(' '))}](#${words.join('-')})`,
        sentence(description),
      ]),
    ),
    ...commands.flatMap(([words, command]) => about(program.name, words, command)),
    '## Exit codes',
    facts('Code', EXIT_STATUS),
    '## Signals',
    'The daemon reacts to these signals.',
    facts('Signal', SIGNALS),
    '## Environment variables',
    facts('Variable', ENVIRONMENT),
    '## Files',
    facts('Path', FILES),
  ]);
}

function about(program: string, words: readonly string[], command: CommandOutline): string[] {
  const options = command.options.filter(({ long }) => long !== '--help');
  const usage = [
    program,
    ...words,
    ...(options.length > 0 ? ['[options]'] : []),
    ...command.arguments.map((argument) => argument.usage),
  ];
  const rows = [
    ...command.arguments.map(({ usage, description, offer }) => [
      code(usage),
      sentence(withChoices(description, offer)),
    ]),
    ...options.map((option) => [spelling(option), sentence(explained(option))]),
  ];
  return [
    `## ${words.join(' ')}`,
    sentence(command.description),
    fence(usage.join(' '), 'sh'),
    ...(rows.length === 0 ? [] : [table(['Argument or option', 'Meaning'], rows)]),
    ...(command.examples.length === 0 ? [] : [fence(command.examples.map(exampleText(program)).join('\n'), 'sh')]),
  ];
}

function exampleText(program: string) {
  return ([line, does]: CommandOutline['examples'][number]) => `# ${does}\n${program} ${line}`;
}

function spelling({ short, long, value }: OptionOutline): string {
  const full = value === undefined ? long : `${long} <${value}>`;
  return [short, full].flatMap((name) => (name === undefined ? [] : [code(name)])).join(', ');
}

function withChoices(description: string, offer: Offer): string {
  return offer.kind === 'words' ? `${description}: ${offer.words.map(code).join(', ')}` : description;
}

function explained({ description: text, default: otherwise, offer }: OptionOutline): string {
  const description = withChoices(text, offer);
  return otherwise === undefined ? description : `${description} (default: ${otherwise})`;
}

function facts(head: string, rows: readonly (readonly [string, string])[]): string {
  return table(
    [head, 'Meaning'],
    rows.map(([name, text]) => [name.split(', ').map(code).join(', '), prose(text)]),
  );
}
