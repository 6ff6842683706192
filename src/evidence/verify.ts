import { ChainCheck, type ChainProblem, type Head } from './chain.ts';
import { CURRENT, readLines } from './files.ts';
import { readHead } from './head.ts';

/** What `events --verify` says of a log. */
export interface Verification {
  readonly entries: number;
  readonly first: string | undefined;
  readonly last: string | undefined;
  /** The entry that everything before hangs on. */
  readonly head: Head;
  readonly problems: readonly ChainProblem[];
}

/** Reads the whole log once. It may be written meanwhile: a last line without its newline is not there yet. */
export async function verifyLog(directory: string): Promise<Verification> {
  const check = new ChainCheck(await readHead(directory), 'beginning');
  let entries = 0;
  let first: string | undefined;
  let last: string | undefined;
  for await (const { file, line, text, whole } of readLines(directory)) {
    if (!whole && file === CURRENT) break;
    const entry = check.next(text, { file, line });
    entries++;
    first ??= entry?.at;
    last = entry?.at ?? last;
  }
  return { entries, first, last, problems: check.finish(), head: check.last };
}
