import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeAtomically } from '../../base/files/write-atomically.ts';
import type { Head } from './chain.ts';
import { HEAD } from './files.ts';

const schema = z.object({ seq: z.int().min(0), hash: z.string().regex(/^[0-9a-f]{64}$/) });

/** The last entry that is known to have been on the disk. Undefined where none is known: then the end proves nothing. */
export async function readHead(directory: string): Promise<Head | undefined> {
  try {
    return schema.parse(JSON.parse(await readFile(join(directory, HEAD), 'utf8')));
  } catch {
    return undefined;
  }
}

/** After the entry itself is on the disk, never before: a crash in between leaves a head that is behind, and true. */
export async function writeHead(directory: string, head: Head): Promise<void> {
  await writeAtomically(join(directory, HEAD), `${JSON.stringify(head)}\n`);
}
