/** A word or a phrase that slows a reader down, and what to write instead. */
interface Banned {
  readonly pattern: RegExp;
  readonly instead: string;
}

/** Words, everywhere. A space in a pattern is any white space: phrases are broken across lines. */
const WORDS: readonly Banned[] = [
  banned('whom', 'who, or the name of the program or person'),
  banned('mend(?:s|ed|ing)?', 'fix'),
  banned('for want of', 'because … is missing'),
  banned('(?:stand(?:s|ing)?|stood) in(?! (?:the|a|this)\\b)', 'replace, or "is used instead of"'),
  banned('stand-ins?', 'the name of the thing: static key, test server'),
  banned('anew', 'again'),
  banned('to be had', 'available'),
  banned('(?:nothing|what|anything) (?:(?:is|was|speaks?) )+against', 'no blockers, or blockers'),
  banned('(?:is|are|was|were|speaks?) against (?:it|that|them)', 'blocks, or blockers'),
  banned('what is (?:not )?to', 'the name of the thing'),
  banned('(?:of )?no use', 'useless, or "has no effect"'),
  banned('in vain', 'without success, or failed'),
  banned('ha(?:s|ve|d) to leave', 'remove … from'),
  banned('the (?:former|latter)', 'the noun again'),
  banned('comes? of (?:it|that|this)', 'the outcome'),
  banned('go(?:es|ing)? (?:its|their) way', 'continue'),
  banned('for good', 'permanently'),
  banned('heed(?:s|ed|ing)?', 'read, or follow'),
  banned('vouch(?:es|ed)?', 'guarantee, or prove'),
  banned('(?:some|any)body must act', 'manual fix required'),
  banned('make(?:s)? good', 'repair, or replace'),
  banned('let(?:s|ting)? go of', 'release, or close'),
  banned('t(?:ake|akes|aken|ook) up again', 'resume'),
  banned('(?:where|there|here)(?:of|upon|to|by|in|from|with)', 'a plain preposition and the noun'),
  banned('whence|thence|hitherto|notwithstanding|lest', 'a plain word'),
];

/** How a sentence must not begin: the subject comes first. Questions may. */
const OPENERS: readonly Banned[] = [
  opener('what(?:ever)?', 'begin with the noun that is meant'),
  opener('whoever|whose', 'begin with the person or the program'),
  opener('where(?:ver)?', 'begin with the subject, or with If'),
  opener('nor', 'begin with the subject'),
];

export interface Match {
  /** From the beginning of the text. */
  readonly offset: number;
  readonly message: string;
}

export function bannedWords(text: string): Match[] {
  const found = WORDS.flatMap(({ pattern, instead }) =>
    [...text.matchAll(pattern)].map(({ 0: word, index }) => ({
      offset: index,
      end: index + word.length,
      message: `"${word.replace(/\s+/g, ' ')}": write ${instead}`,
    })),
  );
  // Of two that overlap, as "what speaks against" and "speaks against it", the first is enough.
  return found
    .filter(
      ({ offset, end }, index) => !found.slice(0, index).some((other) => other.offset < end && offset < other.end),
    )
    .map(({ offset, message }) => ({ offset, message }));
}

/** @param sentence the text of one sentence, with its final punctuation */
export function bannedOpener(sentence: string): string | undefined {
  if (/\?\W*$/.test(sentence)) return undefined;
  const found = OPENERS.find(({ pattern }) => pattern.test(sentence));
  return found && `a sentence begins with "${sentence.split(/\s/)[0]}": ${found.instead}`;
}

function banned(phrase: string, instead: string): Banned {
  return { pattern: new RegExp(`\\b(?:${phrase.replaceAll(' ', '\\s+')})\\b`, 'gi'), instead };
}

function opener(words: string, instead: string): Banned {
  return { pattern: new RegExp(`^\\W*(?:${words})\\b`, 'i'), instead };
}
