import { ParseEnglish } from 'parse-english';
import { messagesOf } from './messages.ts';
import { badSentences } from './sentences.ts';
import { bannedWords, type Match } from './word-list.ts';

/** The findings in the messages of a TypeScript source. Code in backticks is exempt. */
export function messageProse(path: string, source: string): Match[] {
  const english = new ParseEnglish();
  return messagesOf(path, source).flatMap(({ text, offset }) =>
    // Each line is a sentence, as in the usage of a command.
    text
      .replace(/`[^`]*`/g, 'CODE')
      .split('\n')
      .flatMap((line) => [...badSentences(english.parse(line), line), ...bannedWords(line)])
      .map(({ message }) => ({ offset, message })),
  );
}
