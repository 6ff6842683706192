import type { FileHandle } from 'node:fs/promises';

/** A file that is written while it is read is read again, this often. */
const READS = 3;

/**
 * Reads an open file that another program may be writing: a content counts only if the file did not change meanwhile. Half of a
 * file may lack the lines that matter. Rejects with `ECHANGED` if the file changes each time, and as `read` does.
 */
export async function readStable<Content>(file: FileHandle, read: () => Promise<Content>): Promise<Content> {
  for (let reads = 0; reads < READS; reads++) {
    const before = await stampOf(file);
    const content = await read();
    if ((await stampOf(file)) === before) return content;
  }
  throw Object.assign(new Error('the file changed each time while it was read'), { code: 'ECHANGED' });
}

async function stampOf(file: FileHandle): Promise<string> {
  const { size, mtimeNs, ctimeNs } = await file.stat({ bigint: true });
  return [size, mtimeNs, ctimeNs].join('.');
}
