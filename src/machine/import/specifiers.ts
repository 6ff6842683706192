import { NotTranslatable } from './entry.ts';

/** The values of the unit's specifiers. */
export interface UnitNames {
  /** File name with its ending, e.g. `tunnel@db.service`. */
  readonly fileName: string;
  readonly user: string;
  readonly hostname: string;
}

/**
 * Expands specifiers (systemd.unit(5), SPECIFIERS). The home of the unit's user becomes `~`, the home of the daemon's user
 * in the tunnel YAML. Throws {@link NotTranslatable} for a specifier of unknown value.
 */
export function expandSpecifiers(text: string, unit: UnitNames): string {
  const plain = unit.fileName.replace(/\.\w+$/, '');
  const at = plain.indexOf('@');
  const prefix = at === -1 ? plain : plain.slice(0, at);
  const instance = at === -1 ? '' : plain.slice(at + 1);
  const known: Readonly<Record<string, string>> = {
    '%': '%',
    h: '~',
    u: unit.user,
    H: unit.hostname,
    n: unit.fileName,
    N: plain,
    p: prefix,
    P: prefix,
    ...(instance === '' ? {} : { i: instance, I: instance.replaceAll('-', '/') }),
  };
  return text.replace(/%(.)/gs, (specifier, letter: string) => {
    const value = Object.hasOwn(known, letter) ? known[letter] : undefined;
    if (value !== undefined) return value;
    const hint =
      letter.toLowerCase() === 'i' ? ': name a copy of the file after an instance, as in tunnel@db.service' : '';
    throw new NotTranslatable(`the value of ${specifier} is unknown${hint}`);
  });
}

/**
 * Expands environment variables (systemd.service(5), COMMAND LINES): `${NAME}` anywhere, and `$NAME` as a whole word, split
 * at blanks. Throws {@link NotTranslatable} for a variable that the unit does not set.
 */
export function expandVariables(words: readonly string[], variables: ReadonlyMap<string, string>): string[] {
  const lookUp = (name: string) => {
    const value = variables.get(name);
    if (value === undefined) throw new NotTranslatable(`the value of $${name} is unknown`);
    return value;
  };
  return words.flatMap((word) => {
    const [, alone] = /^\$(\w+)$/.exec(word) ?? [];
    if (alone !== undefined) return lookUp(alone).split(/\s+/).filter(Boolean);
    return [word.replace(/\$\{(\w+)\}/g, (_, name: string) => lookUp(name)).replaceAll('$$', '$')];
  });
}
