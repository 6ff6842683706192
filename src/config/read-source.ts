import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { messageOf } from '../base/errors.ts';
import { readStable } from '../base/files/read-stable.ts';

/** A handwritten configuration has a few kilobytes; a larger file is no configuration. */
const LARGEST_FILE_BYTES = 1024 * 1024;

/** The bytes of a regular file, or the reason why they cannot be read. */
export async function readSource(path: string): Promise<Buffer | string> {
  let file: FileHandle | undefined;
  try {
    // Without O_NONBLOCK, opening a FIFO without a writer would wait forever.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stat = await file.stat();
    if (stat.isDirectory()) return 'is a directory; expected a YAML file';
    if (!stat.isFile()) return 'is not a regular file; expected a YAML file';
    if (stat.size > LARGEST_FILE_BYTES) return tooLarge;
    const source = file;
    // Half of a file may be valid, and take the tunnels in the other half out of service.
    return await readStable(source, () => readWhole(source));
  } catch (error) {
    return describeSystemError(error);
  } finally {
    await file?.close();
  }
}

/** From the start of the file, at each call. */
async function readWhole(file: FileHandle): Promise<Buffer | string> {
  const bytes = Buffer.alloc(LARGEST_FILE_BYTES + 1);
  let length = 0;
  for (;;) {
    const { bytesRead } = await file.read(bytes, length, bytes.length - length, length);
    length += bytesRead;
    if (length > LARGEST_FILE_BYTES) return tooLarge;
    if (bytesRead === 0) return bytes.subarray(0, length);
  }
}

const tooLarge = 'is larger than 1 MiB; expected a YAML file of a few kilobytes';

function describeSystemError(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'does not exist; expected a YAML file';
  if (code === 'EACCES' || code === 'EPERM')
    return 'is not readable by this user; check the permissions of the file and its directories';
  return `cannot be read (${messageOf(error)})`;
}
