/** Marks a number in the result of {@link parseExactJson}. */
const MARK = '\u0000';

/** A string token (escapes included) or a number token of valid JSON. */
const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** With more zeros than this, a number is written with an exponent. */
const MOST_ZEROS = 40n;

/**
 * As JSON.parse, but no number loses a digit: 9007199254740993 is not 9007199254740992. Each number becomes an opaque
 * string that no text of the answer can equal; two numbers of the same value become the same string (1, 1.0, 10e-1).
 * Throws a SyntaxError.
 */
export function parseExactJson(text: string): unknown {
  // The syntax comes first: the tokens below are only those of valid JSON.
  JSON.parse(text);
  return JSON.parse(text.replace(TOKEN, marked));
}

/** The value as JSON, with its numbers as numbers again. */
export function exactJsonText(value: unknown): string | undefined {
  const text: string | undefined = JSON.stringify(value);
  return text?.replace(/"\\u0000([^"\\]*)"/g, '$1').replaceAll('"\\u0000\\u0000', '"\\u0000');
}

function marked(token: string): string {
  if (!token.startsWith('"')) return `"\\u0000${exact(token)}"`;
  // A text of the answer that begins like a number of ours begins with two marks.
  return JSON.parse(token).startsWith(MARK) ? `"\\u0000${token.slice(1)}` : token;
}

/** The one way to write the value of a number. */
function exact(number: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(number) ?? [];
  const digits = `${whole}${fraction}`.replace(/^0+/, '');
  if (digits === '') return '0';
  const significant = digits.replace(/0+$/, '');
  const scale = BigInt(exponent) - BigInt(fraction.length) + BigInt(digits.length - significant.length);
  if (scale > MOST_ZEROS || scale < -MOST_ZEROS) return `${sign}${significant}e${scale}`;
  if (scale >= 0n) return `${sign}${significant}${'0'.repeat(Number(scale))}`;
  const padded = significant.padStart(Number(-scale) + 1, '0');
  return `${sign}${padded.slice(0, Number(scale))}.${padded.slice(Number(scale))}`;
}
