import { basename } from 'node:path';
import { findSsh, onlyKeepsOpen } from './command.ts';
import { remarksOnDirectives } from './directives.ts';
import { loss, NotTranslatable, note, type Remark, type SshEntry } from './entry.ts';
import { expandSpecifiers, expandVariables, type UnitNames } from './specifiers.ts';
import { parseSshArguments } from './ssh-arguments.ts';
import { type Directive, parseEnvironmentFile, parseUnitFile, valuesOf } from './unit-file.ts';
import { splitCommands, splitWords } from './words.ts';

/** The entries of a unit, and the commands that could not be translated. */
export interface UnitImport {
  readonly entries: readonly SshEntry[];
  /** One line each. */
  readonly failures: readonly string[];
}

export interface UnitContext {
  /** The name of this machine, for %H. */
  readonly hostname: string;
  /** The user who imports: the user of a unit of a user manager. */
  readonly user: string;
  /** The homes of the users of this machine, by name. */
  readonly homes?: ReadonlyMap<string, string>;
  /** The text of each EnvironmentFile=, by path. */
  readonly environmentFiles?: ReadonlyMap<string, string>;
}

/** Where systemd looks for units of the system; other directories may hold copies. */
const SYSTEM_DIRECTORY = /\/systemd\/system(\/|$)/;
const USER_DIRECTORY = /\/systemd\/user(\/|$)/;

/** Translates the ssh and autossh commands of a systemd service, its drop-ins appended. Never throws. */
export function readUnit(path: string, text: string, context: UnitContext): UnitImport {
  const directives = parseUnitFile(text);
  const names = unitNames(path, directives, context);
  const { fileName } = names;
  const commands = valuesOf(directives, 'Service', 'ExecStart').flatMap(splitCommands);
  if (commands.length === 0) return { entries: [], failures: [`${fileName} has no ExecStart=.`] };
  const entries: SshEntry[] = [];
  const failures: string[] = [];
  for (const command of commands) {
    try {
      entries.push(entryOf(command, directives, names, context));
    } catch (error) {
      if (!(error instanceof NotTranslatable)) throw error;
      // Never the command itself: it may contain a password.
      failures.push(`${fileName}: ExecStart= is not translated: ${error.message}.`);
    }
  }
  return { entries, failures };
}

/** The paths of EnvironmentFile=, without those of unknown value. `optional`: the file may be missing. */
export function environmentFilesOf(path: string, text: string, context: UnitContext) {
  const directives = parseUnitFile(text);
  const names = unitNames(path, directives, context);
  return valuesOf(directives, 'Service', 'EnvironmentFile').flatMap((value) => {
    const written = value.replace(/^-/, '').replace(/^"(.*)"$/, '$1');
    try {
      return [{ path: expandSpecifiers(written, names), optional: value.startsWith('-') }];
    } catch {
      return [];
    }
  });
}

function unitNames(path: string, directives: readonly Directive[], context: UnitContext): UnitNames {
  const named = valuesOf(directives, 'Service', 'User').length > 0;
  const system = SYSTEM_DIRECTORY.test(path) || (named && !USER_DIRECTORY.test(path));
  const [manager, home] = system ? ['root', '/root'] : [context.user, '~'];
  return { fileName: basename(path), manager, home, hostname: context.hostname, system };
}

function entryOf(command: string, directives: readonly Directive[], names: UnitNames, context: UnitContext): SshEntry {
  const user = expandSpecifiers(valuesOf(directives, 'Service', 'User').at(-1) ?? names.manager, names);
  // The daemon of the system has another home, whoever imports.
  const home = user === context.user && !names.system ? undefined : context.homes?.get(user);
  // systemd.exec(5): these three come from the service manager; the unit may set others.
  const variables = new Map([
    ['HOME', home ?? '~'],
    ['USER', user],
    ['LOGNAME', user],
    ...variablesOf(directives, names, context),
  ]);
  const written = splitWords(command).map((word) => expandSpecifiers(word, names));
  // systemd.service(5), COMMAND LINES: after ":" a dollar is a dollar.
  const empty = new Set<string>();
  const unset = (name: string) => {
    if (!lacksFile(directives, names, context)) return undefined;
    empty.add(name);
    return '';
  };
  const words = /^[-@+!|]*:/.test(command) ? written : expandVariables(written, variables, unset);
  const found = findSsh(words);
  const parsed = parseSshArguments(found.words, found.program);
  const described = valuesOf(directives, 'Unit', 'Description').at(-1);
  const options = parsed.options.map(({ keyword, value }) => {
    if (!/^(identityfile|userknownhostsfile)$/.test(keyword))
      return { keyword, value: value.replaceAll('credential:', '$CREDENTIALS_DIRECTORY/') };
    // systemd.exec(5), CREDENTIALS: the directory of a unit of the system.
    const directory = `/run/credentials/${names.fileName}/`;
    return { keyword, value: value.startsWith(directory) ? `credential:${value.slice(directory.length)}` : value };
  });
  return {
    source: names.fileName,
    label: names.fileName.replace(/\.service$/, ''),
    note: described && (expandQuietly(described, names) || described),
    destination: parsed.destination,
    options,
    localUser: user,
    home,
    system: names.system,
    configFile: parsed.configFile,
    agent: valuesOf(directives, 'Service', 'Environment').some((line) => /(^|[\s"'])SSH_AUTH_SOCK=/.test(line)),
    remarks: [
      ...[...empty].map((name) => note(`$${name} has no value: the file that may set the variable is missing.`)),
      ...found.remarks,
      ...parsed.untranslated.map((flag) => loss(`The flag ${flag} is not translated.`)),
      ...(parsed.command.length === 0 ? [] : [remarkOnCommand(parsed.command)]),
      ...(parsed.needless.length === 0
        ? []
        : [note(`fleet-mesh does not need the flags ${parsed.needless.join(' ')}.`)]),
      ...remarkOnHome(user, home, context.user, options),
      ...remarksOnCredentials(directives, options),
      ...remarksOnDirectives(directives),
    ],
  };
}

function remarkOnCommand(command: readonly string[]): Remark {
  return onlyKeepsOpen(command)
    ? note('The remote command is left out: it only keeps the session open.')
    : loss('The remote command is not translated: fleet-mesh runs no command on the host.');
}

function remarkOnHome(user: string, home: string | undefined, own: string, options: SshEntry['options']): Remark[] {
  if (home !== undefined || user === own || !options.some(({ value }) => value.startsWith('~'))) return [];
  return [note(`The path ~ is the home of ${user}: run fleet-mesh as ${user}, or write the whole path.`)];
}

/** A credential that the unit does not load would not be there for fleet-mesh either. */
function remarksOnCredentials(directives: readonly Directive[], options: SshEntry['options']): Remark[] {
  const loaded = ['LoadCredential', 'LoadCredentialEncrypted', 'SetCredential', 'SetCredentialEncrypted'].flatMap(
    (key) => valuesOf(directives, 'Service', key).map((value) => value.split(':')[0]),
  );
  return options.flatMap(({ value }) => {
    const [, name] = /^credential:(.+)$/.exec(value) ?? [];
    if (name === undefined || loaded.includes(name)) return [];
    return [
      note(`The unit loads no credential ${name}: write LoadCredential=${name}:PATH into the unit of fleet-mesh.`),
    ];
  });
}

/** The variables of known value; the files win over Environment=. */
function variablesOf(directives: readonly Directive[], names: UnitNames, context: UnitContext): Map<string, string> {
  const variables = new Map<string, string>();
  for (const line of valuesOf(directives, 'Service', 'Environment')) {
    for (const assignment of splitWords(line)) {
      const [name = '', ...value] = assignment.split('=');
      try {
        variables.set(name, expandSpecifiers(value.join('='), names));
      } catch {
        variables.delete(name);
      }
    }
  }
  for (const value of valuesOf(directives, 'Service', 'EnvironmentFile')) {
    const text = context.environmentFiles?.get(expandQuietly(value.replace(/^-/, ''), names));
    for (const [name, each] of parseEnvironmentFile(text ?? '')) variables.set(name, each);
  }
  return variables;
}

/** Whether a file of `EnvironmentFile=-` is missing. systemd then takes an empty text for each of its variables. */
function lacksFile(directives: readonly Directive[], names: UnitNames, context: UnitContext): boolean {
  return valuesOf(directives, 'Service', 'EnvironmentFile').some((value) => {
    const path = value.startsWith('-') ? expandQuietly(value.slice(1), names) : '';
    return path !== '' && context.environmentFiles?.has(path) === false;
  });
}

function expandQuietly(text: string, names: UnitNames): string {
  try {
    return expandSpecifiers(text.replace(/^"(.*)"$/, '$1'), names);
  } catch {
    return '';
  }
}
