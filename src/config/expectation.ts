/** Longer values are cut, because a message is one line of a log. */
const LONGEST_SHOWN = 60;

/** Text in quotes, on one line, cut if long. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}…` : text);
}

/** The first half of a message: the value that was found. */
export function describeValue(value: unknown): string {
  if (value === undefined) return 'missing';
  if (value === null) return 'has no value';
  if (typeof value === 'string') return `got ${quoted(value)}`;
  if (Array.isArray(value)) return 'got a list';
  return typeof value === 'object' ? 'got a mapping' : `got ${String(value)}`;
}

/** A zod error map. Every broken rule gives the same message: the value and the full expectation. */
export function wants(expected: string): (issue: { readonly input?: unknown }) => string {
  return ({ input }) => `${describeValue(input)}; expected ${expected}`;
}

/** `a`, `a or b`, `a, b or c`. */
export function oneOf(words: readonly string[]): string {
  return words.length < 2 ? words.join() : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}
