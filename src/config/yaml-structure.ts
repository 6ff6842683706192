import { type Document, isAlias, isMap, isPair, isScalar, isSeq, type Node, type Scalar, visit } from 'yaml';
import { quoted } from './expectation.ts';
import type { ConfigPath } from './problem.ts';
import { DEEPEST, TOO_DEEP } from './yaml-tree.ts';

/** Both count from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A mistake in the YAML itself. */
export interface SyntaxMistake extends Position {
  /** The path of the key, for a mistake of a key. */
  readonly path: ConfigPath;
  readonly message: string;
  /** The line and a caret below the mistake; only for text that is no YAML. */
  readonly excerpt?: string;
}

/** Finds YAML that plain JavaScript values cannot represent, and cycles. */
export function structuralMistakes(doc: Document.Parsed, position: (offset: number) => Position): SyntaxMistake[] {
  const found: SyntaxMistake[] = [];
  const report = (node: Node, message: string) => found.push({ ...position(node.range?.[0] ?? 0), path: [], message });
  // Those before the visited node: the search of the library walks through the document for each alias.
  const anchors = new Map<string, Node>();
  const remember = (node: Node & { readonly anchor?: string | undefined }) => {
    if (node.anchor === undefined) return;
    const earlier = anchors.get(node.anchor);
    if (earlier === undefined) {
      anchors.set(node.anchor, node);
      return;
    }
    const { line } = position(earlier.range?.[0] ?? 0);
    report(node, `duplicate anchor &${node.anchor}; expected each anchor once (first on line ${line})`);
  };
  visit(doc, {
    Pair(_, { key }) {
      if (isScalar(key) && key.value === '<<' && key.type === 'PLAIN')
        report(key, 'merge keys (<<) are not supported; expected the keys themselves');
      const misread = isScalar(key) ? misreadKey(key) : undefined;
      if (isScalar(key) && misread !== undefined) report(key, misread);
      if (isScalar(key) && key.value !== '__proto__') return undefined;
      if (isScalar(key)) report(key, '"__proto__" cannot be a key');
      else if (isMap(key) || isSeq(key) || isAlias(key)) report(key, 'a key must be plain text');
      return undefined;
    },
    Scalar: (_, node) => remember(node),
    Alias(_, node, ancestors) {
      const target = anchors.get(node.source);
      if (target === undefined) report(node, `the alias *${node.source} has no anchor &${node.source} before it`);
      else if (ancestors.includes(target)) report(node, `the alias *${node.source} contains itself`);
    },
    Collection(_, node, ancestors) {
      remember(node);
      // The child of a map is two steps away, because the pair is a step too.
      if (ancestors.length <= 2 * DEEPEST) return undefined;
      report(node, TOO_DEEP);
      return visit.BREAK;
    },
  });
  return found;
}

/** A key that would silently get another name: YAML reads 1.10 as the number 1.1, and 0x10 as 16. */
function misreadKey({ value, source }: Scalar): string | undefined {
  if (typeof value === 'string' || source === undefined || source === String(value)) return undefined;
  return `YAML reads the key ${quoted(source)} as ${value === null ? 'nothing' : String(value)}; expected the key in quotes`;
}

/** A tree with duplicate keys is still checked for other mistakes. */
export function duplicateKeys(doc: Document.Parsed, position: (offset: number) => Position): SyntaxMistake[] {
  const found: SyntaxMistake[] = [];
  visit(doc, {
    Map(_, map, ancestors) {
      const lineOf = new Map<string, number>();
      for (const { key } of map.items) {
        if (!isScalar(key)) continue;
        const name = String(key.value);
        const at = position(key.range?.[0] ?? 0);
        const earlier = lineOf.get(name);
        if (earlier === undefined) {
          lineOf.set(name, at.line);
          continue;
        }
        const message = `duplicate key ${quoted(name)}; expected it once (first on line ${earlier})`;
        found.push({ ...at, path: [...pathOf([...ancestors, map]), name], message });
      }
    },
  });
  return found;
}

/** The path of a node, from the nodes between the document and the node. */
function pathOf(nodes: readonly unknown[]): ConfigPath {
  return nodes.flatMap((node, index): ConfigPath => {
    if (isPair(node)) return [String(isScalar(node.key) ? node.key.value : node.key)];
    return isSeq(node) && index + 1 < nodes.length ? [node.items.indexOf(nodes[index + 1])] : [];
  });
}
