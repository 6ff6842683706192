import { createECDH, generateKeyPairSync, getDiffieHellman, randomBytes } from 'node:crypto';
import { offer } from './algorithms.ts';
import { HYBRID, HybridHalf } from './key-exchange/hybrid-half.ts';
import { MESSAGE } from './message.ts';
import { WireReader, wireString } from './wire.ts';

const COOKIE_BYTES = 16;

function x25519(): Buffer {
  const { x = '' } = generateKeyPairSync('x25519').publicKey.export({ format: 'jwk' });
  return Buffer.from(x, 'base64url');
}

/** A leading zero byte keeps the number positive. */
function positive(number: Buffer): Buffer {
  return Buffer.concat([Buffer.of(0), number]);
}

/** Our half of each exchange, as the string or mpint of the first message. */
const EXCHANGES: ReadonlyMap<string, () => Buffer> = new Map([
  [HYBRID, () => new HybridHalf().message],
  ['curve25519-sha256', x25519],
  ['curve25519-sha256@libssh.org', x25519],
  ['ecdh-sha2-nistp256', () => createECDH('prime256v1').generateKeys()],
  ['ecdh-sha2-nistp384', () => createECDH('secp384r1').generateKeys()],
  ['ecdh-sha2-nistp521', () => createECDH('secp521r1').generateKeys()],
  ['diffie-hellman-group16-sha512', () => positive(getDiffieHellman('modp16').generateKeys())],
  ['diffie-hellman-group18-sha512', () => positive(getDiffieHellman('modp18').generateKeys())],
  ['diffie-hellman-group14-sha256', () => positive(getDiffieHellman('modp14').generateKeys())],
]);

/** The key exchanges that a fetch of the host key offers. */
export const EXCHANGE_NAMES: readonly string[] = [...EXCHANGES.keys()];

/** SSH_MSG_KEXINIT (RFC 4253 section 7.1) for a key exchange that stops after the host key. */
export function kexInit(hostKeyAlgorithms: readonly string[]): Buffer {
  const { cipher, hmac, compress } = offer([]);
  const both = (names: unknown) => [names, names] as readonly string[][];
  const lists: readonly (readonly string[])[] = [
    EXCHANGE_NAMES,
    hostKeyAlgorithms,
    ...both(cipher),
    ...both(hmac),
    ...both(compress),
    ...both([]),
  ];
  return Buffer.concat([
    Buffer.of(MESSAGE.kexInit),
    randomBytes(COOKIE_BYTES),
    ...lists.map((names) => wireString(names.join(','))),
    Buffer.alloc(5), // No guess follows; reserved.
  ]);
}

/** The algorithms in a server's SSH_MSG_KEXINIT, in its order. */
export interface ServerOffer {
  readonly exchanges: readonly string[];
  readonly hostKeys: readonly string[];
  readonly ciphersToServer: readonly string[];
  readonly ciphersToClient: readonly string[];
  readonly macsToServer: readonly string[];
  readonly macsToClient: readonly string[];
}

export function parseKexInit(payload: Buffer): ServerOffer {
  const reader = new WireReader(payload);
  reader.bytes(1 + COOKIE_BYTES);
  const names = () => reader.text().split(',');
  return {
    exchanges: names(),
    hostKeys: names(),
    ciphersToServer: names(),
    ciphersToClient: names(),
    macsToServer: names(),
    macsToClient: names(),
  };
}

/** First message of the first exchange that both sides support, in our order; undefined when there is none. */
export function exchangeInit(server: ServerOffer): Buffer | undefined {
  for (const [name, half] of EXCHANGES) {
    if (server.exchanges.includes(name)) return Buffer.concat([Buffer.of(MESSAGE.exchangeInit), wireString(half())]);
  }
  return undefined;
}

/** The host key blob in the server's answer: always the first field (RFC 4253 section 8, RFC 5656 section 4). */
export function parseExchangeReply(payload: Buffer): Buffer {
  const reader = new WireReader(payload);
  reader.byte();
  return reader.string();
}
