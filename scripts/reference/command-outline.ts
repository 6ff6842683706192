import type { Command, Option } from 'commander';

export interface OptionOutline {
  readonly short: string | undefined;
  readonly long: string;
  /** What its value is called, as in `--config <file>`; undefined for a flag. */
  readonly value: string | undefined;
  readonly description: string;
  /** What it is when it is not given, in words. */
  readonly default: string | undefined;
}

export interface ArgumentOutline {
  readonly name: string;
  /** As in a synopsis: `<file...>`, `[name]`. */
  readonly usage: string;
  readonly description: string;
}

/** A command as manual pages and completions show it; the program itself is the one without a name before it. */
export interface CommandOutline {
  readonly name: string;
  readonly description: string;
  readonly arguments: readonly ArgumentOutline[];
  readonly options: readonly OptionOutline[];
  readonly commands: readonly CommandOutline[];
  /** Whether it does something by itself: `plan` does, `import` only has two commands below it. */
  readonly acts: boolean;
}

/** What the program defines, with what commander adds to it (`--help`, the command `help`). */
export function outlineOf(command: Command): CommandOutline {
  const help = command.createHelp();
  return {
    name: command.name(),
    description: command.description(),
    arguments: command.registeredArguments.map((argument) => {
      const name = `${argument.name()}${argument.variadic ? '...' : ''}`;
      return {
        name: argument.name(),
        usage: argument.required ? `<${name}>` : `[${name}]`,
        description: argument.description,
      };
    }),
    options: help.visibleOptions(command).map(outlineOfOption),
    commands: help.visibleCommands(command).map(outlineOf),
    // What the program defines, without the `--help` of commander: a mere group has none of its own.
    acts: command.commands.length === 0 || command.options.length + command.registeredArguments.length > 0,
  };
}

/** The commands that do something, each with the words that call it, in the order of the program. */
export function leavesOf(outline: CommandOutline, words: readonly string[] = []): [string[], CommandOutline][] {
  return outline.commands.flatMap((command): [string[], CommandOutline][] => {
    const all = [...words, command.name];
    return [...(command.acts ? [[all, command] as [string[], CommandOutline]] : []), ...leavesOf(command, all)];
  });
}

/** Whether a value or an argument is a file, by what it is called. */
export function isFile(name: string | undefined): boolean {
  return name === 'file' || name === 'path';
}

function outlineOfOption(option: Option): OptionOutline {
  const { defaultValue, defaultValueDescription } = option;
  const plain = typeof defaultValue === 'string' ? defaultValue : undefined;
  return {
    short: option.short,
    long: option.long ?? option.flags,
    value: /[<[](.+?)[>\]]/.exec(option.flags)?.[1],
    description: option.description,
    default: defaultValueDescription ?? plain,
  };
}
