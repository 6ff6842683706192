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

/** The findings in a Markdown page. Code is exempt. In tables only words are checked, not sentences. */
export function markdownProse(page: string): Match[] {
  return matchesIn(markdown.parse(page), page).sort((one, other) => one.offset - other.offset);
}

function matchesIn(node: Nodes, page: string): Match[] {
  const inner = 'children' in node ? node.children.flatMap((child) => matchesIn(child, page)) : [];
  switch (node.type) {
    case 'text': {
      const start = node.position?.start.offset ?? 0;
      return bannedWords(node.value).map(({ offset, message }) => ({ offset: start + offset, message }));
    }
    case 'paragraph':
      // Checked paragraph by paragraph: a list item ends its sentence even without a full stop. Headings are not sentences.
      return [...badSentences(toNlcst(node, new VFile(page), ParseEnglish), page), ...inner];
    default:
      return inner;
  }
}
