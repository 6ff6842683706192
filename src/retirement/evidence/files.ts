import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseEntry } from './entry.ts';

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

/** The files that hold what happened since `time`, and perhaps some before it. */
export async function filesSince(directory: string, time: Date): Promise<string[]> {
  const files = await logFiles(directory);
  for (let index = files.length - 1; index > 0; index--) {
    const file = files[index];
    if (file === undefined) break;
    const begins = await firstTime(directory, file);
    // Without a line of its own it says nothing of what is before it.
    if (begins !== undefined && begins < time.toISOString()) return files.slice(index);
  }
  return files;
}

async function firstTime(directory: string, file: string): Promise<string | undefined> {
  for await (const { text } of readLines(directory, [file])) return parseEntry(text.toString('utf8'))?.at;
  return undefined;
}

/** Every line of these files of the log, by default of all, oldest first. One file is open at a time, and never read as a whole. */
export async function* readLines(directory: string, files?: readonly string[]): AsyncGenerator<LogLine> {
  for (const file of files ?? (await logFiles(directory))) {
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
