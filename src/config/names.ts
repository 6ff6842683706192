import { dirname, resolve } from 'node:path';
import { isMap, isScalar, isSeq } from 'yaml';
import { readSource } from './read-source.ts';
import { readTree } from './yaml-tree.ts';

/** What can be named on a command line. `places`: tunnels and hosts. */
export type NameKind = 'tunnels' | 'hosts' | 'actors' | 'places' | 'gates' | 'steps' | 'waves';

/** Other texts may break a line of the shell. */
const SHOWABLE = /^[A-Za-z0-9][\w.:-]{0,62}$/;

/**
 * The names in a tunnel YAML, or in its plan, as far as the file can be read: a file with mistakes has names too. Without
 * schemas, because a shell asks at each press of the tabulator. Never rejects.
 */
export async function namesIn(path: string, kind: NameKind): Promise<string[]> {
  const root = await treeOf(path);
  switch (kind) {
    case 'places':
      return unique([...keysOf(root, 'tunnels'), ...keysOf(root, 'hosts')]);
    case 'tunnels':
    case 'hosts':
    case 'actors':
      return unique(keysOf(root, kind));
    default: {
      const plan = textOf(childOf(root, 'plan'));
      return plan === undefined ? [] : unique(idsOf(await treeOf(resolve(dirname(path), plan)), kind));
    }
  }
}

function idsOf(plan: unknown, kind: 'gates' | 'steps' | 'waves'): string[] {
  if (kind !== 'steps') return itemsOf(childOf(plan, kind)).flatMap(idOf);
  return itemsOf(childOf(plan, 'waves')).flatMap((wave) => itemsOf(childOf(wave, 'steps')).flatMap(idOf));
}

async function treeOf(path: string): Promise<unknown> {
  const source = await readSource(path).catch(() => 'unreadable');
  if (typeof source === 'string') return undefined;
  try {
    return readTree(source.toString('utf8')).contents;
  } catch {
    return undefined;
  }
}

function childOf(node: unknown, key: string): unknown {
  return isMap(node) ? node.get(key, true) : undefined;
}

function keysOf(root: unknown, section: string): string[] {
  const map = childOf(root, section);
  return isMap(map) ? map.items.flatMap(({ key }) => textOf(key) ?? []) : [];
}

function itemsOf(node: unknown): unknown[] {
  return isSeq(node) ? node.items : [];
}

function idOf(node: unknown): string[] {
  return [textOf(childOf(node, 'id')) ?? []].flat();
}

function textOf(node: unknown): string | undefined {
  return isScalar(node) && node.value !== null ? (node.source ?? String(node.value)) : undefined;
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)].filter((name) => SHOWABLE.test(name));
}
