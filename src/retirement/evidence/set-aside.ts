import { lstat, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../../base/errors.ts';
import { CURRENT } from './files.ts';

/**
 * Moves what is at the path of the log out of the way, without overwriting anything. A regular file stays part of the log if
 * its name among the rotated files is free. Returns the new name; null if nothing was there.
 *
 * @param seq number of the next entry, for a name that is not part of the log
 */
export async function setAside(directory: string, rotated: string, seq: number): Promise<string | null> {
  const path = join(directory, CURRENT);
  const found = await lookAt(path);
  if (!found) return null;
  const name =
    found.isFile() && !(await lookAt(join(directory, rotated)))
      ? rotated
      : await freeName(directory, `${CURRENT}.aside-${seq}`);
  await rename(path, join(directory, name));
  return name;
}

async function freeName(directory: string, name: string): Promise<string> {
  for (let number = 1; ; number++) {
    const candidate = number === 1 ? name : `${name}-${number}`;
    if (!(await lookAt(join(directory, candidate)))) return candidate;
  }
}

async function lookAt(path: string) {
  return lstat(path).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  });
}
