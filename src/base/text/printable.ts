/**
 * Characters that a reader cannot see, or that change how others are shown: control characters (C0, C1), marks that
 * reorder text (such as U+202E), characters without width, separators of lines, halves of a pair.
 */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}\p{Default_Ignorable_Code_Point}\u2800]/gu;
/** Text without such a character is nearly all text. This look is many times as fast, which counts for a long page. */
const PLAIN = /^[\t\n\x20-\x7e]*$/;
/** Blanks between words, without the invisible ones above. */
const BLANKS = /[\t\n\v\f\r\p{Zs}]+/gu;

/**
 * Makes foreign text one line that is safe on a terminal and in a log. The banner or the error message of a hostile
 * server must not move the cursor, change colours or overwrite other text. Invisible characters are shown as `\u202e`.
 * Cut to `limit` characters.
 */
export function printable(text: string, limit = 1_000): string {
  const shown = text.slice(0, limit).replace(BLANKS, ' ').replace(INVISIBLE, inEscapes);
  if (text.length <= limit && shown.length <= limit) return shown;
  // No escape and no pair of surrogates is cut in its middle.
  return `${shown.slice(0, limit).replace(/\\(?:u[0-9a-f]{0,3})?$|[\ud800-\udbff]$/, '')}…`;
}

/**
 * Text of several lines, or JSON: the last guard before a terminal, a log or a client. Line breaks and tabs stay.
 * In JSON the result means the same, because there such characters occur only in strings.
 *
 * @param kept further characters that stay: the escape character of our own colours
 */
export function visible(text: string, kept = ''): string {
  if (PLAIN.test(text)) return text;
  return text.replace(INVISIBLE, (found) =>
    found === '\n' || found === '\t' || kept.includes(found) ? found : inEscapes(found),
  );
}

/** As JSON does, one escape for each UTF-16 unit. */
function inEscapes(character: string): string {
  return Array.from(
    { length: character.length },
    (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`,
  ).join('');
}
