import { NotTranslatable } from './entry.ts';

const ESCAPES: Readonly<Record<string, string>> = {
  ...{ a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', s: ' ', t: '\t', v: '\v' },
  ...{ '\\': '\\', '"': '"', "'": "'" },
};
/** The character in hexadecimal or octal digits. */
const NUMBERED = /^(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2}))/;

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
      const [taken = line[index + 1] ?? '', ...codes] = NUMBERED.exec(line.slice(index + 1)) ?? [];
      index += taken.length;
      word = `${word ?? ''}${characterOf(codes) ?? ESCAPES[taken] ?? `\\${taken}`}`;
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

/** A word of systemd, with its quotes. */
const WORD = /(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\\.|[^\s"'\\])+|["'\\]/gs;

/** Splits the commands of one ExecStart= at each word that is a semicolon (systemd.service(5), COMMAND LINES). */
export function splitCommands(line: string): string[] {
  const ends = [...line.matchAll(WORD)].flatMap(({ 0: word, index }) => (word === ';' ? [index] : []));
  const commands = [-1, ...ends].map((start, at) => line.slice(start + 1, ends[at]).trim());
  return commands.filter((command) => command !== '');
}

function characterOf([byte, short, long, octal]: readonly (string | undefined)[]): string | undefined {
  const hex = byte ?? short ?? long;
  const code = hex === undefined ? Number.parseInt(octal ?? '', 8) : Number.parseInt(hex, 16);
  return code > 0 && code <= 0x10_ff_ff ? String.fromCodePoint(code) : undefined;
}
