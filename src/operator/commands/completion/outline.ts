import type { Command, Option } from 'commander';
import type { NameKind } from '../../../config/names.ts';
import { examplesOf } from '../help.ts';

export interface OptionOutline {
  readonly short: string | undefined;
  readonly long: string;
  /** The name of the value, as in `--config <file>`; undefined for a flag. */
  readonly value: string | undefined;
  readonly description: string;
  /** The default, in words. */
  readonly default: string | undefined;
  readonly offer: Offer;
}

/** What a shell offers for a value. */
export type Offer =
  | { readonly kind: 'words'; readonly words: readonly string[] }
  /** Names of this kind in the configuration or the plan. */
  | { readonly kind: 'names'; readonly of: NameKind }
  | { readonly kind: 'files' }
  | { readonly kind: 'nothing' };

export interface ArgumentOutline {
  readonly name: string;
  /** The form in a synopsis: `<file...>`, `[name]`. */
  readonly usage: string;
  readonly description: string;
  readonly offer: Offer;
}

/** A command, or the program itself, for manual pages and completions. */
export interface CommandOutline {
  readonly name: string;
  readonly description: string;
  readonly arguments: readonly ArgumentOutline[];
  readonly options: readonly OptionOutline[];
  readonly commands: readonly CommandOutline[];
  /** Lines to try, each with what it does. */
  readonly examples: readonly (readonly [line: string, does: string])[];
  /** Whether the command can run without a subcommand: `plan` can, `import` cannot. */
  readonly acts: boolean;
}

/** The outline of the program, including `--help` and the command `help` of commander. */
export function outlineOf(command: Command, words: readonly string[] = []): CommandOutline {
  const help = command.createHelp();
  const called = words.join(' ');
  return {
    name: command.name(),
    description: command.description(),
    arguments: command.registeredArguments.map((argument) => {
      const name = `${argument.name()}${argument.variadic ? '...' : ''}`;
      return {
        name: argument.name(),
        usage: argument.required ? `<${name}>` : `[${name}]`,
        description: argument.description,
        offer: offerOf(called, argument.name(), argument.argChoices),
      };
    }),
    options: help.visibleOptions(command).map((option) => outlineOfOption(option, called)),
    commands: help.visibleCommands(command).map((each) => outlineOf(each, [...words, each.name()])),
    examples: examplesOf(called),
    // A mere group defines no options and no arguments; `--help` of commander does not count.
    acts: command.commands.length === 0 || command.options.length + command.registeredArguments.length > 0,
  };
}

/** The commands that can run, each with its words, in the order of the program. */
export function leavesOf(outline: CommandOutline, words: readonly string[] = []): [string[], CommandOutline][] {
  return outline.commands.flatMap((command): [string[], CommandOutline][] => {
    const all = [...words, command.name];
    return [...(command.acts ? [[all, command] as [string[], CommandOutline]] : []), ...leavesOf(command, all)];
  });
}

/** By the name of the value or the argument: the same word means the same thing in every command, with few exceptions. */
function offerOf(command: string, name: string | undefined, choices: readonly string[] | undefined): Offer {
  if (choices !== undefined) return { kind: 'words', words: choices };
  if (name === undefined) return { kind: 'nothing' };
  if (name === 'file' || name === 'path' || name === 'key') return { kind: 'files' };
  const of = EXCEPTIONS[`${command} ${name}`] ?? KINDS[name];
  return of === undefined || of === 'none' ? { kind: 'nothing' } : { kind: 'names', of };
}

const KINDS: Readonly<Record<string, NameKind>> = {
  name: 'tunnels',
  actor: 'actors',
  destination: 'hosts',
  destinations: 'hosts',
  gate: 'gates',
  step: 'steps',
  number: 'waves',
};

const EXCEPTIONS: Readonly<Record<string, NameKind | 'none'>> = {
  'add name': 'none',
  'doctor name': 'places',
  'acceptance host': 'hosts',
};

function outlineOfOption(option: Option, command: string): OptionOutline {
  const { defaultValue, defaultValueDescription } = option;
  const value = /[<[](.+?)[>\]]/.exec(option.flags)?.[1];
  const plain = typeof defaultValue === 'string' ? defaultValue : undefined;
  return {
    short: option.short,
    long: option.long ?? option.flags,
    value,
    description: option.description,
    default: defaultValueDescription ?? plain,
    offer: offerOf(command, value, option.argChoices),
  };
}
