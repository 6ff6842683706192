/** Control characters (C0, C1) and invisible characters that reorder or hide text on a terminal. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/**
 * Makes foreign text one line that is safe on a terminal and in a log. The banner or the error message of a hostile
 * server must not move the cursor, change colours or overwrite other text. Cut to `limit` characters.
 */
export function printable(text: string, limit = 1_000): string {
  // Cut first: the text may be long, and a cut through a surrogate pair is replaced with the rest.
  const line = text.slice(0, limit).replace(/\s+/gu, ' ').replace(UNPRINTABLE, '\uFFFD');
  return text.length > limit ? `${line}…` : line;
}
