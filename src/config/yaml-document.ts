import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import type { ConfigPath } from './problem.ts';
import { duplicateKeys, type Position, type SyntaxMistake, structuralMistakes } from './yaml-structure.ts';

export interface YamlSource {
  /** The plain value; undefined when the mistakes leave none. */
  readonly data: unknown;
  readonly mistakes: readonly SyntaxMistake[];
  /** Where the value (or its key) is; where it is missing, the nearest thing around it. */
  locate(path: ConfigPath, at: 'value' | 'key'): Position;
}

/** Bounds what aliases may multiply to ("billion laughs"). */
const MOST_ALIASES = 100;

/** Reads YAML 1.2 text. Never throws: whatever is wrong is a located mistake. */
export function readYaml(text: string): YamlSource {
  const lines = new LineCounter();
  const position = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  // The schema is fixed, so that a %YAML 1.1 directive cannot turn `yes` into a boolean or bring `<<` merges.
  const doc = parseDocument(text, {
    schema: 'core',
    merge: false,
    lineCounter: lines,
    prettyErrors: false,
    // Its own search is quadratic: see duplicateKeys.
    uniqueKeys: false,
    logLevel: 'error',
  });
  const mistakes: SyntaxMistake[] = [...doc.errors, ...doc.warnings].map((error) => ({
    ...position(error.pos[0]),
    path: [],
    message: syntaxMessage(error.code, error.message),
  }));
  // After a syntax error the tree is guesswork: whatever else seems wrong with it may not be.
  const intact = doc.errors.length === 0;
  const structural = intact ? structuralMistakes(doc, position) : [];
  mistakes.push(...structural);
  if (intact) mistakes.push(...duplicateKeys(doc, position));
  let data: unknown;
  if (intact && structural.length === 0) {
    try {
      data = doc.toJS({ maxAliasCount: MOST_ALIASES });
    } catch {
      // The aliases themselves are sound: structuralMistakes saw to that.
      const message = `the aliases multiply to more than this program unfolds (${MOST_ALIASES}); expected fewer`;
      mistakes.push({ line: 1, column: 1, path: [], message });
    }
  }
  return { data, mistakes, locate: (path, at) => position(offsetOf(doc, path, at)) };
}

function syntaxMessage(code: string, message: string): string {
  if (code === 'MULTIPLE_DOCS')
    return 'a second document begins here; expected one document, without "---" between parts';
  if (code === 'RESOURCE_EXHAUSTION') return 'nested too deeply';
  return `not valid YAML: ${message}`;
}

function offsetOf(doc: Document.Parsed, path: ConfigPath, at: 'value' | 'key'): number {
  let node: Node | null | undefined = doc.contents;
  let offset = node?.range?.[0] ?? 0;
  for (const [depth, segment] of path.entries()) {
    if (isAlias(node)) node = node.resolve(doc);
    if (isMap(node)) {
      // Of duplicate keys the last one made the value.
      const pair = node.items.findLast(({ key }) => String(isScalar(key) ? key.value : key) === String(segment));
      if (pair === undefined) return offset;
      const key = pair.key as Node;
      const value = pair.value as Node | null;
      const isLast = depth === path.length - 1;
      const isEmpty = value === null || (isScalar(value) && value.value === null);
      // Inside the file, a mapping is found by its key: its own range begins at its first child.
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
