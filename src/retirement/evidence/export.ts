import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { ChainProblem, Head } from './chain.ts';
import { GENESIS, hashLine } from './entry.ts';
import { EXPORT_README, EXPORT_SCRIPT } from './export-texts.ts';
import { CURRENT, HEAD, logFiles, readLines } from './files.ts';
import { KnownHead } from './head.ts';
import { type Verification, verifyLog } from './verify.ts';

/** A log is rotated every few weeks; more than this in a row is another problem. */
const MOST_ATTEMPTS = 5;

const line = z.object({ seq: z.int(), at: z.string(), sha256: z.string() });

/** `manifest.json` of an export. */
export const manifest = z.object({
  schema: z.literal(1),
  exported_at: z.iso.datetime(),
  /** Version of the program that exported. */
  version: z.string(),
  /** The nodes that wrote the lines, as they call themselves. */
  nodes: z.array(z.string()),
  entries: z.int(),
  first: line.nullable(),
  last: line.nullable(),
  /** The last entry that the daemon knew to be on the disk; null if unknown. */
  known_head: z.object({ seq: z.int(), hash: z.string() }).nullable(),
  problems: z.array(z.object({ file: z.string(), line: z.int(), message: z.string() })),
});
export type Manifest = z.infer<typeof manifest>;

export interface ExportOptions {
  /** The state directory. */
  readonly directory: string;
  /** The directory of the export, which must not exist. */
  readonly out: string;
  readonly version: string;
  readonly now: Date;
}

/**
 * Writes a self-contained proof: all lines of the log in one file, the heads, and a script that checks them with `sha256sum`
 * and `jq` alone. Rejects with the error of the file system; then nothing is left behind, unless `out` existed.
 */
export async function exportLog({ directory, out, version, now }: ExportOptions): Promise<Manifest> {
  if ((await logFiles(directory)).length === 0) throw new Error(`no log files in ${directory}`);
  await mkdir(out, { mode: 0o755 });
  try {
    // Before the lines: a daemon that writes on must not look like one whose last lines are missing.
    const known = await new KnownHead(directory).read();
    const { lines, found } = await copyLog(directory, join(out, CURRENT));
    const described = lines.describe(found, { version, now, known });
    const sums = [
      lines.sum,
      await write(out, 'manifest.json', `${JSON.stringify(described, null, 2)}\n`),
      ...(known ? [await write(out, HEAD, `${JSON.stringify(known)}\n`)] : []),
      await write(out, 'README.md', EXPORT_README),
      await write(out, 'verify.sh', EXPORT_SCRIPT, 0o755),
    ];
    await write(out, 'SHA256SUMS', sums.map((sum) => `${sum}\n`).join(''));
    return described;
  } catch (error) {
    await rm(out, { recursive: true, force: true });
    throw error;
  }
}

/** Copies and checks the log, which may be written meanwhile. The copy ends with the last line that was checked. */
async function copyLog(
  directory: string,
  path: string,
): Promise<{ readonly lines: Lines; readonly found: Verification }> {
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
    const found = await verifyLog(directory);
    const lines = new Lines(path);
    await lines.begin();
    try {
      for await (const { text } of readLines(directory)) {
        if (lines.count === found.entries) break;
        await lines.add(text);
      }
    } finally {
      await lines.end();
    }
    // A file that was rotated in between is missing in the copy.
    if (lines.count === found.entries && lines.endsWith(found.head)) return { lines, found };
  }
  throw new Error('the log changes faster than it can be copied');
}

interface Described {
  readonly version: string;
  readonly now: Date;
  readonly known: Head | undefined;
}

/** The copy of the lines, and what is known about them. */
class Lines {
  readonly #path: string;
  readonly #hash = createHash('sha256');
  readonly #nodes = new Set<string>();
  #file: FileHandle | undefined;
  #first: z.infer<typeof line> | null = null;
  #last: z.infer<typeof line> | null = null;
  #count = 0;
  #end: string = GENESIS;
  #waiting: Buffer[] = [];

  constructor(path: string) {
    this.#path = path;
  }

  async begin(): Promise<void> {
    this.#file = await open(this.#path, 'w', 0o644);
  }

  async add(text: Buffer): Promise<void> {
    const bytes = Buffer.concat([text, Buffer.from('\n')]);
    this.#hash.update(bytes);
    this.#count++;
    this.#end = hashLine(text);
    this.#look(text);
    this.#waiting.push(bytes);
    if (this.#waiting.length >= 1_000) await this.#flush();
  }

  async end(): Promise<void> {
    await this.#flush();
    await this.#file?.sync();
    await this.#file?.close();
  }

  get count(): number {
    return this.#count;
  }

  endsWith({ seq, hash }: Head): boolean {
    return seq === 0 || this.#end === hash;
  }

  /** The line of SHA256SUMS. */
  get sum(): string {
    return sumLine(this.#hash.copy().digest('hex'), CURRENT);
  }

  describe({ problems }: { readonly problems: readonly ChainProblem[] }, { version, now, known }: Described): Manifest {
    return {
      schema: 1,
      exported_at: now.toISOString(),
      version,
      nodes: [...this.#nodes],
      entries: this.#count,
      first: this.#first,
      last: this.#last,
      known_head: known ?? null,
      problems: [...problems],
    };
  }

  async #flush(): Promise<void> {
    const bytes = Buffer.concat(this.#waiting);
    this.#waiting = [];
    for (let done = 0; done < bytes.length; )
      done += (await this.#file?.write(bytes, done))?.bytesWritten ?? bytes.length;
  }

  #look(text: Buffer): void {
    const parsed = told.safeParse(jsonOf(text));
    if (!parsed.success) return;
    const { seq, at, node } = parsed.data;
    if (node !== undefined) this.#nodes.add(node);
    this.#last = { seq, at, sha256: this.#end };
    this.#first ??= this.#last;
  }
}

const told = z.object({ seq: z.int(), at: z.string(), node: z.string().optional() });

function jsonOf(text: Buffer): unknown {
  try {
    return JSON.parse(text.toString('utf8'));
  } catch {
    return undefined;
  }
}

/** Returns the line of SHA256SUMS. */
async function write(out: string, name: string, text: string, mode = 0o644): Promise<string> {
  const file = await open(join(out, name), constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, mode);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  return sumLine(createHash('sha256').update(text).digest('hex'), name);
}

/** As sha256sum(1) prints and reads it. */
function sumLine(hash: string, name: string): string {
  return `${hash}  ${name}`;
}
