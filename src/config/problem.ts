import { quoted } from './expectation.ts';

/** A place in the tree of the YAML: keys, and indices of lists. */
export type ConfigPath = readonly (string | number)[];

/** Something wrong with the configuration, before it is known where in the file that is. */
export interface Finding {
  readonly path: ConfigPath;
  readonly message: string;
  /** What the location points at: the value (the usual case), or the key where the key itself is the mistake. */
  readonly at: 'value' | 'key';
}

/** Something wrong with a configuration file, located. */
export interface Problem {
  /** As the file was named to us. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 units, as editors count. */
  readonly column: number;
  /** As in `tunnels.hub.probe.every`; empty for the file as a whole. */
  readonly path: string;
  /** What is wrong; expected …; did you mean "…"? */
  readonly message: string;
}

/** A configuration that cannot be used, with everything that is wrong with it, in the order of the file. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(problems.map(formatProblem).join('\n'));
    this.problems = problems;
  }
}

/** One line, `file:line:column: path: message`, which terminals and editors turn into a link. */
export function formatProblem({ file, line, column, path, message }: Problem): string {
  return `${file}:${line}:${column}: ${path === '' ? '' : `${path}: `}${message}`;
}

/** `tunnels.hub.drain.compare[0].path`; a key that itself contains a dot is quoted. */
export function formatPath(path: ConfigPath): string {
  return path.reduce<string>((text, segment) => {
    if (typeof segment === 'number') return `${text}[${segment}]`;
    if (!/^[\w-]+$/.test(segment)) return `${text}[${quoted(segment)}]`;
    return text === '' ? segment : `${text}.${segment}`;
  }, '');
}
