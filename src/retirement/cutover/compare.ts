import { isDeepStrictEqual } from 'node:util';
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
 * The fields that are not equal in two JSON answers; one that neither has proves nothing and is told as well. Pure. Throws a
 * RangeError on answers that are nested too deep to be compared.
 */
export function differences(
  path: string,
  fields: readonly string[],
  tunnel: unknown,
  successor: unknown,
): Difference[] {
  return fields.flatMap((field) => {
    const [here, there] = [fieldOf(tunnel, field), fieldOf(successor, field)];
    if (here !== undefined && isDeepStrictEqual(here, there)) return [];
    return [{ path, field, tunnel: show(here), successor: show(there) }];
  });
}

export function describeDifference({ path, field, tunnel, successor }: Difference): string {
  const names = `${printable(path, SHOWN)} ${printable(field, SHOWN)}`;
  if (tunnel === undefined && successor === undefined) return `${names}: missing on both sides`;
  return `${names}: ${tunnel ?? 'missing'} through the tunnel, ${successor ?? 'missing'} at the successor`;
}

function fieldOf(answer: unknown, field: string): unknown {
  if (typeof answer !== 'object' || answer === null || !Object.hasOwn(answer, field)) return undefined;
  return Reflect.get(answer, field);
}

function show(value: unknown): string | undefined {
  return value === undefined ? undefined : printable(JSON.stringify(value), SHOWN);
}
