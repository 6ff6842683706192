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

const NEWLINE = 0x0a;

/**
 * Parses a known_hosts file, one line a step: a large file takes long. Never throws: lists unreadable lines.
 *
 * @param file the file name in places
 */
export function* parseKnownHosts(bytes: Buffer, file: string): Generator<void, KnownHosts> {
  const entries: KnownHost[] = [];
  const problems: string[] = [];
  let number = 0;
  for (let start = 0; start < bytes.length; ) {
    const newline = bytes.indexOf(NEWLINE, start);
    const end = newline === -1 ? bytes.length : newline;
    const line = bytes.toString('utf8', start, end).trim();
    start = end + 1;
    number++;
    if (line !== '' && !line.startsWith('#')) {
      const parsed = parseLine(line, `${file}:${number}`);
      if (typeof parsed === 'string') problems.push(parsed);
      else entries.push(parsed);
    }
    yield;
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
