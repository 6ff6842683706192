import { quoted } from './expectation.ts';

/** A position in the YAML tree: keys and list indices. */
export type ConfigPath = readonly (string | number)[];

/** A mistake in the configuration, without line and column. */
export interface Finding {
  readonly path: ConfigPath;
  readonly message: string;
  /** The location points at the value, or at the key if the key is the mistake. */
  readonly at: 'value' | 'key';
}

/** A mistake in a configuration file, with line and column. */
export interface Problem {
  /** The file as the caller named it. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 units, as editors count. */
  readonly column: number;
  /** As in `tunnels.hub.probe.every`; empty for the whole file. */
  readonly path: string;
  /** "MISTAKE; expected …; did you mean "…"?" */
  readonly message: string;
  /** The line of the file and a caret below the mistake, for mistakes of YAML itself. */
  readonly excerpt?: string;
}

/** An unusable configuration, with all problems in the order of the file. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(problems.map(formatProblem).join('\n'));
    this.problems = problems;
  }
}

/** One line, `file:line:column: path: message`. Terminals and editors make a link of it. */
export function formatProblem({ file, line, column, path, message }: Problem): string {
  return `${file}:${line}:${column}: ${path === '' ? '' : `${path}: `}${message}`;
}

/** {@link formatProblem}, with the excerpt on further lines. */
export function showProblem(problem: Problem): string {
  return [formatProblem(problem), ...(problem.excerpt === undefined ? [] : [problem.excerpt])].join('\n');
}

/** `tunnels.hub.drain.compare[0].path`; a key with a dot is quoted. */
export function formatPath(path: ConfigPath): string {
  return path.reduce<string>((text, segment) => {
    if (typeof segment === 'number') return `${text}[${segment}]`;
    if (!/^[\w-]+$/.test(segment)) return `${text}[${quoted(segment)}]`;
    return text === '' ? segment : `${text}.${segment}`;
  }, '');
}
