import { formatIp, type Ip, parseIp } from '../../base/net/ip.ts';

/** The destination that a client of a dynamic forward requests. The host resolves names, never this node. */
export interface Destination {
  readonly host:
    | { readonly kind: 'ip'; readonly ip: Ip }
    /** Without a trailing dot, lower case. */
    | { readonly kind: 'name'; readonly name: string };
  readonly port: number;
  /** The host as sent to the far side: a name as the client wrote it, an address in its canonical form. */
  readonly asked: string;
}

/** RFC 1123 section 2.1, plus the underscore of service names. At most 253 characters, with or without a final dot. */
const NAME =
  /^(?=.{1,253}\.?$)[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*\.?$/;

/**
 * Parses a name or an address; undefined for any other text. A name whose last label is a number is not accepted:
 * inet_aton(3), and so the resolver of the far side, reads `127.1`, `0x7f000001` and `2130706433` as addresses. Such an
 * address would pass a rule for names.
 */
export function destinationOf(host: string, port: number): Destination | undefined {
  const ip = parseIp(host);
  if (ip !== undefined) return { host: { kind: 'ip', ip }, port, asked: formatIp(ip) };
  const name = canonicalName(host);
  return name === undefined ? undefined : { host: { kind: 'name', name }, port, asked: host };
}

/** The form for comparisons: lower case, without a trailing dot; undefined if the text is no name. */
export function canonicalName(text: string): string | undefined {
  if (!NAME.test(text)) return undefined;
  const name = text.toLowerCase().replace(/\.$/, '');
  return /(?:^|\.)(?:\d+|0x[\da-f]*)$/.test(name) ? undefined : name;
}
