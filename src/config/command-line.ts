/** The words of a command line, or the sentence that says why it has none. */
export type SplitCommand = readonly string[] | { readonly fault: string };

/** What a shell would act on and nobody does here. */
const OPERATORS = '|&;<>()';
const EXPANSIONS = '$`';

/**
 * Splits a command line into words as a POSIX shell does (XCU 2.2, Quoting): blanks separate; '…' is literal; in "…" and
 * outside of quotes a backslash takes the next character literally; `~/` at the beginning of a word is `home`. No shell
 * is run, so what only a shell can do (pipes, redirections, variables, several commands) is a fault unless it is quoted.
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
      // In double quotes only these are escaped; before another one the backslash is itself.
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
  if (quote !== undefined) return { fault: `has a ${quote} without its counterpart; expected both` };
  if (word !== undefined) words.push(word);
  return words.length === 0 ? { fault: 'is empty; expected a command to run' } : words;
}

function needsShell(char: string): string {
  return (
    `has ${JSON.stringify(char)}, which only a shell understands, and none is run; expected it in single quotes ` +
    'where it is meant as it stands, or a list such as ["sh", "-c", "…"]'
  );
}

/** A word quoted for a POSIX shell, so that the command in a hint can be pasted. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
