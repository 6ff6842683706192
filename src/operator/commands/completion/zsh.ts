import { NAMES_COMMAND } from './offer-names.ts';
import type { ArgumentOutline, CommandOutline, Offer, OptionOutline } from './outline.ts';

/** Completion for zsh: a function for each command. The file works in `fpath`, and with `source` after compinit. */
export function zshCompletion(program: CommandOutline): string {
  const { name } = program;
  const functions = functionsOf(program, [name]);
  return [`#compdef ${name}`, '', ...names(name), ...functions, ...ending(name), ''].join('\n');
}

/** Found by compinit, the file is the body of a function, which completes. Sourced, the file has to register itself. */
function ending(program: string): string[] {
  return [
    `if [[ \${funcstack[1]} == _${program} ]]; then`,
    `  _${program} "$@"`,
    'else',
    `  compdef _${program} ${program}`,
    'fi',
  ];
}

/** `_arguments` gives the options of compadd first. */
function names(program: string): string[] {
  return [
    `_${program}-names() {`,
    '  local -a found',
    `  found=(\${(f)"$(${program} ${NAMES_COMMAND} \${@[-1]} \${words} 2>/dev/null)"})`,
    `  compadd "\${@[1,-2]}" -a found`,
    '}',
    '',
  ];
}

function functionsOf(command: CommandOutline, words: readonly string[]): string[] {
  const name = `_${words.join('_')}`;
  const body = command.commands.length === 0 ? leaf(command, words[0] ?? '') : group(command, name, words[0] ?? '');
  return [
    ...command.commands.flatMap((each) => functionsOf(each, [...words, each.name])),
    `${name}() {`,
    ...body.map((line) => `  ${line}`),
    '}',
    '',
  ];
}

function leaf(command: CommandOutline, program: string): string[] {
  const specs = [
    ...command.options.map((option) => optionSpec(option, program)),
    ...command.arguments.map((argument) => argumentSpec(argument, program)),
  ];
  return [`_arguments -s -S ${specs.map(quote).join(' \\\n    ')}`];
}

function group(command: CommandOutline, name: string, program: string): string[] {
  const specs = [...command.options.map((option) => optionSpec(option, program)), '1: :->command', '*:: :->rest'];
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

function optionSpec({ short, long, value, description, offer }: OptionOutline, program: string): string {
  const names = short === undefined ? long : `(${short} ${long})'{${short},${long}}'`;
  const taken = value === undefined ? '' : `:${value}:${action(offer, program)}`;
  return `${names}[${escaped(description)}]${taken}`;
}

function argumentSpec({ usage, description, offer }: ArgumentOutline, program: string): string {
  const which = usage.includes('...') ? '*' : usage.startsWith('[') ? ':' : '';
  const position = which === '*' ? '*:' : `:${which}`;
  return `${position}${escaped(description).replaceAll(':', '\\:')}:${action(offer, program)}`;
}

function action(offer: Offer, program: string): string {
  if (offer.kind === 'words') return `(${offer.words.join(' ')})`;
  if (offer.kind === 'names') return `_${program}-names ${offer.of}`;
  return offer.kind === 'files' ? '_files' : ' ';
}

/** Escapes a description for an optspec of _arguments. */
function escaped(text: string): string {
  return text.replace(/[\\[\]]/g, '\\$&').replaceAll("'", "'\\''");
}

/** Adds single quotes. Parts that are quoted already (an apostrophe, the braces of two spellings) close and reopen them. */
function quote(spec: string): string {
  return `'${spec}'`;
}
