import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { TunnelError } from '../../../base/errors.ts';

/** One usable line of a known_hosts file (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT). */
export interface KnownHost {
  readonly marker: 'cert-authority' | 'revoked' | undefined;
  /** The hosts field as written: a comma list of patterns, or one hashed name. */
  readonly hosts: string;
  /** Key type in the blob, e.g. `ssh-ed25519`. */
  readonly type: string;
  /** The public key blob (RFC 4253 section 6.6). */
  readonly blob: Buffer;
  /** `file:line`. */
  readonly place: string;
}

export interface KnownHosts {
  readonly entries: readonly KnownHost[];
  /** Unusable lines, each as `file:line: reason`; ssh(1) skips them too. */
  readonly problems: readonly string[];
}

const MARKERS: Readonly<Record<string, KnownHost['marker']>> = {
  '@cert-authority': 'cert-authority',
  '@revoked': 'revoked',
};

/** The type inside a key blob; undefined when the bytes are not a key blob. */
function blobType(blob: Buffer): string | undefined {
  if (blob.length < 4) return undefined;
  const end = 4 + blob.readUInt32BE(0);
  return end < blob.length ? blob.toString('latin1', 4, end) : undefined;
}

function parseLine(line: string, place: string): KnownHost | string {
  const words = line.split(/[ \t]+/);
  const first = words[0] ?? '';
  const marked = first.startsWith('@');
  if (marked && !Object.hasOwn(MARKERS, first)) {
    return `${place}: unknown marker: expected @cert-authority or @revoked`;
  }
  const [hosts, type, key] = marked ? words.slice(1) : words;
  if (hosts === undefined || type === undefined || key === undefined) {
    return `${place}: expected "hosts key-type key"`;
  }
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(key)) return `${place}: the key is not base64`;
  const blob = Buffer.from(key, 'base64');
  // ssh(1) reads the key by its type word; a blob of another type means a damaged or forged line.
  if (blobType(blob) !== type) return `${place}: the key is not of the type in the line`;
  return { marker: marked ? MARKERS[first] : undefined, hosts, type, blob, place };
}

/** Never throws: lists unreadable lines. `file` is the file name in places. */
export function parseKnownHosts(text: string, file: string): KnownHosts {
  const entries: KnownHost[] = [];
  const problems: string[] = [];
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const parsed = parseLine(line, `${file}:${index + 1}`);
    if (typeof parsed === 'string') problems.push(parsed);
    else entries.push(parsed);
  }
  return { entries, problems };
}

/**
 * How to add a host key without trusting the network: ssh-keyscan(1) alone proves nothing, so the operator compares the
 * fingerprint at the host.
 */
export function keyscanHint(host: string, port: number, file: string): string {
  const target = port === 22 ? host : `-p ${port} ${host}`;
  return (
    `Run \`ssh-keyscan ${target} > scanned\` and \`ssh-keygen -lf scanned\`. Compare with ` +
    `\`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub\` on the host's console. If equal, append scanned to ${file}.`
  );
}

/** Rejects with the system's error, or with `ENOTREG`. */
async function readRegularFile(path: string): Promise<string> {
  // O_NONBLOCK: opening a FIFO waits for a writer, and each wait blocks one of the few threads for file access.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = await file.stat();
    if (!stats.isFile() && !stats.isDirectory()) throw Object.assign(new Error('not a file'), { code: 'ENOTREG' });
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT') return 'does not exist';
  if (code === 'EACCES' || code === 'EPERM') return 'cannot be read: permission denied';
  if (code === 'EISDIR') return 'is a directory';
  if (code === 'ENOTREG') return 'is not a regular file';
  return `cannot be read (${String(code)})`;
}

/** Reads a known_hosts file; rejects with `host_key_unknown` when no entry is usable. Never writes the file. */
export async function loadKnownHosts(path: string, host: string, port: number): Promise<KnownHosts> {
  const refuse = (reason: string, cause?: unknown) =>
    new TunnelError('host_key_unknown', `no host key is known: ${path} ${reason}`, {
      cause,
      hint: keyscanHint(host, port, path),
    });
  const text = await readRegularFile(path).catch((error: unknown) => {
    throw refuse(reasonOf(error), error);
  });
  const known = parseKnownHosts(text, path);
  if (known.entries.length === 0) {
    const [first] = known.problems;
    throw refuse(first === undefined ? 'has no entry' : `has no usable line (${first})`);
  }
  return known;
}
