/** Controls, C1 included, and the invisible characters that reorder or hide text on a terminal. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/**
 * One line that is safe on a terminal, whoever wrote it: a hostile server's ident or a remote error message must not be
 * able to move the cursor, recolour or rewrite what an operator reads.
 */
export function printable(text: string): string {
  return text.replace(/\s+/gu, ' ').replace(UNPRINTABLE, '\uFFFD').trim();
}
