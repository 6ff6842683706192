import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { ChainCheck, type ChainProblem } from './chain.ts';
import type { Entry } from './entry.ts';
import { CURRENT, filesSince, readLines } from './files.ts';
import { KnownHead } from './head.ts';
import type { LogEnd } from './log-file.ts';

/** What was found and done when an existing log was opened. */
export interface Recovery {
  /** Bytes of a torn last line that were cut off; 0 where there was none. */
  readonly tornBytes: number;
  readonly problems: readonly ChainProblem[];
}

/**
 * Reads what the log of a directory has since `since`, and perhaps some before it, and opens its end. A torn last line is cut
 * off; any other damage is reported and left as it is: the chain goes on from the last line. Rejects when the log cannot be
 * read or written.
 */
export async function recover(
  directory: string,
  since: Date,
  onFound: (entry: Entry) => void,
): Promise<{ readonly end: LogEnd; readonly recovery: Recovery }> {
  const known = await new KnownHead(directory).read();
  const files = await filesSince(directory, since);
  // The files before these are for `verifyLog` to check.
  const check = new ChainCheck(known, 'anywhere');
  let tornBytes = 0;
  let size = 0;
  let fileStart = 1;
  for await (const { file, line, text, whole } of readLines(directory, files)) {
    if (!whole && file === CURRENT) {
      tornBytes = text.length;
      break;
    }
    if (file === CURRENT) {
      if (line === 1) fileStart = check.last.seq + 1;
      size += text.length + 1;
    }
    const entry = check.next(text, { file, line });
    if (entry) onFound(entry);
  }
  const problems = check.finish();
  const file = await open(join(directory, CURRENT), 'a', 0o600);
  if (tornBytes > 0) {
    await file.truncate(size);
    await file.datasync();
  }
  // Numbers of entries that are gone are never given again: the gap they leave stays visible for good.
  const head = { seq: Math.max(check.last.seq, known?.seq ?? 0), hash: check.last.hash };
  if (size === 0) fileStart = head.seq + 1;
  return { end: { file, size, fileStart, head }, recovery: { tornBytes, problems } };
}
