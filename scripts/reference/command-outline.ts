import type { Command, Option } from 'commander';

export interface OptionOutline {
  readonly short: string | undefined;
  readonly long: string;
  /** The name of the value, as in `--config <file>`; undefined for a flag. */
  readonly value: string | undefined;
  readonly description: string;
  /** The default, in words. */
  readonly default: string | undefined;
}

export interface ArgumentOutline {
  readonly name: string;
  /** The form in a synopsis: `<file...>`, `[name]`. */
  readonly usage: string;
  readonly description: string;
}

/** A command, or the program itself, for manual pages and completions. */
export interface CommandOutline {
  readonly name: string;
  readonly description: string;
  readonly arguments: readonly ArgumentOutline[];
  readonly options: readonly OptionOutline[];
  readonly commands: readonly CommandOutline[];
  /** Whether the command can run without a subcommand: `plan` can, `import` cannot. */
  readonly acts: boolean;
}

/** The outline of the program, including `--help` and the command `help` of commander. */
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

/** Whether a value or an argument is a file, by its name. */
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
