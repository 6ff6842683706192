import { createHash, generateKeyPairSync } from 'node:crypto';
import { ml_kem768 } from '@noble/post-quantum/ml-kem.js';
import type { Client, Connection } from 'ssh2';
import { exchangeNames, withExchangeNames } from '../../../src/tunnels/ssh/key-exchange/exchange-names.ts';
import { exchangeParts } from '../../../src/tunnels/ssh/key-exchange/exchange-parts.ts';
import { HYBRID, x25519Bytes, x25519Secret } from '../../../src/tunnels/ssh/key-exchange/hybrid-half.ts';
import { ENCAPSULATION_KEY_BYTES } from '../../../src/tunnels/ssh/key-exchange/ml-kem.ts';

const CARRIER = 'curve25519-sha256';
const KEXINIT = 20;

export interface HybridManner {
  /** What the server does to its half. Default: nothing. */
  readonly spoil?: (reply: Buffer) => Buffer;
  /** Offers the classical exchange as well. */
  readonly classicalToo?: boolean;
}

/** Lets a connection of ssh2's server exchange keys by ML-KEM-768 with X25519. */
export function speakHybrid(connection: Connection, manner: HybridManner = {}): void {
  const { offer, onReceived, onExchange } = exchangeParts(connection as unknown as Client);
  const { lists } = offer;
  const { array, buffer } = lists.kex;
  const others = manner.classicalToo === true ? array : array.filter((name) => name.startsWith('kex-strict'));
  const wire = Buffer.from([HYBRID, ...others].join(','));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(wire.length);
  lists.all = Buffer.concat([length, wire, lists.all.subarray(4 + buffer.length)]);
  offer.totalSize = lists.all.length;
  lists.kex = { array, buffer: wire };

  let original: Buffer | undefined;
  onReceived((payload) => {
    if (payload[0] !== KEXINIT) return payload;
    original = undefined;
    const names = exchangeNames(payload);
    const agreed = names[0] === HYBRID;
    if (manner.classicalToo === true && !agreed) return payload;
    original = Buffer.from(payload);
    // A client without the hybrid finds nothing in common.
    const seen = names.filter((name) => !array.includes(name) || name.startsWith('kex-strict'));
    return withExchangeNames(
      original,
      seen.map((name) => (name === HYBRID ? CARRIER : name)),
    );
  });
  onExchange((exchange) => {
    if (original === undefined) return;
    exchange._remoteKexinit = original;
    original = undefined;
    let reply: Buffer = Buffer.alloc(0);
    const { privateKey } = generateKeyPairSync('x25519');
    exchange.generateKeys = () => {};
    exchange.convertPublicKey = (theirs) => theirs;
    exchange.computeSecret = (half) => {
      const kem = ml_kem768.encapsulate(half.subarray(0, ENCAPSULATION_KEY_BYTES));
      const honest = Buffer.concat([kem.cipherText, x25519Bytes(privateKey)]);
      reply = manner.spoil?.(honest) ?? honest;
      const classical = x25519Secret(privateKey, half.subarray(ENCAPSULATION_KEY_BYTES));
      return createHash('sha256').update(kem.sharedSecret).update(classical).digest();
    };
    // ssh2's server computes the secret first.
    exchange.getPublicKey = () => reply;
  });
}
