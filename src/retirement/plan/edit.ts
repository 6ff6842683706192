import { isMap, isSeq, type YAMLMap } from 'yaml';
import { insertInFlow, insertLines, NotEditable } from '../../config/text-edit.ts';
import { readTree } from '../../config/yaml-tree.ts';

/** Where a record goes: the mapping with this `id` at the path `lists`. `*` stands for every item of a list. */
export interface EditTarget {
  readonly lists: readonly (string | '*')[];
  readonly id: string;
  /** The new key; the mapping must not have it yet. */
  readonly key: string;
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
  return map.flow === true ? insertInFlow(text, pair, flow) : insertLines(text, map, pair, [flow]);
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

/** Plain if safe in a flow mapping, else in double quotes: a JSON string is valid YAML (YAML 1.2 section 1.3). */
function scalarText(value: string): string {
  const isInstant = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value);
  const isWord = /^[A-Za-z][A-Za-z0-9 _./-]*[A-Za-z0-9]$/.test(value) && !/^(?:true|false|null)$/i.test(value);
  return isInstant || isWord ? value : JSON.stringify(value);
}
