import { readFileSync } from 'node:fs';
import Module, { createRequire } from 'node:module';
import { dirname } from 'node:path';

const load = createRequire(import.meta.url);

/** OpenSSH's limit, in bytes. RFC 4253 section 6.1 asks for 35,000 at least, and ssh2 accepts not one byte more. */
const MOST_PACKET_BYTES = 256 * 1024;
/** The constant in ssh2 1.17.0. */
const LIMIT = 'const MAX_PACKET_SIZE = 35000;';

/** Parts of a CommonJS module that Node has, but does not document. */
interface Loadable {
  filename: string;
  loaded: boolean;
  paths: readonly string[];
  _compile(source: string, file: string): void;
}

/**
 * Loads ssh2's ciphers with a larger limit of received packets: the banner of a server is one packet. No option and no
 * property changes the limit. If ssh2 is already loaded, or has other insides, its own limit stays in force.
 */
function raisePacketLimit(): void {
  const file = load.resolve('ssh2/lib/protocol/crypto.js');
  const source = readFileSync(file, 'utf8');
  if (load.cache[file] !== undefined || source.split(LIMIT).length !== 2) return;
  const ciphers = new Module(file);
  const loadable = ciphers as unknown as Loadable;
  loadable.filename = file;
  loadable.paths = load.resolve.paths(dirname(file)) ?? [];
  loadable._compile(source.replace(LIMIT, `const MAX_PACKET_SIZE = ${MOST_PACKET_BYTES};`), file);
  loadable.loaded = true;
  load.cache[file] = ciphers;
}

raisePacketLimit();

/** ssh2, the same for every file here. */
export const ssh2 = load('ssh2') as typeof import('ssh2');
