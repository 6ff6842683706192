import { type Document, isAlias, isMap, isPair, isScalar, isSeq, type Node, visit } from 'yaml';
import { quoted } from './expectation.ts';
import type { ConfigPath } from './problem.ts';

/** From 1, both. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A mistake of the YAML itself, whatever it was meant to configure. */
export interface SyntaxMistake extends Position {
  /** Of the key, where the mistake is one of keys. */
  readonly path: ConfigPath;
  readonly message: string;
}

/** Real configurations are nested six deep; this keeps every later walk off the limits of the stack. */
const DEEPEST = 40;

/** What plain JavaScript values cannot carry, and what would make a walk over them endless. */
export function structuralMistakes(doc: Document.Parsed, position: (offset: number) => Position): SyntaxMistake[] {
  const found: SyntaxMistake[] = [];
  const report = (node: Node, message: string) => found.push({ ...position(node.range?.[0] ?? 0), path: [], message });
  visit(doc, {
    Pair(_, { key }) {
      if (isScalar(key) && key.value !== '__proto__') return undefined;
      if (isScalar(key)) report(key, '"__proto__" cannot be a key');
      else if (isMap(key) || isSeq(key) || isAlias(key)) report(key, 'a key must be plain text');
      return undefined;
    },
    Alias(_, node, ancestors) {
      const target = node.resolve(doc);
      if (target === undefined) report(node, `the alias *${node.source} has no anchor &${node.source} before it`);
      else if (ancestors.includes(target)) report(node, `the alias *${node.source} contains itself`);
    },
    Collection(_, node, ancestors) {
      // A map's child is two steps away: the pair is a step of its own.
      if (ancestors.length <= 2 * DEEPEST) return undefined;
      report(node, `nested more than ${DEEPEST} levels deep`);
      return visit.BREAK;
    },
  });
  return found;
}

/** Duplicate keys leave a tree that is still worth checking for other mistakes. */
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
        const message = `duplicate key ${quoted(name)}; expected it once, it is on line ${earlier} already`;
        found.push({ ...at, path: [...pathOf([...ancestors, map]), name], message });
      }
    },
  });
  return found;
}

/** The path of a node, out of the nodes from the document down to it. */
function pathOf(nodes: readonly unknown[]): ConfigPath {
  return nodes.flatMap((node, index): ConfigPath => {
    if (isPair(node)) return [String(isScalar(node.key) ? node.key.value : node.key)];
    return isSeq(node) && index + 1 < nodes.length ? [node.items.indexOf(nodes[index + 1])] : [];
  });
}
