import { z } from 'zod';
import type { Problem } from './problem.ts';

/**
 * Parses the query of a request, or returns a problem. Strict: a health check must not pass because its condition is
 * misspelt.
 */
export function readQuery<Shape extends z.ZodRawShape>(
  query: unknown,
  shape: Shape,
): { readonly values: z.output<z.ZodObject<Shape>> } | { readonly problem: Problem } {
  const parsed = z.strictObject(shape).safeParse(query ?? {});
  if (parsed.success) return { values: parsed.data };
  const { issues } = parsed.error;
  const [first] = issues;
  if (first === undefined || issues.some(({ code }) => code === 'unrecognized_keys')) {
    return { problem: invalid(parametersOf(Object.keys(shape))) };
  }
  return { problem: invalid(`"${first.path.join('.')}" ${first.message}.`) };
}

/** A parameter that is one of these words. */
export function oneOf<const Words extends readonly [string, ...string[]]>(words: Words) {
  const expected = words.length === 1 ? `must be: ${words[0]}` : `must be one of: ${words.join(', ')}`;
  return z.enum(words, { error: expected }).optional();
}

/** A parameter of any text. */
export const text = z.string({ error: 'may be given once' }).optional();

export function invalid(detail: string): Problem {
  return { status: 400, code: 'bad_query', title: 'Bad Request', detail };
}

function parametersOf(names: readonly string[]): string {
  if (names.length === 0) return 'This path takes no query parameters.';
  if (names.length === 1) return `The only query parameter here is "${names[0]}".`;
  return `The query parameters here are: ${names.join(', ')}.`;
}
