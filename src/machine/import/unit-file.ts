/** One `Key=value` of a unit file, with its section. */
export interface Directive {
  readonly section: string;
  readonly key: string;
  readonly value: string;
}

/** Parses a unit file (systemd.syntax(7)): comments, continuation lines with comments between them, repeated keys. */
export function parseUnitFile(text: string): Directive[] {
  const directives: Directive[] = [];
  let section = '';
  let pending = '';
  // The last line may be a continuation too: an empty line ends it.
  for (const raw of [...text.split(/\r?\n/), '']) {
    const line = raw.trim();
    if (line.startsWith('#') || line.startsWith(';')) continue;
    if (line.endsWith('\\')) {
      pending += `${line.slice(0, -1)} `;
      continue;
    }
    const whole = `${pending}${line}`;
    pending = '';
    const [, name] = /^\[(.+)\]$/.exec(whole) ?? [];
    if (name !== undefined) section = name;
    const [, key, value] = /^([A-Za-z0-9-]+)\s*=\s*(.*)$/s.exec(whole) ?? [];
    if (key !== undefined && value !== undefined) directives.push({ section, key, value: value.trim() });
  }
  return directives;
}

/** All values of a list setting; an empty value removes the values before it. */
export function valuesOf(directives: readonly Directive[], section: string, key: string): string[] {
  const values = directives.flatMap((each) => (each.section === section && each.key === key ? [each.value] : []));
  return values.slice(values.lastIndexOf('') + 1);
}

/**
 * The variables of an EnvironmentFile= (systemd.exec(5)): `NAME=value` lines, quotes, comments, continuation lines. A later
 * line wins.
 */
export function parseEnvironmentFile(text: string): Map<string, string> {
  const variables = new Map<string, string>();
  for (const line of text.replace(/\\\r?\n/g, '').split(/\r?\n/)) {
    const [, name, written = ''] = /^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (name === undefined) continue;
    const [, double, single] = /^(?:"((?:[^"\\]|\\.)*)"|'([^']*)')$/.exec(written) ?? [];
    variables.set(name, single ?? (double ?? written).replace(/\\(.)/g, '$1'));
  }
  return variables;
}
