import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

const WILD = /[*?[]/;

/** The files that a path with wildcards in its last part names, sorted (glob(7)). A plain path names itself. */
export async function filesOfPattern(path: string): Promise<string[]> {
  const pattern = basename(path);
  if (!WILD.test(pattern)) return [path];
  const source = pattern
    .replace(/[.+^${}()|\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.')
    .replace(/\[!/g, '[^')
    // A bracket without its end is a character.
    .replace(/\[(?![^\]]+\])/g, '\\[');
  const wanted = new RegExp(`^(?!\\.)${source}$`);
  const names = await readdir(dirname(path)).catch(() => []);
  return names
    .filter((name) => wanted.test(name))
    .sort()
    .map((name) => join(dirname(path), name));
}
