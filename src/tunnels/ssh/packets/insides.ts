import type { Client } from 'ssh2';

// More private parts of ssh2 1.17.0, for the data path alone. All are checked once, when a session is up. If one is
// missing or of another kind, the session uses ssh2's own channels and packets instead: slower, but public.

/** A cipher of the outgoing packets; replaced at each key exchange. */
export interface Cipher {
  allocPacket(payloadBytes: number): Buffer;
  encrypt(packet: Buffer): void;
}

/** A cipher of the incoming packets, and how far it has read the current packet; replaced at each key exchange. */
export interface Decipher {
  /** Grows with each packet. */
  readonly inSeqno: number;
  /** The bytes of an incomplete packet. */
  readonly _packet?: Uint8Array | null;
  readonly _lenBytes?: number;
  readonly _len?: number;
  readonly _pktLen?: number;
  readonly _tagPos?: number;
}

type Handler = (protocol: Protocol, ...args: never[]) => void;

interface PacketWriter {
  allocStart: number;
  alloc(payloadBytes: number, force?: boolean): Buffer;
  finalize(packet: Buffer, force?: boolean): Buffer;
}

export interface Protocol {
  /** Defined while keys are exchanged: packets are then queued. */
  readonly _kexinit: unknown;
  readonly _cipher: Cipher;
  readonly _decipher: Decipher;
  readonly _packetRW: { readonly write: PacketWriter };
  /** What ssh2 does with each message of the peer. */
  readonly _handlers: Record<string, Handler | undefined>;
  channelData(channel: number, data: Buffer): void;
  channelEOF(channel: number): void;
  channelClose(channel: number): void;
  channelWindowAdjust(channel: number, bytes: number): void;
  channelFailure(channel: number): void;
  directTcpip(
    channel: number,
    window: number,
    maxPacket: number,
    to: { srcIP: string; srcPort: number; dstIP: string; dstPort: number },
  ): void;
  openssh_directStreamLocal(channel: number, window: number, maxPacket: number, to: { socketPath: string }): void;
}

/** Gives out the numbers of channels. */
interface ChannelNumbers {
  add(holder: object): number;
  remove(channel: number): void;
}

export interface Insides {
  readonly protocol: Protocol;
  readonly numbers: ChannelNumbers;
}

/** The messages that the data path handles itself for its own channels. */
export const MESSAGES = [
  'CHANNEL_OPEN_CONFIRMATION',
  'CHANNEL_OPEN_FAILURE',
  'CHANNEL_WINDOW_ADJUST',
  'CHANNEL_DATA',
  'CHANNEL_EXTENDED_DATA',
  'CHANNEL_EOF',
  'CHANNEL_CLOSE',
  'CHANNEL_REQUEST',
] as const;

const CALLS = [
  'channelData',
  'channelEOF',
  'channelClose',
  'channelWindowAdjust',
  'channelFailure',
  'directTcpip',
  'openssh_directStreamLocal',
] as const;

/** The private parts of this client; undefined when a part is not as in ssh2 1.17.0. */
export function findInsides(client: Client): Insides | undefined {
  const { _protocol: protocol, _chanMgr: numbers } = client as unknown as {
    _protocol?: Partial<Protocol>;
    _chanMgr?: Partial<ChannelNumbers>;
  };
  const writer = protocol?._packetRW?.write;
  const known =
    protocol !== undefined &&
    '_kexinit' in protocol &&
    typeof protocol._cipher?.allocPacket === 'function' &&
    typeof protocol._cipher.encrypt === 'function' &&
    typeof protocol._decipher?.inSeqno === 'number' &&
    typeof writer?.alloc === 'function' &&
    typeof writer.finalize === 'function' &&
    writer.allocStart === 5 &&
    MESSAGES.every((name) => typeof protocol._handlers?.[name] === 'function') &&
    CALLS.every((name) => typeof protocol[name] === 'function') &&
    typeof numbers?.add === 'function' &&
    typeof numbers.remove === 'function';
  return known ? { protocol: protocol as Protocol, numbers: numbers as ChannelNumbers } : undefined;
}

/** Block and tag of the ciphers that encrypt a packet in place (ssh2's native module); other ciphers need no such room. */
const IN_PLACE: Readonly<Record<string, { readonly block: number; readonly tag: number } | undefined>> = {
  AESGCMCipherBinding: { block: 16, tag: 16 },
  ChaChaPolyCipherBinding: { block: 8, tag: 16 },
};

/** The room that a packet of this cipher needs; undefined: only the cipher itself knows. */
export function inPlaceFormat(cipher: Cipher): { readonly block: number; readonly tag: number } | undefined {
  return IN_PLACE[cipher.constructor.name];
}

const GCM_TAG = 16;
/** Limit of ssh2 for one packet (MAX_PACKET_SIZE). */
const MAX_PACKET = 35_000;

/**
 * Where the last whole packet in `bytes` ends, between `from` and `to`. Only AES-GCM shows the length of a packet before it
 * is decrypted; for other ciphers, and while keys are exchanged, the answer is `to`. ssh2 decrypts a whole packet in place,
 * but copies a packet that comes in pieces.
 */
export function wholePackets(protocol: Protocol, bytes: Buffer, from: number, to: number): number {
  const { _decipher: decipher } = protocol;
  if (protocol._kexinit !== undefined || decipher.constructor.name !== 'AESGCMDecipherBinding') return to;
  const { _lenBytes: lengthBytes = 0, _len: length = 0, _pktLen: read = 0, _tagPos: tagRead = 0 } = decipher;
  if (lengthBytes !== 0) {
    // Inside a packet: this happens once, at the start.
    const rest = length - read + GCM_TAG - tagRead;
    // After an error, ssh2 stays inside the packet for ever.
    return lengthBytes === 4 && rest > 0 ? Math.min(from + rest, to) : to;
  }
  let end = from;
  while (end + 4 <= to) {
    const next = end + 4 + bytes.readUInt32BE(end) + GCM_TAG;
    // An impossible length is ssh2's to reject.
    if (next - end > MAX_PACKET) return to;
    if (next > to) break;
    end = next;
  }
  return end;
}

/** The packets of a piece of received bytes, counted by the cipher. */
export class PacketCount {
  readonly #protocol: Protocol;
  #decipher: Decipher;
  #before = 0;

  constructor(protocol: Protocol) {
    this.#protocol = protocol;
    this.#decipher = protocol._decipher;
  }

  begin(): void {
    this.#decipher = this.#protocol._decipher;
    this.#before = this.#decipher.inSeqno;
  }

  /** The packets since {@link begin}; undefined after a change of keys, or when ssh2 keeps a part of `memory`. */
  end(memory: ArrayBufferLike): number | undefined {
    const { _decipher: decipher } = this.#protocol;
    if (decipher !== this.#decipher || decipher._packet?.buffer === memory) return undefined;
    return (decipher.inSeqno - this.#before) >>> 0;
  }
}
