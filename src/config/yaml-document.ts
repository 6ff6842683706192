import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node } from 'yaml';
import { excerptOf } from './excerpt.ts';
import type { ConfigPath } from './problem.ts';
import { explainSyntax } from './syntax-message.ts';
import { overgrownAlias } from './yaml-expansion.ts';
import { duplicateKeys, type Position, type SyntaxMistake, structuralMistakes } from './yaml-structure.ts';
import { NestedTooDeep, readTree } from './yaml-tree.ts';

export interface YamlSource {
  /** The plain value; undefined if mistakes prevent one. */
  readonly data: unknown;
  readonly mistakes: readonly SyntaxMistake[];
  /** The position of the value or its key; if missing, of the nearest parent. */
  locate(path: ConfigPath, at: 'value' | 'key'): Position;
}

/** YAML 1.2 section 5.1: c-printable has no control characters except tab and line breaks. */
const CONTROL = /(?![\t\n\r])\p{Cc}/u;

/** Reads YAML 1.2 text. Never throws: every mistake has a position. */
export function readYaml(text: string): YamlSource {
  const lines = new LineCounter();
  const position = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const explained = (offset: number, message: string): SyntaxMistake => {
    const at = position(offset);
    return { ...at, path: [], message, excerpt: excerptOf(text, at.line, at.column) };
  };
  const unread = (mistake: SyntaxMistake): YamlSource => ({
    data: undefined,
    mistakes: [mistake],
    locate: () => ({ line: 1, column: 1 }),
  });
  let doc: Document.Parsed;
  try {
    doc = readTree(text, lines);
  } catch (error) {
    if (error instanceof NestedTooDeep) return unread(explained(error.offset, error.message));
    throw error;
  }
  const control = CONTROL.exec(text);
  if (control !== null) {
    const name = `U+${control[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`;
    return unread(explained(control.index, `the control character ${name}; expected text without such characters`));
  }
  // The parser loses its way after an error, so what it says about later lines confuses.
  const [first] = doc.errors.toSorted((a, b) => a.pos[0] - b.pos[0]);
  const mistakes: SyntaxMistake[] = [first, ...doc.warnings].flatMap((error) => {
    if (error === undefined) return [];
    const { offset, message } = explainSyntax(error.code, text, error.pos[0]);
    return [explained(offset, message)];
  });
  // After a syntax error the tree is unreliable, so other mistakes may be false.
  const intact = doc.errors.length === 0;
  const structural = intact ? structuralMistakes(doc, position) : [];
  mistakes.push(...structural);
  if (intact) mistakes.push(...duplicateKeys(doc, position));
  const expanded = intact && structural.length === 0 ? overgrownAlias(doc, position) : undefined;
  if (expanded !== undefined) mistakes.push(expanded);
  const sound = intact && structural.length === 0 && expanded === undefined;
  // The library counts aliases by another rule, which refuses the 101st use of a list.
  const data: unknown = sound ? doc.toJS({ maxAliasCount: -1 }) : undefined;
  return { data, mistakes, locate: (path, at) => position(offsetOf(doc, path, at)) };
}

function offsetOf(doc: Document.Parsed, path: ConfigPath, at: 'value' | 'key'): number {
  let node: Node | null | undefined = doc.contents;
  let offset = node?.range?.[0] ?? 0;
  for (const [depth, segment] of path.entries()) {
    if (isAlias(node)) node = node.resolve(doc);
    if (isMap(node)) {
      // The last of duplicate keys gives the value.
      const pair = node.items.findLast(({ key }) => String(isScalar(key) ? key.value : key) === String(segment));
      if (pair === undefined) return offset;
      const key = pair.key as Node;
      const value = pair.value as Node | null;
      const isLast = depth === path.length - 1;
      const isEmpty = value === null || (isScalar(value) && value.value === null);
      // A mapping is located by its key, because its own range starts at the first child.
      const wantsKey = isEmpty || isMap(value) || isSeq(value) || (isLast && at === 'key');
      offset = (wantsKey ? key : value)?.range?.[0] ?? offset;
      node = value;
    } else if (isSeq(node)) {
      const item = node.items[Number(segment)] as Node | undefined;
      if (item === undefined) return offset;
      offset = item.range?.[0] ?? offset;
      node = item;
    } else {
      return offset;
    }
  }
  return offset;
}
