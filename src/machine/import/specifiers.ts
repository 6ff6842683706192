import { NotTranslatable } from './entry.ts';

/** The values of the unit's specifiers. */
export interface UnitNames {
  /** File name with its ending, e.g. `tunnel@db.service`. */
  readonly fileName: string;
  /** The user of the service manager. */
  readonly manager: string;
  /** The home of that user. */
  readonly home: string;
  readonly hostname: string;
  /** Whether the unit belongs to the system. */
  readonly system: boolean;
}

/** The beginning of a path in the credentials directory, in the tunnel YAML. */
const CREDENTIALS = 'credential:';

/**
 * Expands specifiers (systemd.unit(5), SPECIFIERS). A file in the credentials directory becomes `credential:NAME`. Throws
 * {@link NotTranslatable} for a specifier of unknown value.
 */
export function expandSpecifiers(text: string, unit: UnitNames): string {
  const plain = unit.fileName.replace(/\.\w+$/, '');
  const at = plain.indexOf('@');
  const prefix = at === -1 ? plain : plain.slice(0, at);
  const instance = at === -1 ? '' : plain.slice(at + 1);
  const known: Readonly<Record<string, string>> = {
    '%': '%',
    h: unit.home,
    u: unit.manager,
    j: prefix.slice(prefix.lastIndexOf('-') + 1),
    T: '/tmp',
    V: '/var/tmp',
    l: unit.hostname.split('.')[0] ?? unit.hostname,
    ...(unit.system ? { t: '/run', S: '/var/lib', C: '/var/cache', L: '/var/log', E: '/etc' } : {}),
    H: unit.hostname,
    n: unit.fileName,
    N: plain,
    p: prefix,
    P: prefix,
    ...(instance === '' ? {} : { i: instance, I: unescaped(instance) }),
  };
  return text.replace(/(?<=(?:^|[^%])(?:%%)*)%d\/+/g, CREDENTIALS).replace(/%(.)/gs, (specifier, letter: string) => {
    const value = Object.hasOwn(known, letter) ? known[letter] : undefined;
    if (value !== undefined) return value;
    const hint =
      letter.toLowerCase() === 'i' ? ': name a copy of the file after an instance, as in tunnel@db.service' : '';
    throw new NotTranslatable(`the value of ${specifier} is unknown${hint}`);
  });
}

/**
 * Expands environment variables (systemd.service(5), COMMAND LINES): `${NAME}` anywhere, and `$NAME` as a whole word, split
 * at blanks. Throws {@link NotTranslatable} for a variable without a value, neither from the unit nor from `unset`.
 */
export function expandVariables(
  words: readonly string[],
  variables: ReadonlyMap<string, string>,
  unset: (name: string) => string | undefined = () => undefined,
): string[] {
  const lookUp = (name: string) => {
    const value = variables.get(name) ?? unset(name);
    if (value === undefined) throw new NotTranslatable(`the value of $${name} is unknown`);
    return value;
  };
  return words.flatMap((word) => {
    const [, alone] = /^\$(\w+)$/.exec(word) ?? [];
    if (alone !== undefined) return lookUp(alone).split(/\s+/).filter(Boolean);
    const placed = word.replace(/\$\{CREDENTIALS_DIRECTORY\}\/+/g, CREDENTIALS);
    return [placed.replace(/\$\$|\$\{(\w+)\}/g, (_, name?: string) => (name === undefined ? '$' : lookUp(name)))];
  });
}

/** Undoes systemd-escape(1): `-` is a slash, `\\x2d` a character. */
function unescaped(instance: string): string {
  return instance
    .replaceAll('-', '/')
    .replace(/\\x([0-9a-f]{2})/gi, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
}
