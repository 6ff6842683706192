import { isDeepStrictEqual } from 'node:util';
import { errnoOf } from '../../base/errors.ts';
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

/** Receives the log in the order of its files. */
export interface LogReader {
  /** Each entry, and the head of the chain at that entry. */
  entry?(entry: Entry, head: Head): void;
  /** Each line without its newline, also one that is damaged, and its hash. */
  line?(text: Buffer, hash: string): Promise<void>;
}

/** A file that cannot be found so often is not being rotated: a link leads nowhere. */
const MOST_ABSENCES = 5;

/**
 * Reads the whole log, which may be written meanwhile: a last line without newline does not count yet. `begin` returns a
 * reader; it is called again if the files must be read again.
 */
export async function verifyLog(
  directory: string,
  begin: () => LogReader | Promise<LogReader> = () => ({}),
): Promise<Verification> {
  let absences = 0;
  for (let looks = 0; ; ) {
    const files = await logFiles(directory);
    const found = await verifyFiles(directory, files, await begin()).catch((error: unknown) => {
      // A rotation leaves no current file for a moment.
      if (errnoOf(error) !== 'ENOENT' || ++absences >= MOST_ABSENCES) throw error;
    });
    // A file that was rotated meanwhile would be missing.
    if (!found || !isDeepStrictEqual(files, await logFiles(directory))) continue;
    // A new daemon cuts off a torn line: half of the line and half of the next one look like damage, once.
    if (found.problems.length === 0 || ++looks === 2) return found;
  }
}

async function verifyFiles(directory: string, files: readonly string[], reader: LogReader): Promise<Verification> {
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
    if (entry) reader.entry?.(entry, check.last);
    await reader.line?.(text, check.last.hash);
  }
  return { files, entries, first, last, problems: check.finish(), head: check.last, endKnown: known !== undefined };
}
