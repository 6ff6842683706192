import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { inSlices } from '../../../base/async/slices.ts';
import { TunnelError } from '../../../base/errors.ts';
import { permissionHint } from '../../../base/files/permission-hint.ts';
import { readStable } from '../../../base/files/read-stable.ts';
import { findLines, type HostLines } from './host-lines.ts';
import { type KnownHosts, keyscanHint, parseKnownHosts } from './known-hosts.ts';

/** Far above any known_hosts file; limits the memory when the path is wrong. */
const MOST_BYTES = 64 * 1024 * 1024;
const CHUNK_BYTES = 256 * 1024;

/** One content of a file, parsed, and the lines found in it so far. */
interface Parsed {
  readonly digest: string;
  readonly known: Promise<KnownHosts>;
  /** By host and port. */
  readonly found: Map<string, Promise<HostLines>>;
}

/**
 * The known_hosts files of all links. Each attempt reads the file again, so that a change counts at once, but parses and
 * searches only a new content: a large file takes long, and many links may connect at once. Never writes a file.
 */
export class KnownHostsFiles {
  readonly #parsed = new Map<string, Parsed>();

  /**
   * The lines about a host, and all unusable lines. Rejects with `host_key_unknown` when no line of the file is usable, or
   * when the file changes all the time. Does not block the event loop.
   */
  async find(path: string, host: string, port: number): Promise<Pick<KnownHosts, 'problems'> & { lines: HostLines }> {
    const refuse = (reason: string, cause?: unknown, hint = keyscanHint(host, port, path)) =>
      new TunnelError('host_key_unknown', `no host key is known: ${path} ${reason}`, { cause, hint });
    const content = await readContent(path).catch((error: unknown) => {
      throw refuse(reasonOf(error), error, isRefused(error) ? permissionHint(path, 'known_hosts') : undefined);
    });
    const parsed = this.#parse(path, content);
    const known = await parsed.known;
    if (known.entries.length === 0) {
      const [first] = known.problems;
      throw refuse(first === undefined ? 'has no entry' : `has no usable line (${first})`);
    }
    return { problems: known.problems, lines: await search(parsed, known, { file: path, host, port }) };
  }

  #parse(path: string, { bytes, digest }: Content): Parsed {
    const before = this.#parsed.get(path);
    if (before?.digest === digest) return before;
    const parsed = { digest, known: inSlices(parseKnownHosts(bytes, path)), found: new Map() };
    this.#parsed.set(path, parsed);
    return parsed;
  }
}

function search(
  { found }: Parsed,
  { entries }: KnownHosts,
  about: Pick<HostLines, 'file' | 'host' | 'port'>,
): Promise<HostLines> {
  const key = `${about.host} ${about.port}`;
  const before = found.get(key);
  if (before) return before;
  const searching = inSlices(findLines(entries, about));
  found.set(key, searching);
  return searching;
}

interface Content {
  readonly bytes: Buffer;
  /** SHA-256: unlike a time stamp, the digest shows every change. */
  readonly digest: string;
}

/** Rejects with the system's error, `ENOTREG`, `EFBIG` or `ECHANGED`. */
async function readContent(path: string): Promise<Content> {
  // O_NONBLOCK: opening a FIFO waits for a writer, and each wait blocks one of the few threads for file access.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = await file.stat();
    if (!stats.isFile() && !stats.isDirectory()) throw Object.assign(new Error('not a file'), { code: 'ENOTREG' });
    // Half of a file may lack the line that revokes a key.
    return await readStable(file, () => readAll(file));
  } finally {
    await file.close();
  }
}

async function readAll(file: FileHandle): Promise<Content> {
  const hash = createHash('sha256');
  const chunks: Buffer[] = [];
  for (let size = 0; ; ) {
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(CHUNK_BYTES), 0, CHUNK_BYTES, size);
    if (bytesRead === 0) return { bytes: Buffer.concat(chunks), digest: hash.digest('hex') };
    size += bytesRead;
    if (size > MOST_BYTES) throw Object.assign(new Error('too large'), { code: 'EFBIG' });
    const chunk = buffer.subarray(0, bytesRead);
    hash.update(chunk);
    chunks.push(chunk);
  }
}

function isRefused(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'EACCES' || error.code === 'EPERM');
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT') return 'does not exist';
  if (isRefused(error)) return 'cannot be read: permission denied';
  if (code === 'EISDIR') return 'is a directory';
  if (code === 'ENOTREG') return 'is not a regular file';
  if (code === 'EFBIG') return `is larger than ${MOST_BYTES / 1024 / 1024} MiB`;
  if (code === 'ECHANGED') return 'changed each time while it was read';
  return `cannot be read (${String(code)})`;
}
