import type { Client } from 'ssh2';
import { unsupported } from '../ssh2-insides.ts';

// More private parts of ssh2 1.17.0, for the key exchange. All are checked before the first byte is sent.

/** One key exchange; ssh2 creates another one for each rekey. */
export interface Exchange {
  readonly negotiated: { kex: string };
  /** The peer's SSH_MSG_KEXINIT, for the exchange hash. */
  _remoteKexinit: Buffer | undefined;
  generateKeys(): void;
  getPublicKey(): Buffer;
  convertPublicKey(theirs: Buffer): Buffer;
  computeSecret(theirs: Buffer): Buffer | Error;
}

/** Our offer in SSH_MSG_KEXINIT: `all` is sent, `array` is compared with the server's. */
interface Offer {
  totalSize: number;
  readonly lists: { kex: { readonly array: readonly string[]; readonly buffer: Buffer }; all: Buffer };
}

interface PacketReader {
  read(payload: Buffer): Buffer;
  cleanup(): void;
}

interface Protocol {
  readonly _offer: Offer;
  /** ssh2 replaces the reader at each key exchange. */
  readonly _packetRW: { read: PacketReader };
  _kex: Exchange | undefined;
}

export interface Parts {
  readonly offer: Offer;
  /** Replaces the payload of each packet that ssh2 reads by the result. */
  onReceived(see: (payload: Buffer) => Buffer): void;
  /** Called with each exchange before its first use. */
  onExchange(prepare: (exchange: Exchange) => void): void;
}

/** The parts of a client, or of one connection of a server. Throws `internal` when they are not as in ssh2 1.17.0. */
export function exchangeParts(client: Client): Parts {
  const { _protocol: protocol } = client as unknown as { _protocol?: Partial<Protocol> };
  const { _offer: offer, _packetRW: packets } = protocol ?? {};
  const known =
    protocol !== undefined &&
    Object.hasOwn(protocol, '_kex') &&
    protocol._kex === undefined &&
    typeof offer?.totalSize === 'number' &&
    Array.isArray(offer.lists?.kex?.array) &&
    Buffer.isBuffer(offer.lists.kex.buffer) &&
    Buffer.isBuffer(offer.lists.all) &&
    offer.lists.all.length === offer.totalSize &&
    typeof packets?.read?.read === 'function';
  if (!known) throw unsupported('key exchange: this version of ssh2 is not supported; nothing was sent');
  return {
    offer,
    onReceived: (see) => {
      const watched = (reader: PacketReader): PacketReader => ({
        read: (payload) => see(reader.read(payload)),
        cleanup: () => reader.cleanup(),
      });
      onAssigned(packets, 'read', watched(packets.read), watched);
    },
    onExchange: (prepare) =>
      onAssigned(protocol as Protocol, '_kex', undefined, (exchange) => {
        if (exchange !== undefined) prepare(exchange);
        return exchange;
      }),
  };
}

/** From now on, `object[name]` is `change` of the assigned value. */
function onAssigned<T extends object, K extends keyof T>(
  object: T,
  name: K,
  initial: T[K],
  change: (assigned: T[K]) => T[K],
): void {
  let value = initial;
  Object.defineProperty(object, name, {
    configurable: true,
    enumerable: true,
    get: () => value,
    set: (assigned: T[K]) => {
      value = change(assigned);
    },
  });
}
