/** Controls, C1 included, and the invisible characters that reorder or hide text on a terminal. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/**
 * One line that is safe on a terminal and in a log, whoever wrote it: a hostile server's ident or a remote error message
 * must not be able to move the cursor, recolour or rewrite what an operator reads. Cut to `limit` characters.
 */
export function printable(text: string, limit = 1_000): string {
  // Cut first: the text may be long, and a cut through a surrogate pair is replaced with the rest.
  const line = text.slice(0, limit).replace(/\s+/gu, ' ').replace(UNPRINTABLE, '\uFFFD');
  return text.length > limit ? `${line}…` : line;
}
