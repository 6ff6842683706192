import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

export const CURRENT = 'events.jsonl';
export const HEAD = 'events.head';

const ROTATED = /^events-(\d{12})\.jsonl$/;

/** Name of a full file, by the number of its first entry: names sort as the entries do. */
export function rotatedName(firstSeq: number): string {
  return `events-${String(firstSeq).padStart(12, '0')}.jsonl`;
}

/** The files of the log in the order of their entries. Empty where there is none yet. */
export async function logFiles(directory: string): Promise<string[]> {
  const names: string[] = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [] as string[];
    throw error;
  });
  const rotated = names.filter((name) => ROTATED.test(name)).toSorted();
  return names.includes(CURRENT) ? [...rotated, CURRENT] : rotated;
}

export interface LogLine {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** Without its newline. */
  readonly text: Buffer;
  /** False for a last line without newline: it is being written, or was torn by a crash. */
  readonly whole: boolean;
}

const NEWLINE = 0x0a;

/** Every line of the log, oldest first. One file is open at a time, and never read as a whole. */
export async function* readLines(directory: string): AsyncGenerator<LogLine> {
  for (const file of await logFiles(directory)) {
    let line = 0;
    let rest: Buffer = Buffer.alloc(0);
    // Node's readline would also split at the separators of Unicode, which JSON leaves as they are.
    for await (const chunk of createReadStream(join(directory, file)) as AsyncIterable<Buffer>) {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      let start = 0;
      for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, start)) {
        yield { file, line: ++line, text: bytes.subarray(start, end), whole: true };
        start = end + 1;
      }
      rest = bytes.subarray(start);
    }
    if (rest.length > 0) yield { file, line: ++line, text: rest, whole: false };
  }
}
