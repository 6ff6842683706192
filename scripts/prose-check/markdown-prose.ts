import type { Nodes } from 'mdast';
import { toNlcst } from 'mdast-util-to-nlcst';
import { ParseEnglish } from 'parse-english';
import remarkGfm from 'remark-gfm';
import remarkParse from 'remark-parse';
import { unified } from 'unified';
import { VFile } from 'vfile';
import { badSentences } from './sentences.ts';
import { bannedWords, type Match } from './word-list.ts';

const markdown = unified().use(remarkParse).use(remarkGfm);

/** What is wrong with the prose of a Markdown page. Code is exempt; in a table only the words count, not the sentences. */
export function markdownProse(page: string): Match[] {
  const tree = markdown.parse(page);
  const sentences = badSentences(toNlcst(tree, new VFile(page), ParseEnglish), page);
  return [...sentences, ...wordsOf(tree)].sort((one, other) => one.offset - other.offset);
}

function wordsOf(node: Nodes): Match[] {
  if (node.type === 'text') {
    const start = node.position?.start.offset ?? 0;
    return bannedWords(node.value).map(({ offset, message }) => ({ offset: start + offset, message }));
  }
  return 'children' in node ? node.children.flatMap(wordsOf) : [];
}
