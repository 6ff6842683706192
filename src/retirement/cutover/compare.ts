import { isDeepStrictEqual } from 'node:util';
import { exactJsonText } from '../../base/text/exact-json.ts';
import { printable } from '../../base/text/printable.ts';

/** Characters of a value that are shown. */
const SHOWN = 60;

/** One field that is not the same on both sides. */
export interface Difference {
  readonly path: string;
  readonly field: string;
  /** Shortened; undefined: there is no such field. */
  readonly tunnel: string | undefined;
  readonly successor: string | undefined;
}

/**
 * The fields that are not equal in two answers (of {@link parseExactJson}). A field that is missing or null on both sides
 * proves nothing and is a difference as well. Pure. Throws a RangeError on answers that are nested too deep to be compared.
 */
export function differences(
  path: string,
  fields: readonly string[],
  tunnel: unknown,
  successor: unknown,
): Difference[] {
  return fields.flatMap((field) => {
    const [here, there] = [fieldOf(tunnel, field), fieldOf(successor, field)];
    if (here !== undefined && here !== null && isDeepStrictEqual(here, there)) return [];
    return [{ path, field, tunnel: show(here), successor: show(there) }];
  });
}

export function describeDifference({ path, field, tunnel, successor }: Difference): string {
  const names = `${printable(path, SHOWN)} ${printable(field, SHOWN)}`;
  if (tunnel === undefined && successor === undefined) return `${names}: missing on both sides`;
  if (tunnel === 'null' && successor === 'null') return `${names}: null on both sides, which proves nothing`;
  return `${names}: ${tunnel ?? 'missing'} through the tunnel, ${successor ?? 'missing'} at the successor`;
}

function fieldOf(answer: unknown, field: string): unknown {
  if (typeof answer !== 'object' || answer === null || !Object.hasOwn(answer, field)) return undefined;
  return Reflect.get(answer, field);
}

function show(value: unknown): string | undefined {
  const text = exactJsonText(value);
  return text === undefined ? undefined : printable(text, SHOWN);
}
