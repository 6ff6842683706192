import { type Document, isAlias, isCollection, isMap, isNode, isSeq, type Node } from 'yaml';
import type { Position, SyntaxMistake } from './yaml-structure.ts';
import { DEEPEST, TOO_DEEP } from './yaml-tree.ts';

/** Each alias counts as a copy, because every reader of the values walks through all copies ("billion laughs"). */
const MOST_VALUES = 1_000_000;

/** A node whose aliases are replaced by copies. */
interface Extent {
  readonly values: number;
  /** Collections inside each other. */
  readonly depth: number;
}

const ONE: Extent = { values: 1, depth: 0 };

/** The first alias that makes the document too large or too deep. Each alias must lead to a node before it. */
export function overgrownAlias(
  doc: Document.Parsed,
  position: (offset: number) => Position,
): SyntaxMistake | undefined {
  const anchored = new Map<string, Extent>();
  let found: SyntaxMistake | undefined;
  const measure = (node: unknown): Extent => {
    if (found !== undefined || !isNode(node)) return ONE;
    if (isAlias(node)) return anchored.get(node.source) ?? ONE;
    let extent = isCollection(node) ? { values: 1, depth: 1 } : ONE;
    for (const child of childrenOf(node)) {
      const { values, depth } = measure(child);
      extent = { values: extent.values + values, depth: Math.max(extent.depth, depth + 1) };
      const message = isAlias(child) ? objectionTo(extent) : undefined;
      if (message !== undefined) found ??= { ...position((child as Node).range?.[0] ?? 0), path: [], message };
    }
    if ('anchor' in node && typeof node.anchor === 'string') anchored.set(node.anchor, extent);
    return extent;
  };
  measure(doc.contents);
  return found;
}

function childrenOf(node: Node): readonly unknown[] {
  if (isMap(node)) return node.items.flatMap(({ key, value }) => [key, value]);
  return isSeq(node) ? node.items : [];
}

function objectionTo({ values, depth }: Extent): string | undefined {
  if (depth > DEEPEST) return TOO_DEEP;
  return values > MOST_VALUES ? `the aliases expand to more than ${MOST_VALUES} values; expected fewer` : undefined;
}
