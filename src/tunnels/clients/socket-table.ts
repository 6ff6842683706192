import { endianness } from 'node:os';
import { type Ip, parseIp } from '../../base/net/ip.ts';

/** Both ends of a connection, as the accepting side sees them. */
export interface Peer {
  readonly address: string;
  readonly port: number;
  readonly localAddress: string;
  readonly localPort: number;
}

/** The other end's socket. */
export interface SocketRow {
  /** As in /proc/PID/fd: `socket:[INODE]`. */
  readonly inode: string;
  /** The uid of the process that made the socket, as seen in this user namespace. */
  readonly uid: number;
}

export type Family = 'tcp' | 'tcp6';

const LITTLE = endianness() === 'LE';
const MAPPED = Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]);

/**
 * The addresses of the peer's socket, as in /proc/net/tcp (proc(5)) or tcp6; undefined when that table cannot have the
 * socket. An IPv4 client may have an IPv6 socket, which is in tcp6 with mapped addresses.
 */
export function rowKey(peer: Peer, family: Family, littleEndian = LITTLE): string | undefined {
  const ips = [peer.address, peer.localAddress].map((address) => parseIp(address.replace(/%.*$/, '')));
  const [remote, local] = ips.map((ip) => ip && inFamily(ip, family));
  if (!remote || !local) return undefined;
  const end = (ip: Ip, port: number) => `${words(ip, littleEndian)}:${hex(port, 4)}`;
  return `${end(remote, peer.port)} ${end(local, peer.localPort)}`;
}

/** One line of the table; undefined for the table's title, and for a socket without an owner. Pure. */
export function parseRow(line: string): (SocketRow & { readonly key: string }) | undefined {
  const [, key, uid, inode] = ROW.exec(line) ?? [];
  // A socket that its process has closed has inode 0, and its uid means nothing.
  if (key === undefined || inode === undefined || inode === '0') return undefined;
  return { key, uid: Number(uid), inode };
}

/** sl, both ends, st, the queues, tr and when, retrnsmt, uid, timeout, inode. */
const ROW = /^ *\d+: ([0-9A-F]+:[0-9A-F]{4} [0-9A-F]+:[0-9A-F]{4}) [0-9A-F]{2} \S+ \S+ \S+ +(\d+) +\d+ (\d+)(?: |$)/;

/** The two ports of a connection as one number: the first comparison with each line. */
export function portsOf({ port, localPort }: Pick<Peer, 'port' | 'localPort'>): number {
  return port * 65_536 + localPort;
}

/** {@link portsOf} for a line of the table; NaN for its title. Pure. */
export function portsIn(line: string): number {
  const first = line.indexOf(':', line.indexOf(':') + 1);
  const second = line.indexOf(':', first + 1);
  return Number.parseInt(`${line.slice(first + 1, first + 5)}${line.slice(second + 1, second + 5)}`, 16);
}

function inFamily(ip: Ip, family: Family): Ip | undefined {
  if (family === 'tcp') return ip.length === 4 ? ip : undefined;
  return ip.length === 16 ? ip : Uint8Array.from([...MAPPED, ...ip]);
}

/** The kernel prints addresses as 32-bit numbers in the machine's byte order. */
function words(ip: Ip, littleEndian: boolean): string {
  let text = '';
  for (let at = 0; at < ip.length; at += 4) {
    const word = [...ip.subarray(at, at + 4)];
    if (littleEndian) word.reverse();
    text += word.map((byte) => hex(byte, 2)).join('');
  }
  return text;
}

function hex(value: number, width: number): string {
  return value.toString(16).toUpperCase().padStart(width, '0');
}

/** The kernel shows this uid for a user outside this namespace (user_namespaces(7)). */
const OVERFLOW_UID = 65_534;

/** Whether a uid from the kernel is a user's, by the text of /proc/self/uid_map. Pure. */
export function isRealUid(uid: number, map: string): boolean {
  if (uid !== OVERFLOW_UID) return true;
  return map.split('\n').some((line) => {
    const [inside = Number.NaN, , count = 0] = line.trim().split(/\s+/).map(Number);
    return uid >= inside && uid < inside + count;
  });
}
