import { isIPv4, isIPv6, SocketAddress } from 'node:net';

/**
 * The bytes of an IP address: four or sixteen. One address has many spellings but only one byte form, so comparisons
 * are exact. An IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2) becomes its IPv4 address, because a connection
 * reaches the IPv4 address.
 */
export type Ip = Uint8Array;

/** `::ffff:0:0/96`: ten bytes 0x00, two bytes 0xff, then the IPv4 address. */
const MAPPED_PREFIX = Buffer.from('00000000000000000000ffff', 'hex');
export const MAPPED_BITS = MAPPED_PREFIX.length * 8;

/** Four or sixteen bytes, in network order. */
export function ipFromBytes(bytes: Uint8Array): Ip {
  const mapped = bytes.length === 16 && MAPPED_PREFIX.equals(bytes.subarray(0, MAPPED_PREFIX.length));
  return Uint8Array.from(mapped ? bytes.subarray(MAPPED_PREFIX.length) : bytes);
}

/** Parses an address without brackets and zone; undefined if the text is no address. */
export function parseIp(text: string): Ip | undefined {
  if (isIPv4(text)) return v4Bytes(text);
  return isIPv6(text) && !text.includes('%') ? ipFromBytes(v6Bytes(text)) : undefined;
}

/** The canonical text. IPv6 has no brackets and is shortened as in RFC 5952. */
export function formatIp(ip: Ip): string {
  if (ip.length === 4) return ip.join('.');
  const groups = Array.from({ length: 8 }, (_, index) =>
    (((ip[2 * index] ?? 0) << 8) | (ip[2 * index + 1] ?? 0)).toString(16),
  );
  return new SocketAddress({ address: groups.join(':'), family: 'ipv6' }).address;
}

function v4Bytes(text: string): Uint8Array {
  return Uint8Array.from(text.split('.'), Number);
}

/** RFC 4291 section 2.2. The text must be a valid address. */
function v6Bytes(text: string): Uint8Array {
  const [head = [], tail] = text.split('::').map(groupBytes);
  const bytes = new Uint8Array(16);
  bytes.set(head);
  if (tail !== undefined) bytes.set(tail, 16 - tail.length);
  return bytes;
}

/** `2001:db8` or `ffff:192.0.2.1`: groups; the last may be an IPv4 address. */
function groupBytes(groups: string): number[] {
  if (groups === '') return [];
  return groups.split(':').flatMap((group) => {
    if (group.includes('.')) return [...v4Bytes(group)];
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}
