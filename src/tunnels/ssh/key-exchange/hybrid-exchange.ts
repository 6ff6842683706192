import { createRequire } from 'node:module';
import type { Algorithms, Client } from 'ssh2';
import { asError } from '../../../base/errors.ts';
import { unsupported } from '../ssh2-insides.ts';
import { WireError } from '../wire.ts';
import { exchangeNames, withExchangeNames } from './exchange-names.ts';
import { type Exchange, exchangeParts, type Parts } from './exchange-parts.ts';
import { HYBRID, HybridHalf } from './hybrid-half.ts';

/** The version of ssh2 whose private parts are known here. */
const KNOWN_SSH2 = '1.17.0';

/** The exchange of ssh2 with the messages (30, 31) and the hash of the hybrid: this code changes only its keys and secret. */
const CARRIER = 'curve25519-sha256';

const KEXINIT = 20;

/** Why sessions use classical key exchange only; undefined when they offer the hybrid one. */
export function whyNoHybrid(version = installedSsh2()): string | undefined {
  if (version === KNOWN_SSH2) return undefined;
  return `ssh2 ${version} is installed, not ${KNOWN_SSH2}: key exchange is classical, without ML-KEM`;
}

/** The key exchanges that a client offers, in order, when ssh2 has these. */
export function withHybrid(exchanges: Algorithms['kex']): readonly string[] {
  const own = Array.isArray(exchanges) ? exchanges : [];
  return whyNoHybrid() === undefined ? [HYBRID, ...own] : own;
}

/**
 * Makes a client offer the hybrid exchange first. Call this right after `connect`, before the server's first byte is
 * read. ssh2 has no such exchange and no hook. So ssh2 reads the server's offer with the name of its own exchange in place
 * of ours, and the exchange that ssh2 then creates gets our keys and our secret. The hash covers the messages as they were
 * sent. A failed exchange ends the connection: only the two offers decide whether an exchange is classical.
 *
 * Throws `internal` when ssh2 is not as expected.
 */
export function offerHybrid(client: Client): void {
  if (whyNoHybrid() !== undefined) return;
  const parts = exchangeParts(client);
  announce(parts);
  let original: Buffer | undefined;
  parts.onReceived((payload) => {
    if (payload[0] !== KEXINIT) return payload;
    original = undefined;
    const names = namesOf(payload);
    if (!names.includes(HYBRID)) return payload;
    // ssh2 keeps the payload, and the memory of a packet may be used again.
    original = Buffer.from(payload);
    return withExchangeNames(
      original,
      names.map((name) => (name === HYBRID ? CARRIER : name)),
    );
  });
  parts.onExchange((exchange) => {
    if (original === undefined) return;
    const sent = original;
    original = undefined;
    // The hybrid is our first choice: a server that offers it gets it.
    if (exchange.negotiated.kex !== CARRIER) throw unsupported('ssh2 chose another key exchange than was negotiated');
    exchange.negotiated.kex = HYBRID;
    exchange._remoteKexinit = sent;
    exchangeByHybrid(exchange);
  });
}

/** ssh2 itself rejects a malformed message. */
function namesOf(payload: Buffer): readonly string[] {
  try {
    return exchangeNames(payload);
  } catch (error) {
    if (error instanceof WireError) return [];
    throw error;
  }
}

/** Puts the name of the hybrid before the others in our SSH_MSG_KEXINIT. */
function announce({ offer }: Parts): void {
  const { lists } = offer;
  const { array, buffer } = lists.kex;
  if (array[0] !== CARRIER) throw unsupported(`the first key exchange of ssh2 is not ${CARRIER}`);
  const names = Buffer.from([HYBRID, ...array].join(','));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(names.length);
  lists.all = Buffer.concat([length, names, lists.all.subarray(4 + buffer.length)]);
  offer.totalSize = lists.all.length;
  lists.kex = { array, buffer: names };
}

/** Replaces what one exchange sends and computes. */
function exchangeByHybrid(exchange: Exchange): void {
  const half = new HybridHalf();
  exchange.generateKeys = () => {};
  exchange.getPublicKey = () => half.message;
  // ssh2 would strip leading zeros.
  exchange.convertPublicKey = (theirs) => theirs;
  // Hash and key derivation take the result as it is: 32 bytes become the `string` of the draft.
  exchange.computeSecret = (reply) => {
    try {
      return half.secret(reply);
    } catch (error) {
      return asError(error);
    }
  };
}

function installedSsh2(): string {
  const { version } = createRequire(import.meta.url)('ssh2/package.json') as { readonly version: string };
  return version;
}
