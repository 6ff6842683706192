import { type CommandOutline, isFile, type OptionOutline } from '../../reference/command-outline.ts';

/** Completion for fish. */
export function fishCompletion(program: CommandOutline): string {
  const { name } = program;
  return [
    `# fish completion for ${name}(1)`,
    `complete -c ${name} -f`,
    ...program.options.map((option) => `complete -c ${name} -n __fish_use_subcommand ${optionWords(option)}`),
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
    ...command.options.map((option) => `complete -c ${program} -n ${quoted(first)} ${optionWords(option)}`),
    ...(command.arguments.some(({ name }) => isFile(name)) ? [`complete -c ${program} -n ${quoted(inside)} -F`] : []),
    ...command.commands.flatMap((each) => commandLines(program, each, first)),
  ];
}

function optionWords({ short, long, value, description }: OptionOutline): string {
  const names = [...(short === undefined ? [] : [`-s ${short.slice(1)}`]), `-l ${long.slice(2)}`];
  const taken = value === undefined ? [] : [isFile(value) ? '-r -F' : '-x'];
  return [...names, ...taken, `-d ${quoted(description)}`].join(' ');
}

function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`;
}
