import type { Nodes } from 'nlcst';
import { bannedOpener, type Match } from './word-list.ts';

/** Words of one sentence at most. The house rule is 20; five more are for names and numbers. */
const MOST_WORDS = 25;

/** A label of a few words may begin as it likes. */
const FEWEST_WORDS = 5;

/**
 * The sentences that are too long, or that do not begin with their subject. A piece of code is one word.
 *
 * @param source the text that the tree was made from
 */
export function badSentences(tree: Nodes, source: string): Match[] {
  if (tree.type !== 'SentenceNode')
    return 'children' in tree ? tree.children.flatMap((child) => badSentences(child, source)) : [];
  const start = tree.position?.start.offset ?? 0;
  // Marks that close the sentence before, as the stars after a bold one, are counted to this one.
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
