import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

/** A state file is a few kilobytes; more than this, in bytes, is not one of ours. */
const MOST_BYTES = 16 * 1024 * 1024;

/** Another kind of file is at the path, or one that is too large. */
class NotUsable extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * Opens a regular file. Anything else rejects with `ENOTSUP` at once: opening a FIFO would wait for its other end, and
 * hold a thread of the process meanwhile.
 *
 * @param flags for open(2)
 */
export async function openRegular(path: string, flags: number, mode?: number): Promise<FileHandle> {
  const file = await open(path, flags | constants.O_NONBLOCK, mode).catch((error: NodeJS.ErrnoException) => {
    // A FIFO without a reader, opened for writing.
    if (error.code === 'ENXIO') throw notRegular(path);
    throw error;
  });
  try {
    if (!(await file.stat()).isFile()) throw notRegular(path);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** The content of a regular file of at most `mostBytes`. Rejects with `ENOTSUP`, `EFBIG` or the error of the disk. */
export async function readRegular(path: string, mostBytes = MOST_BYTES): Promise<Buffer> {
  const file = await openRegular(path, constants.O_RDONLY);
  try {
    const { size } = await file.stat();
    if (size > mostBytes) throw new NotUsable('EFBIG', `${path} is too large: ${size} bytes`);
    return await file.readFile();
  } finally {
    await file.close();
  }
}

function notRegular(path: string): NotUsable {
  return new NotUsable('ENOTSUP', `${path} is not a regular file`);
}
