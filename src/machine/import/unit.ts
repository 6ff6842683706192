import { basename } from 'node:path';
import { NotTranslatable, type SshEntry, type SshOption } from './entry.ts';
import { expandSpecifiers, expandVariables, type UnitNames } from './specifiers.ts';
import { parseSshArguments } from './ssh-arguments.ts';
import { type Directive, parseUnitFile, valuesOf } from './unit-file.ts';
import { splitWords } from './words.ts';

/** The entries of a unit, and the commands that could not be translated. */
export interface UnitImport {
  readonly entries: readonly SshEntry[];
  /** One line each. */
  readonly failures: readonly string[];
}

export interface UnitContext {
  /** The name of this machine, for %H. */
  readonly hostname: string;
  /** The user of a unit without User=. */
  readonly user: string;
}

/** Settings that end with the unit: the daemon has its own. */
const SUPERSEDED =
  /^(Restart|Type|Start|Timeout|Kill|Success|RemainAfterExit|After|Before|Wants|Requires|WantedBy|RequiredBy|Alias|Documentation|Environment$|User$|Group$|Description$|Exec(Start|Reload|Stop)$)/;

/** Translates the ssh and autossh commands of a systemd service. Never throws. */
export function readUnit(path: string, text: string, context: UnitContext): UnitImport {
  const directives = parseUnitFile(text);
  const fileName = basename(path);
  const user = valuesOf(directives, 'Service', 'User').at(-1) ?? context.user;
  const names: UnitNames = { fileName, user, hostname: context.hostname };
  const commands = valuesOf(directives, 'Service', 'ExecStart');
  if (commands.length === 0) return { entries: [], failures: [`${fileName} has no ExecStart=`] };
  const entries: SshEntry[] = [];
  const failures: string[] = [];
  for (const command of commands) {
    try {
      entries.push(entryOf(command, directives, names));
    } catch (error) {
      if (!(error instanceof NotTranslatable)) throw error;
      failures.push(`${fileName}: ${error.message}: ExecStart=${command}`);
    }
  }
  return { entries, failures };
}

function entryOf(command: string, directives: readonly Directive[], names: UnitNames): SshEntry {
  const variables = variablesOf(directives, names);
  const words = expandVariables(
    splitWords(command).map((word) => expandSpecifiers(word, names)),
    variables,
  );
  const { program, rest } = programOf(words);
  const { destination, options, untranslated, needless } = parseSshArguments(rest, program);
  const description = valuesOf(directives, 'Unit', 'Description').at(-1);
  const user: SshOption = { keyword: 'user', value: names.user };
  const assumed = options.some(({ keyword }) => keyword === 'user')
    ? []
    : [`no user is named: assumed to be the user of the unit, ${names.user}`];
  return {
    source: names.fileName,
    label: names.fileName.replace(/\.service$/, ''),
    note: description === undefined ? undefined : expandSpecifiers(description, names),
    destination,
    options: [...options, user],
    remarks: [
      ...untranslated.map((what) => `not translated: ${what}`),
      ...(needless.length === 0 ? [] : [`always on in fleet-mesh: ${needless.join(' ')}`]),
      ...assumed,
      ...leftovers(directives),
    ],
  };
}

function programOf(words: readonly string[]): { program: 'ssh' | 'autossh'; rest: readonly string[] } {
  const [first = '', ...others] = words;
  const prefix = /^[-@:+!|]*/.exec(first)?.[0] ?? '';
  // After "@" the second word is argv[0] of the program.
  let rest = [first.slice(prefix.length), ...(prefix.includes('@') ? others.slice(1) : others)];
  if (basename(rest[0] ?? '') === 'env') {
    rest = rest.slice(1);
    while (/^\w+=/.test(rest[0] ?? '')) rest = rest.slice(1);
  }
  const program = basename(rest[0] ?? '');
  if (program === 'ssh' || program === 'autossh') return { program, rest: rest.slice(1) };
  throw new NotTranslatable(`the command runs ${program || 'nothing'}, not ssh`);
}

function variablesOf(directives: readonly Directive[], names: UnitNames): ReadonlyMap<string, string> {
  const assignments = valuesOf(directives, 'Service', 'Environment').flatMap((line) => splitWords(line));
  return new Map(
    assignments.map((assignment): [string, string] => {
      const [name = '', ...value] = expandSpecifiers(assignment, names).split('=');
      return [name, value.join('=')];
    }),
  );
}

function leftovers(directives: readonly Directive[]): string[] {
  // Shows only the names of variables: values may be secrets.
  const shown = ({ key, value }: Directive) =>
    `${key}=${key === 'Environment' ? value.replace(/=("[^"]*"|'[^']*'|[^\s"']*)/g, '=…') : value}`;
  const ending = directives.filter(({ key }) => SUPERSEDED.test(key) && !/^(ExecStart|Description)$/.test(key));
  const others = directives.filter(({ key }) => !SUPERSEDED.test(key));
  return [
    ...(ending.length === 0 ? [] : [`ends with the unit: ${ending.map(shown).join(', ')}`]),
    ...others.map((directive) => `not translated: ${shown(directive)}`),
  ];
}
