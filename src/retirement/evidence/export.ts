import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { messageOf } from '../../base/errors.ts';
import type { ChainProblem, Head } from './chain.ts';
import type { Entry } from './entry.ts';
import { EXPORT_README, EXPORT_SCRIPT } from './export-texts.ts';
import { CURRENT, HEAD, logFiles } from './files.ts';
import { KnownHead } from './head.ts';
import { type LogReader, type Verification, verifyLog } from './verify.ts';

const NEWLINE = Buffer.from('\n');

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
 * and `jq` alone. Rejects with the error of the file system; then nothing is left behind, unless `out` existed. A log without
 * any entry is rejected, too: nothing could be checked.
 */
export async function exportLog({ directory, out, version, now }: ExportOptions): Promise<Manifest> {
  if ((await logFiles(directory)).length === 0) throw new Error(`no log files in ${directory}`);
  await mkdir(out, { mode: 0o755 });
  try {
    // Before the lines: a daemon that writes on must not look like one whose last lines are missing.
    const known = await new KnownHead(directory).read();
    const { lines, found } = await copyLog(directory, join(out, CURRENT));
    if (lines.count === 0 && !known) throw new Error(`the log in ${directory} has no entries yet`);
    const described = lines.describe(found, { version, now, known });
    const sums = [
      lines.sum,
      await write(out, 'manifest.json', `${JSON.stringify(described, null, 2)}\n`),
      ...(known ? [await write(out, HEAD, `${JSON.stringify(known)}\n`)] : []),
      await write(out, 'README.md', EXPORT_README),
      await write(out, 'verify.sh', EXPORT_SCRIPT, 0o755),
    ];
    // Last: an export that was interrupted does not pass its check.
    await write(out, 'SHA256SUMS', sums.map((sum) => `${sum}\n`).join(''));
    return described;
  } catch (error) {
    // A place that has become read-only keeps what it has; the first error says why.
    await rm(out, { recursive: true, force: true }).catch(() => {});
    throw error;
  }
}

/** Copies and checks the log, which may be written meanwhile. The copy has the lines that were checked. */
async function copyLog(
  directory: string,
  path: string,
): Promise<{ readonly lines: Lines; readonly found: Verification }> {
  let lines: Lines | undefined;
  try {
    const found = await verifyLog(directory, async () => {
      // A file was rotated meanwhile: the copy begins again.
      await lines?.close();
      lines = await Lines.create(path);
      return lines;
    });
    lines ??= await Lines.create(path);
    await lines.finish();
    return { lines, found };
  } finally {
    await lines?.close();
  }
}

interface Described {
  readonly version: string;
  readonly now: Date;
  readonly known: Head | undefined;
}

/** The copy of the lines, and what is known about them. */
class Lines implements LogReader {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #hash = createHash('sha256');
  readonly #nodes = new Set<string>();
  #first: z.infer<typeof line> | null = null;
  #last: z.infer<typeof line> | null = null;
  #count = 0;
  #waiting: Buffer[] = [];

  private constructor(path: string, file: FileHandle) {
    this.#path = path;
    this.#file = file;
  }

  /** An empty copy, also in place of an earlier one. */
  static async create(path: string): Promise<Lines> {
    return new Lines(path, await filed(path, () => open(path, 'w', 0o644)));
  }

  entry({ seq, at, node }: Entry, { hash }: Head): void {
    if (typeof node === 'string') this.#nodes.add(node);
    this.#last = { seq, at, sha256: hash };
    this.#first ??= this.#last;
  }

  async line(text: Buffer): Promise<void> {
    const bytes = Buffer.concat([text, NEWLINE]);
    this.#hash.update(bytes);
    this.#count++;
    this.#waiting.push(bytes);
    if (this.#waiting.length >= 1_000) await this.#flush();
  }

  /** Settles when all lines are on the disk. */
  async finish(): Promise<void> {
    await this.#flush();
    await filed(this.#path, () => this.#file.sync());
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  get count(): number {
    return this.#count;
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
    await filed(this.#path, async () => {
      for (let done = 0; done < bytes.length; ) done += (await this.#file.write(bytes, done)).bytesWritten;
    });
  }
}

/** Returns the line of SHA256SUMS. */
async function write(out: string, name: string, text: string, mode = 0o644): Promise<string> {
  const path = join(out, name);
  await filed(path, async () => {
    const file = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, mode);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
  });
  return sumLine(createHash('sha256').update(text).digest('hex'), name);
}

/** The error of a full disk names no file. */
function filed<Result>(path: string, access: () => Promise<Result>): Promise<Result> {
  return access().catch((error: unknown) => {
    throw new Error(`cannot write ${path}: ${messageOf(error)}`, { cause: error });
  });
}

/** As sha256sum(1) prints and reads it. */
function sumLine(hash: string, name: string): string {
  return `${hash}  ${name}`;
}
