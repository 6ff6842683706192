import { NotTranslatable } from './entry.ts';

/** What is known of the unit, to put in for its specifiers. */
export interface UnitNames {
  /** File name with its ending, e.g. `tunnel@db.service`. */
  readonly fileName: string;
  readonly user: string;
  readonly hostname: string;
}

/**
 * Puts in what specifiers stand for (systemd.unit(5), SPECIFIERS). The home of the unit's user becomes `~`, which the tunnel
 * YAML has for the daemon's user. Throws {@link NotTranslatable} for one whose value is not known here.
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
 * Puts in environment variables (systemd.service(5), COMMAND LINES): `${NAME}` anywhere, `$NAME` as a word of its own,
 * which is split at blanks. Throws {@link NotTranslatable} for one that the unit itself does not set.
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
