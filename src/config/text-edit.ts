import { isMap, isNode, isSeq, type Node, type Pair, type YAMLMap } from 'yaml';

/** Why the text cannot be edited without changing other parts of it. */
export class NotEditable extends Error {
  override readonly name = 'NotEditable';
}

/** Adds `entry` behind the last pair of a flow mapping, before the brace. */
export function insertInFlow(text: string, last: Pair, entry: string): string {
  const end = endOf(last);
  return `${text.slice(0, end)}, ${entry}${text.slice(end)}`;
}

/** Adds lines after the line on which the last pair of a block mapping ends, indented like its first key. */
export function insertLines(text: string, map: YAMLMap, last: Pair, lines: readonly string[]): string {
  const start = offsetOf(map.items[0]?.key);
  const column = start - (text.lastIndexOf('\n', start - 1) + 1);
  const indented = lines.map((line) => `${' '.repeat(column)}${line}`);
  return insertAfterLine(text, endOf(last), indented);
}

/** Adds whole lines after the line of this offset, with the line ends of the text. */
export function insertAfterLine(text: string, offset: number, lines: readonly string[]): string {
  // A block scalar includes its final newline.
  const lineEnd = offset > 0 && text[offset - 1] === '\n' ? offset - 1 : text.indexOf('\n', offset);
  const newline = text.includes('\r\n') ? '\r\n' : '\n';
  const added = lines.join(newline);
  if (lineEnd === -1) return `${text}${newline}${added}`;
  return `${text.slice(0, lineEnd + 1)}${added}${newline}${text.slice(lineEnd + 1)}`;
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

export function offsetOf(node: unknown): number {
  const offset = typeof node === 'object' && node !== null && 'range' in node ? (node as Node).range?.[0] : undefined;
  if (offset === undefined) throw new NotEditable('a key has no position in the text');
  return offset;
}
