import { isMap, isNode, isSeq, type Node, type Pair, type YAMLMap } from 'yaml';
import { readTree } from '../../config/yaml-tree.ts';

/** Where a record goes: the mapping with this `id` at the path `lists`. `*` stands for every item of a list. */
export interface EditTarget {
  readonly lists: readonly (string | '*')[];
  readonly id: string;
  /** The new key; the mapping must not have it yet. */
  readonly key: string;
}

/** Why the text cannot be edited without changing other parts of it. */
export class NotEditable extends Error {
  override readonly name = 'NotEditable';
}

/**
 * Adds a pair, `key: { … }`, at the end of the mapping. Every other byte stays the same: comments, order, quotes, line ends.
 * In a block mapping the pair gets its own line, in a flow mapping it goes before the brace. Throws {@link NotEditable} if
 * the place is not plain text (for example behind an alias).
 */
export function insertRecord(text: string, target: EditTarget, record: Readonly<Record<string, string>>): string {
  const doc = readTree(text);
  if (doc.errors.length > 0) throw new NotEditable('the file is not valid YAML');
  const map = findMap(doc.contents, target.lists, target.id);
  const pair = map?.items.at(-1);
  if (map === undefined || pair === undefined) throw new NotEditable(`${target.id} is not written as its own mapping`);
  const flow = `${target.key}: { ${Object.entries(record)
    .map(([key, value]) => `${key}: ${scalarText(value)}`)
    .join(', ')} }`;
  return map.flow === true ? insertInFlow(text, pair, flow) : insertLine(text, map, pair, flow);
}

function insertInFlow(text: string, pair: Pair, flow: string): string {
  const end = endOf(pair);
  return `${text.slice(0, end)}, ${flow}${text.slice(end)}`;
}

/** Inserts after the line on which the last pair ends, indented like the first key. */
function insertLine(text: string, map: YAMLMap, last: Pair, flow: string): string {
  const first = map.items[0]?.key;
  const start = offsetOf(first);
  const column = start - (text.lastIndexOf('\n', start - 1) + 1);
  const end = endOf(last);
  // A block scalar includes its final newline.
  const lineEnd = end > 0 && text[end - 1] === '\n' ? end - 1 : text.indexOf('\n', end);
  const newline = text.includes('\r\n') ? '\r\n' : '\n';
  const line = `${' '.repeat(column)}${flow}`;
  if (lineEnd === -1) return `${text}${newline}${line}`;
  return `${text.slice(0, lineEnd + 1)}${line}${newline}${text.slice(lineEnd + 1)}`;
}

function findMap(root: unknown, way: readonly string[], id: string): YAMLMap | undefined {
  const [segment, ...rest] = way;
  if (segment === undefined) return isMap(root) && root.items.length > 0 && idOf(root) === id ? root : undefined;
  if (segment === '*') {
    if (!isSeq(root)) return undefined;
    for (const item of root.items) {
      const found = findMap(item, rest, id);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  return isMap(root) ? findMap(root.get(segment, true), rest, id) : undefined;
}

function idOf(map: YAMLMap): unknown {
  return map.get('id');
}

/** The offset after a pair, before a comment on the same line. */
function endOf({ key, value }: Pair): number {
  const last = isNode(value) ? value : key;
  return endOfNode(last as Node);
}

function endOfNode(node: Node): number {
  const end = node.range?.[1];
  if (end === undefined || end === null) throw new NotEditable('a value has no position in the text');
  // The range of a block collection includes the comments after it.
  if (isMap(node) && node.flow !== true) return endOfItems(node.items.at(-1), end);
  if (isSeq(node) && node.flow !== true) return endOfItems(node.items.at(-1), end);
  return end;
}

function endOfItems(last: unknown, otherwise: number): number {
  if (typeof last !== 'object' || last === null) return otherwise;
  if ('key' in last) return endOf(last as Pair);
  return 'range' in last ? endOfNode(last as Node) : otherwise;
}

function offsetOf(node: unknown): number {
  const offset = typeof node === 'object' && node !== null && 'range' in node ? (node as Node).range?.[0] : undefined;
  if (offset === undefined) throw new NotEditable('a key has no position in the text');
  return offset;
}

/** Plain if safe in a flow mapping, else in double quotes: a JSON string is valid YAML (YAML 1.2 section 1.3). */
function scalarText(value: string): string {
  const isInstant = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value);
  const isWord = /^[A-Za-z][A-Za-z0-9 _./-]*[A-Za-z0-9]$/.test(value) && !/^(?:true|false|null)$/i.test(value);
  return isInstant || isWord ? value : JSON.stringify(value);
}
