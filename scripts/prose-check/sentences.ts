import type { Nodes } from 'nlcst';
import { bannedOpener, type Match } from './word-list.ts';

/** The most words in a sentence. The rule is 20; five more are for names and numbers. */
const MOST_WORDS = 25;

/** Shorter sentences are labels and may begin with any word. */
const FEWEST_WORDS = 5;

/**
 * The sentences that are too long or do not begin with their subject. A piece of code is one word.
 *
 * @param source the text of the tree
 */
export function badSentences(tree: Nodes, source: string): Match[] {
  if (tree.type !== 'SentenceNode')
    return 'children' in tree ? tree.children.flatMap((child) => badSentences(child, source)) : [];
  const start = tree.position?.start.offset ?? 0;
  // The parser counts the closing marks of the previous sentence, such as stars, to this one.
  const text = source.slice(start, tree.position?.end.offset).replace(/^[.*_\s]+/, '');
  const words = tree.children.filter(({ type }) => type === 'WordNode' || type === 'SourceNode').length;
  const opener = words < FEWEST_WORDS ? undefined : bannedOpener(text);
  return [
    ...(words > MOST_WORDS ? [`${words} words, at most ${MOST_WORDS}: "${beginningOf(text)}"`] : []),
    ...(opener === undefined ? [] : [`${opener}: "${beginningOf(text)}"`]),
  ].map((message) => ({ offset: start, message }));
}

function beginningOf(text: string): string {
  return `${text.split(/\s+/).slice(0, 8).join(' ')} …`;
}
