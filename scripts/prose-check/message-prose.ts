import { ParseEnglish } from 'parse-english';
import { messagesOf } from './messages.ts';
import { badSentences } from './sentences.ts';
import { bannedWords, type Match } from './word-list.ts';

/** What is wrong with the texts for people in a TypeScript source. Code in backticks is exempt. */
export function messageProse(path: string, source: string): Match[] {
  const english = new ParseEnglish();
  return messagesOf(path, source).flatMap(({ text, offset }) =>
    // A line of its own is a sentence of its own, as in the usage of a command.
    text
      .replace(/`[^`]*`/g, 'CODE')
      .split('\n')
      .flatMap((line) => [...badSentences(english.parse(line), line), ...bannedWords(line)])
      .map(({ message }) => ({ offset, message })),
  );
}
