import {
  type Document,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type ParsedNode,
  parseDocument,
  visit,
} from 'yaml';
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

export interface YamlSource {
  /** The plain value; undefined when the mistakes leave none. */
  readonly data: unknown;
  readonly mistakes: readonly SyntaxMistake[];
  /** Where the value (or its key) is; where it is missing, the nearest thing around it. */
  locate(path: ConfigPath, at: 'value' | 'key'): Position;
}

type Yaml = Document.Parsed;

/** Real configurations are nested six deep; this keeps every later walk off the limits of the stack. */
const DEEPEST = 40;
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
  const mistakes = [...doc.errors, ...doc.warnings].map((error) => ({
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
    } catch (error) {
      mistakes.push({ line: 1, column: 1, path: [], message: error instanceof Error ? error.message : String(error) });
    }
  }
  return { data, mistakes, locate: (path, at) => position(offsetOf(doc, path, at)) };
}

/** What plain JavaScript values cannot carry, and what would make a walk over them endless. */
function structuralMistakes(doc: Yaml, position: (offset: number) => Position): SyntaxMistake[] {
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
function duplicateKeys(doc: Yaml, position: (offset: number) => Position): SyntaxMistake[] {
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
  return nodes.flatMap((node, index) => {
    if (isPair(node)) return [String(isScalar(node.key) ? node.key.value : node.key)];
    return isSeq(node) && index + 1 < nodes.length ? [node.items.indexOf(nodes[index + 1])] : [];
  });
}

function syntaxMessage(code: string, message: string): string {
  if (code === 'MULTIPLE_DOCS')
    return 'a second document begins here; expected one document, without "---" between parts';
  if (code === 'RESOURCE_EXHAUSTION') return 'nested too deeply';
  return `not valid YAML: ${message}`;
}

function offsetOf(doc: Yaml, path: ConfigPath, at: 'value' | 'key'): number {
  let node: ParsedNode | Node | null | undefined = doc.contents;
  let offset = node?.range?.[0] ?? 0;
  for (const [depth, segment] of path.entries()) {
    if (isAlias(node)) node = node.resolve(doc);
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => String(isScalar(key) ? key.value : key) === String(segment));
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
