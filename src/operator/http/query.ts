import type { Problem } from './problem.ts';

/**
 * The one query parameter that a route knows, or a problem. Strict: a gate that ignores a misspelt condition
 * (`?prodution=true`) says yes to a question nobody asked.
 */
export function oneOf<Value extends string>(
  query: unknown,
  name: string,
  values: readonly Value[],
): { readonly value: Value | undefined } | { readonly problem: Problem } {
  const given = Object.entries(query ?? {});
  const unknown = given.find(([key]) => key !== name);
  if (unknown !== undefined) return { problem: invalid(`The only query parameter here is "${name}".`) };
  const asked: unknown = given[0]?.[1];
  const value = values.find((candidate) => candidate === asked);
  if (asked !== undefined && value === undefined) {
    return { problem: invalid(`"${name}" must be one of: ${values.join(', ')}.`) };
  }
  return { value };
}

/** The query parameters of those names, each at most once; anything else is a problem. */
export function someOf<Name extends string>(
  query: unknown,
  names: readonly Name[],
): { readonly values: { readonly [name in Name]?: string } } | { readonly problem: Problem } {
  const values: { [name in Name]?: string } = {};
  for (const [key, value] of Object.entries(query ?? {})) {
    const name = names.find((known) => known === key);
    if (name === undefined) return { problem: invalid(`The query parameters here are: ${names.join(', ')}.`) };
    if (typeof value !== 'string') return { problem: invalid(`"${name}" may be given once.`) };
    values[name] = value;
  }
  return { values };
}

export function invalid(detail: string): Problem {
  return { status: 400, code: 'bad_query', title: 'Bad Request', detail };
}
