import {
  type ArgumentOutline,
  type CommandOutline,
  isFile,
  type OptionOutline,
} from '../../reference/command-outline.ts';

/** Completion for zsh: a function for each command, in the file that compinit finds by its name. */
export function zshCompletion(program: CommandOutline): string {
  const functions = functionsOf(program, [program.name]);
  return [`#compdef ${program.name}`, '', ...functions, `_${program.name} "$@"`, ''].join('\n');
}

function functionsOf(command: CommandOutline, words: readonly string[]): string[] {
  const name = `_${words.join('_')}`;
  const body = command.commands.length === 0 ? leaf(command) : group(command, name);
  return [
    ...command.commands.flatMap((each) => functionsOf(each, [...words, each.name])),
    `${name}() {`,
    ...body.map((line) => `  ${line}`),
    '}',
    '',
  ];
}

function leaf(command: CommandOutline): string[] {
  const specs = [...command.options.map(optionSpec), ...command.arguments.map(argumentSpec)];
  return [`_arguments -s -S ${specs.map(quote).join(' \\\n    ')}`];
}

function group(command: CommandOutline, name: string): string[] {
  const specs = [...command.options.map(optionSpec), '1: :->command', '*:: :->rest'];
  return [
    'local curcontext=$curcontext state line',
    'local -a commands',
    `_arguments -C ${specs.map(quote).join(' \\\n    ')}`,
    'case $state in',
    '  command)',
    '    commands=(',
    ...command.commands.map(
      (each) => `      ${quote(`${each.name}:${escaped(each.description).replaceAll(':', '\\:')}`)}`,
    ),
    '    )',
    "    _describe -t commands 'command' commands",
    '    ;;',
    '  rest)',
    '    case $line[1] in',
    ...command.commands.map((each) => `      ${each.name}) ${name}_${each.name} ;;`),
    '    esac',
    '    ;;',
    'esac',
  ];
}

function optionSpec({ short, long, value, description }: OptionOutline): string {
  const names = short === undefined ? long : `(${short} ${long})'{${short},${long}}'`;
  const taken = value === undefined ? '' : `:${value}:${isFile(value) ? '_files' : ' '}`;
  return `${names}[${escaped(description)}]${taken}`;
}

function argumentSpec({ name, usage, description }: ArgumentOutline): string {
  const which = usage.includes('...') ? '*' : usage.startsWith('[') ? ':' : '';
  const position = which === '*' ? '*:' : `1:${which}`;
  return `${position}${escaped(description).replaceAll(':', '\\:')}:${isFile(name) ? '_files' : ' '}`;
}

/** Escapes a description for an optspec of _arguments. */
function escaped(text: string): string {
  return text.replace(/[\\[\]]/g, '\\$&').replaceAll("'", "'\\''");
}

/** Adds single quotes. Parts that are quoted already (an apostrophe, the braces of two spellings) close and reopen them. */
function quote(spec: string): string {
  return `'${spec}'`;
}
