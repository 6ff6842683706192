import { execFileSync } from 'node:child_process';
import { chmodSync, readFileSync, rmSync } from 'node:fs';
import { requireProgram } from '../machine/find-program.ts';

const RUN = { encoding: 'utf8', timeout: 30_000 } as const;

export type KeyType = 'ed25519' | 'ecdsa' | 'rsa';

export interface KeyFile {
  /** The private key, 0600. */
  readonly path: string;
  readonly publicPath: string;
  /** `type base64`, without the comment. */
  readonly publicKey: string;
  /** `SHA256:…` as OpenSSH prints it. */
  readonly fingerprint: string;
}

export interface KeyOptions {
  type?: KeyType;
  bits?: number;
  passphrase?: string;
  comment?: string;
}

/** Makes a key pair at `path` and replaces an existing one. Needs ssh-keygen. */
export function generateKey(path: string, options: KeyOptions = {}): KeyFile {
  const { type = 'ed25519', bits, passphrase = '', comment = 'fleet-mesh-test' } = options;
  rmSync(path, { force: true });
  const size = bits ?? (type === 'rsa' ? 2048 : undefined);
  keygen(
    '-q',
    '-t',
    type,
    ...(size === undefined ? [] : ['-b', `${size}`]),
    '-N',
    passphrase,
    '-C',
    comment,
    '-f',
    path,
  );
  chmodSync(path, 0o600);
  const publicPath = `${path}.pub`;
  const [name, blob] = readFileSync(publicPath, 'utf8').split(' ');
  const publicKey = `${name} ${blob}`;
  return {
    path,
    publicPath,
    publicKey,
    // Few tests ask, and each start of a program keeps all tests of the process waiting. The file may be replaced by then.
    get fingerprint() {
      return fingerprintOf(publicKey);
    },
  };
}

/** `SHA256:…` of the key in a file. */
export function fingerprint(path: string): string {
  return keygen('-l', '-E', 'sha256', '-f', path).split(' ')[1] ?? '';
}

function fingerprintOf(publicKey: string): string {
  const args = ['-l', '-E', 'sha256', '-f', '-'];
  const told = execFileSync(requireProgram('ssh-keygen'), args, { ...RUN, input: publicKey });
  return told.split(' ')[1] ?? '';
}

/** Replaces the names in a known_hosts file by their hashes. */
export function hashKnownHosts(path: string): void {
  keygen('-H', '-f', path);
  rmSync(`${path}.old`, { force: true });
}

/** Runs ssh-keygen with any arguments. */
export function keygen(...args: string[]): string {
  return execFileSync(requireProgram('ssh-keygen'), args, { ...RUN, stdio: ['ignore', 'pipe', 'pipe'] });
}
