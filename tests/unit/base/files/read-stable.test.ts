import { appendFileSync, writeFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readStable } from '../../../../src/base/files/read-stable.ts';
import { tempDir } from '../../../support/machine/temp-dir.ts';

/** Reads the file while another program writes `pieces`, one piece at each read. */
async function readAmong(pieces: string[]): Promise<string> {
  using directory = tempDir('stable');
  const path = join(directory.path, 'file');
  writeFileSync(path, 'one');
  const file = await open(path);
  try {
    return await readStable(file, async () => {
      const text = await textOf(file);
      const piece = pieces.shift();
      if (piece !== undefined) appendFileSync(path, piece);
      return text;
    });
  } finally {
    await file.close();
  }
}

async function textOf(file: FileHandle): Promise<string> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(64), 0, 64, 0);
  return buffer.toString('utf8', 0, bytesRead);
}

test('reads a file again that another program writes meanwhile', async () => {
  expect(await readAmong([])).toBe('one');
  expect(await readAmong([' two', ' three'])).toBe('one two three');
});

test('rejects when the file changes at each read', async () => {
  await expect(readAmong(['2', '3', '4', '5'])).rejects.toMatchObject({ code: 'ECHANGED' });
});
