import { isDeepStrictEqual } from 'node:util';
import { isMap, isScalar, type Pair } from 'yaml';
import { insertAfterLine, insertInFlow, insertLines, NotEditable, offsetOf } from './text-edit.ts';
import { readYaml } from './yaml-document.ts';
import { readTree } from './yaml-tree.ts';

/** One entry for a section of the tunnel YAML, such as a tunnel. */
export interface NewEntry {
  readonly section: 'hosts' | 'actors' | 'tunnels';
  readonly name: string;
  readonly fields: Readonly<Record<string, unknown>>;
  /** The entry as lines, without the indent of the section. */
  readonly lines: readonly string[];
  /** The entry as `name: { … }`. */
  readonly flow: string;
}

const INDENT = '  ';

/**
 * Adds an entry at the end of its section, and the section if there is none. Every other byte stays the same: comments,
 * order, quotes, line ends. Parses the result to prove that only the entry was added. Throws {@link NotEditable} if
 * the place is not plain text (for example behind an alias).
 */
export function insertEntry(text: string, entry: NewEntry): string {
  const edited = insert(text, entry);
  const [before, after] = [readYaml(text), readYaml(edited)];
  if (!isDeepStrictEqual(after.data, withEntry(before.data, entry)) || after.mistakes.length > before.mistakes.length)
    throw new NotEditable(`${entry.section} is not written as a plain mapping`);
  return edited;
}

function insert(text: string, { section, lines, flow }: NewEntry): string {
  const doc = readTree(text);
  if (doc.errors.length > 0) throw new NotEditable('the file is not valid YAML');
  if (!isMap(doc.contents)) throw new NotEditable('the file is not a mapping');
  const indented = lines.map((line) => `${INDENT}${line}`);
  const pair = doc.contents.items.find(({ key }) => isScalar(key) && key.value === section) as Pair | undefined;
  if (pair === undefined) {
    const newline = text.includes('\r\n') ? '\r\n' : '\n';
    const complete = text.endsWith('\n') ? text : `${text}${newline}`;
    return `${complete}${[`${section}:`, ...indented].join(newline)}${newline}`;
  }
  const { key, value } = pair;
  if (isMap(value)) {
    const last = value.items.at(-1);
    if (last !== undefined)
      return value.flow === true ? insertInFlow(text, last, flow) : insertLines(text, value, last, lines);
    // The braces of `tunnels: {}` go, a comment behind them stays.
    const [start = 0, end = 0] = value.range ?? [];
    const bare = text.slice(0, start).trimEnd() + text.slice(end);
    return insertAfterLine(bare, offsetOf(key) + 1, indented);
  }
  if (value === null || (isScalar(value) && value.value === null))
    return insertAfterLine(text, offsetOf(key) + 1, indented);
  throw new NotEditable(`${section} is not a mapping`);
}

function withEntry(data: unknown, { section, name, fields }: NewEntry): unknown {
  const whole = isRecord(data) ? data : {};
  const old = whole[section];
  return { ...whole, [section]: { ...(isRecord(old) ? old : {}), [name]: fields } };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
