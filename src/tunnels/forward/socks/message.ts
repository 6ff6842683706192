import { formatIp } from '../../../base/net/ip.ts';

/**
 * The bytes so far: a complete message of `length` bytes, the start of a message, or malformed.
 */
export type Parsed<Message> =
  | { readonly kind: 'message'; readonly message: Message; readonly length: number }
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'malformed' };

/** The first message of a client. */
export type Greeting =
  /** RFC 1928 section 3; `methods` are those that it can authenticate by. */
  | { readonly protocol: 'socks5'; readonly methods: readonly number[] }
  /** Another protocol, recognised by its first byte. */
  | { readonly protocol: 'socks4' }
  | { readonly protocol: 'http' };

/** RFC 1928 section 4. */
export interface Request {
  /** 1 CONNECT, 2 BIND, 3 UDP ASSOCIATE. */
  readonly command: number;
  /** An address as text, or an unchecked name; undefined for an unknown address type. */
  readonly host: string | undefined;
  readonly port: number;
}

export const VERSION_5 = 5;
const VERSION_4 = 4;

const INCOMPLETE = { kind: 'incomplete' } as const;
const MALFORMED = { kind: 'malformed' } as const;

/** RFC 1928 section 3: VER, NMETHODS, METHODS. At most 257 bytes. */
export function parseGreeting(bytes: Buffer): Parsed<Greeting> {
  const [version, count] = bytes;
  if (version === undefined) return INCOMPLETE;
  if (version === VERSION_4) return { kind: 'message', message: { protocol: 'socks4' }, length: 1 };
  // GET, CONNECT and their like: no SOCKS version is a capital letter.
  if (version >= 0x41 && version <= 0x5a) return { kind: 'message', message: { protocol: 'http' }, length: 1 };
  if (version !== VERSION_5 || count === 0) return MALFORMED;
  if (count === undefined || bytes.length < 2 + count) return INCOMPLETE;
  const length = 2 + count;
  return { kind: 'message', message: { protocol: 'socks5', methods: [...bytes.subarray(2, length)] }, length };
}

/** RFC 1928 sections 4 and 5: VER, CMD, RSV, ATYP, DST.ADDR, DST.PORT. At most 262 bytes. */
export function parseRequest(bytes: Buffer): Parsed<Request> {
  const [version, command, reserved, addressType, nameLength] = bytes;
  if (version === undefined) return INCOMPLETE;
  if (version !== VERSION_5) return MALFORMED;
  if (command === undefined || reserved === undefined) return INCOMPLETE;
  if (reserved !== 0) return MALFORMED;
  if (addressType === undefined) return INCOMPLETE;
  switch (addressType) {
    case 1:
      return withAddress(bytes, command, 4, 4, formatIp);
    case 3:
      if (nameLength === undefined) return INCOMPLETE;
      return withAddress(bytes, command, 5, nameLength, (name) => name.toString('latin1'));
    case 4:
      return withAddress(bytes, command, 4, 16, formatIp);
    default:
      // The length of an unknown address is unknown: the rest cannot be parsed.
      return { kind: 'message', message: { command, host: undefined, port: 0 }, length: bytes.length };
  }
}

function withAddress(
  bytes: Buffer,
  command: number,
  start: number,
  size: number,
  read: (address: Buffer) => string,
): Parsed<Request> {
  const length = start + size + 2;
  if (bytes.length < length) return INCOMPLETE;
  const host = read(bytes.subarray(start, start + size));
  return { kind: 'message', message: { command, host, port: bytes.readUInt16BE(start + size) }, length };
}
