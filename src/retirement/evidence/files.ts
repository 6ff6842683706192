import { constants } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { openRegular } from '../../base/files/regular-file.ts';
import { parseEntry } from './entry.ts';

export const CURRENT = 'events.jsonl';
export const HEAD = 'events.head';

/** Age of the oldest entries read at the start, in milliseconds; longer than the longest availability window. */
export const READ_MS = 31 * 86_400_000;

const ROTATED = /^events-(\d{12})\.jsonl$/;

/** Name of a rotated file, by the number of its first entry: names sort like the entries. */
export function rotatedName(firstSeq: number): string {
  return `events-${String(firstSeq).padStart(12, '0')}.jsonl`;
}

/** The files of the log in the order of their entries. Empty if there is no log yet. */
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
  /** Length in the file, without the newline. */
  readonly bytes: number;
  /** False for a last line without newline: being written, or torn by a crash. */
  readonly whole: boolean;
}

const NEWLINE = 0x0a;

/** The files with all entries since `time`, and perhaps earlier ones. */
export async function filesSince(directory: string, time: Date): Promise<string[]> {
  const files = await logFiles(directory);
  for (let index = files.length - 1; index > 0; index--) {
    const file = files[index];
    if (file === undefined) break;
    const begins = await firstTime(directory, file);
    // An empty file does not show the age of the files before it.
    if (begins !== undefined && begins < time.toISOString()) return files.slice(index);
  }
  return files;
}

async function firstTime(directory: string, file: string): Promise<string | undefined> {
  for await (const { text } of readLines(directory, [file])) return parseEntry(text.toString('utf8'))?.at;
  return undefined;
}

/** A longer line is not one of ours, in bytes: its end is not kept. */
const LONGEST_LINE = 16 * 1024 * 1024;

/** The lines of these files (default: all), oldest first. Streams one file at a time, in bounded memory. */
export async function* readLines(directory: string, files?: readonly string[]): AsyncGenerator<LogLine> {
  for (const file of files ?? (await logFiles(directory))) {
    let line = 0;
    let rest: Buffer[] = [];
    let length = 0;
    const keep = (bytes: Buffer) => {
      if (length < LONGEST_LINE) rest.push(bytes.subarray(0, LONGEST_LINE - length));
      length += bytes.length;
    };
    const take = (whole: boolean): LogLine => {
      const text = Buffer.concat(rest);
      const taken = { file, line: ++line, text, bytes: length, whole };
      rest = [];
      length = 0;
      return taken;
    };
    const stream = (await openRegular(join(directory, file), constants.O_RDONLY)).createReadStream();
    // Node's readline would also split at Unicode line separators, which JSON does not escape.
    for await (const bytes of stream as AsyncIterable<Buffer>) {
      let start = 0;
      for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, start)) {
        keep(bytes.subarray(start, end));
        yield take(true);
        start = end + 1;
      }
      keep(bytes.subarray(start));
    }
    if (length > 0) yield take(false);
  }
}
