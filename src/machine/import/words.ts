import { NotTranslatable } from './entry.ts';

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', s: ' ', r: '\r', '\\': '\\', '"': '"', "'": "'" };

/**
 * Splits a command line into words, as systemd does (systemd.syntax(7), "Quoting"): quotes and C escapes, no shell syntax.
 * Throws {@link NotTranslatable} for an unclosed quote.
 */
export function splitWords(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (let index = 0; index < line.length; index++) {
    const char = line[index] ?? '';
    if (char === '\\') {
      const next = line[++index] ?? '';
      word = `${word ?? ''}${ESCAPES[next] ?? `\\${next}`}`;
    } else if (quote !== '') {
      if (char === quote) quote = '';
      else word += char;
    } else if (char === '"' || char === "'") {
      quote = char;
      word ??= '';
    } else if (/\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = `${word ?? ''}${char}`;
  }
  if (quote !== '') throw new NotTranslatable('a quote is not closed');
  return word === undefined ? words : [...words, word];
}
