import type { Finding } from './problem.ts';

/** A setting of SPEC section 2 whose behaviour does not exist yet. */
interface NotYet {
  /** Keys from the top; `*` stands for every name. */
  readonly path: readonly string[];
  /** Which values are not supported; without it, the setting as such. */
  readonly when?: (value: unknown) => boolean;
}

/** One line for each: who builds the behaviour deletes the line. */
const NOT_YET: readonly NotYet[] = [
  { path: ['tunnels', '*', 'drain', 'quiet_for'] },
  { path: ['tunnels', '*', 'drain', 'rollback'] },
  { path: ['tunnels', '*', 'drain', 'successor'] },
];

/** Valid settings that would do nothing are refused: silently ignoring one would be a promise broken in the night. */
export function checkNotYet(data: unknown): Finding[] {
  return NOT_YET.flatMap(({ path, when }) =>
    matches(data, path).flatMap(([found, value]): Finding[] => {
      if (when === undefined) return [{ path: found, message: 'is not supported yet by this version', at: 'key' }];
      if (!when(value)) return [];
      return [{ path: found, message: `${JSON.stringify(value)} is not supported yet by this version`, at: 'value' }];
    }),
  );
}

function matches(data: unknown, path: readonly string[]): [string[], unknown][] {
  const [segment, ...rest] = path;
  if (segment === undefined) return [[[], data]];
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return [];
  return Object.entries(data)
    .filter(([key]) => segment === '*' || key === segment)
    .flatMap(([key, value]) => matches(value, rest).map(([found, end]): [string[], unknown] => [[key, ...found], end]));
}
