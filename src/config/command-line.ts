/** The words of a command line, or the reason why the line cannot be split. */
export type SplitCommand = readonly string[] | { readonly fault: string };

/** Characters that only a shell interprets. */
const OPERATORS = '|&;<>()';
const EXPANSIONS = '$`';

/**
 * Splits a command line into words as a POSIX shell does (XCU 2.2, Quoting). Blanks separate words; '…' is literal. In
 * "…" and outside quotes a backslash makes the next character literal. `~/` at the start of a word is `home`. No shell
 * runs, so unquoted shell syntax (pipes, redirections, variables, several commands) is a fault.
 */
export function splitCommand(line: string, home: string): SplitCommand {
  const words: string[] = [];
  let word: string | undefined;
  let quote: '"' | "'" | undefined;
  for (let at = 0; at < line.length; at++) {
    const char = line.charAt(at);
    if (quote === "'") {
      if (char === "'") quote = undefined;
      else word += char;
    } else if (char === '\\') {
      const next = line.charAt(++at);
      if (next === '') return { fault: 'ends with a backslash; expected a character after it' };
      // In double quotes a backslash escapes only these characters.
      word = `${word ?? ''}${quote === '"' && !'$`"\\'.includes(next) ? '\\' : ''}${next}`;
    } else if (EXPANSIONS.includes(char)) {
      return { fault: needsShell(char) };
    } else if (quote === '"') {
      if (char === '"') quote = undefined;
      else word += char;
    } else if (char === "'" || char === '"') {
      quote = char;
      word ??= '';
    } else if (/\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (OPERATORS.includes(char)) {
      return { fault: needsShell(char) };
    } else if (char === '~' && word === undefined && /^~(?:\/|\s|$)/.test(line.slice(at))) {
      word = home;
    } else {
      word = `${word ?? ''}${char}`;
    }
  }
  if (quote !== undefined) return { fault: `has an opening ${quote} without a closing ${quote}; expected both` };
  if (word !== undefined) words.push(word);
  return words.length === 0 ? { fault: 'is empty; expected a command to run' } : words;
}

function needsShell(char: string): string {
  return (
    `has ${JSON.stringify(char)}, but no shell runs the command; expected the character in single quotes, ` +
    'or a list such as ["sh", "-c", "…"]'
  );
}

/** Quotes a word for a POSIX shell, so that the command in a hint can be pasted. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
