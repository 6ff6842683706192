import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { join } from 'node:path';
import { openRegular } from '../../base/files/regular-file.ts';
import { ChainCheck, type ChainProblem } from './chain.ts';
import type { Entry } from './entry.ts';
import { CURRENT, filesSince, readLines } from './files.ts';
import { KnownHead } from './head.ts';
import type { LogEnd } from './log-file.ts';

/** The result of opening an existing log. */
export interface Recovery {
  /** Removed bytes of an incomplete last line; 0 if the last line was complete. */
  readonly tornBytes: number;
  /** There are entries, but `events.head` is missing or unreadable: a missing end of the log would not show. */
  readonly headLost: boolean;
  readonly problems: readonly ChainProblem[];
}

/**
 * Reads the entries of a log since `since`, and perhaps earlier ones, and opens its end. An incomplete last line is removed.
 * Other damage is reported and left: the chain continues from the last line. Rejects if the log cannot be read or written.
 */
export async function recover(
  directory: string,
  since: Date,
  onFound: (entry: Entry) => void,
): Promise<{ readonly end: LogEnd; readonly recovery: Recovery }> {
  const known = await new KnownHead(directory).read();
  const files = await filesSince(directory, since);
  // `verifyLog` checks the earlier files.
  const check = new ChainCheck(known, 'anywhere');
  let tornBytes = 0;
  let size = 0;
  let fileStart = 1;
  const content = createHash('sha256');
  for await (const { file, line, text, bytes, whole } of readLines(directory, files)) {
    if (!whole && file === CURRENT) {
      tornBytes = bytes;
      break;
    }
    if (file === CURRENT) {
      if (line === 1) fileStart = check.last.seq + 1;
      size += bytes + 1;
      content.update(text).update('\n');
    }
    const entry = check.next(text, { file, line });
    if (entry) onFound(entry);
  }
  const problems = check.finish();
  const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT;
  const file = await openRegular(join(directory, CURRENT), flags, 0o600);
  if (tornBytes > 0) {
    await file.truncate(size);
    await file.datasync();
  }
  // The chain goes on from the last entry that was written: its number is never reused, and its hash keeps a changed or
  // missing end of the log visible for good.
  const head = known && known.seq >= check.last.seq ? known : check.last;
  if (size === 0) fileStart = head.seq + 1;
  return {
    end: { file, size, content, fileStart, head },
    recovery: { tornBytes, problems, headLost: !known && check.last.seq > 0 },
  };
}
