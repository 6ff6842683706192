import { isDeepStrictEqual } from 'node:util';
import { ChainCheck, type ChainProblem, type Head } from './chain.ts';
import type { Entry } from './entry.ts';
import { CURRENT, logFiles, readLines } from './files.ts';
import { KnownHead } from './head.ts';

/** The result of `events --verify`. */
export interface Verification {
  readonly files: readonly string[];
  readonly entries: number;
  readonly first: string | undefined;
  readonly last: string | undefined;
  /** The last entry, whose hash covers all earlier ones. */
  readonly head: Head;
  /** Whether the expected last entry was known. */
  readonly endKnown: boolean;
  readonly problems: readonly ChainProblem[];
}

/** Receives each entry, and the head of the chain at that entry. */
export type Reader = (entry: Entry, head: Head) => void;

/**
 * Reads the whole log, which may be written meanwhile: a last line without newline does not count yet. `begin` returns a
 * reader for the entries; it is called again if the files must be read again.
 */
export async function verifyLog(directory: string, begin: () => Reader = () => () => {}): Promise<Verification> {
  for (;;) {
    const files = await logFiles(directory);
    const found = await verifyFiles(directory, files, begin());
    // A file that was rotated meanwhile would be missing.
    if (isDeepStrictEqual(files, await logFiles(directory))) return found;
  }
}

async function verifyFiles(directory: string, files: readonly string[], read: Reader): Promise<Verification> {
  const known = await new KnownHead(directory).read();
  const check = new ChainCheck(known, 'beginning');
  let entries = 0;
  let first: string | undefined;
  let last: string | undefined;
  for await (const { file, line, text, whole } of readLines(directory, files)) {
    if (!whole && file === CURRENT) break;
    const entry = check.next(text, { file, line });
    entries++;
    first ??= entry?.at;
    last = entry?.at ?? last;
    if (entry) read(entry, check.last);
  }
  return { files, entries, first, last, problems: check.finish(), head: check.last, endKnown: known !== undefined };
}
