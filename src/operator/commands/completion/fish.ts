import { NAMES_COMMAND } from './offer-names.ts';
import type { CommandOutline, Offer, OptionOutline } from './outline.ts';

/** Completion for fish. */
export function fishCompletion(program: CommandOutline): string {
  const { name } = program;
  return [
    `# fish completion for ${name}(1)`,
    `complete -c ${name} -f`,
    ...program.options.map((option) => `complete -c ${name} -n __fish_use_subcommand ${optionWords(option, name)}`),
    ...program.commands.flatMap((command) => commandLines(name, command, '__fish_use_subcommand')),
    '',
  ].join('\n');
}

function commandLines(program: string, command: CommandOutline, where: string): string[] {
  const inside = `__fish_seen_subcommand_from ${command.name}`;
  const names = command.commands.map(({ name }) => name).join(' ');
  const first = names === '' ? inside : `${inside}; and not __fish_seen_subcommand_from ${names}`;
  return [
    `complete -c ${program} -n ${quoted(where)} -a ${command.name} -d ${quoted(command.description)}`,
    ...command.options.map((option) => `complete -c ${program} -n ${quoted(first)} ${optionWords(option, program)}`),
    ...command.arguments.flatMap(({ offer }) => {
      const words = offered(offer, program);
      return words === '' ? [] : [`complete -c ${program} -n ${quoted(first)} ${words}`];
    }),
    ...command.commands.flatMap((each) => commandLines(program, each, first)),
  ];
}

function optionWords({ short, long, value, description, offer }: OptionOutline, program: string): string {
  const names = [...(short === undefined ? [] : [`-s ${short.slice(1)}`]), `-l ${long.slice(2)}`];
  const words = offered(offer, program);
  const taken = value === undefined ? [] : [offer.kind === 'files' ? '-r -F' : words === '' ? '-x' : `-x ${words}`];
  return [...names, ...taken, `-d ${quoted(description)}`].join(' ');
}

function offered(offer: Offer, program: string): string {
  if (offer.kind === 'words') return `-a ${quoted(offer.words.join(' '))}`;
  if (offer.kind === 'names')
    return `-a ${quoted(`(${program} ${NAMES_COMMAND} ${offer.of} (commandline -opc) 2>/dev/null)`)}`;
  return offer.kind === 'files' ? '-F' : '';
}

function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`;
}
