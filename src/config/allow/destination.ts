import { formatIp, type Ip, parseIp } from '../../base/net/ip.ts';

/** Where a client of a dynamic forward wants to go. A name is resolved on the far side, never here. */
export interface Destination {
  readonly host:
    | { readonly kind: 'ip'; readonly ip: Ip }
    /** Without a trailing dot, lower case. */
    | { readonly kind: 'name'; readonly name: string };
  readonly port: number;
  /** The host as it is asked of the far side: a name as the client wrote it, an address in its usual spelling. */
  readonly asked: string;
}

/** RFC 1123 section 2.1, and the underscore that service names carry; at most 253 characters, with or without final dot. */
const NAME =
  /^(?=.{1,253}\.?$)[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*\.?$/;

/**
 * The destination of a text that is a name or an address; undefined for what is neither. A name whose last label is a
 * number is none: inet_aton(3), and with it the resolver of the far side, takes `127.1`, `0x7f000001` and `2130706433`
 * for addresses, which would pass a rule for names.
 */
export function destinationOf(host: string, port: number): Destination | undefined {
  const ip = parseIp(host);
  if (ip !== undefined) return { host: { kind: 'ip', ip }, port, asked: formatIp(ip) };
  const name = canonicalName(host);
  return name === undefined ? undefined : { host: { kind: 'name', name }, port, asked: host };
}

/** A name as names are compared: lower case, without a trailing dot; undefined when it is no name. */
export function canonicalName(text: string): string | undefined {
  if (!NAME.test(text)) return undefined;
  const name = text.toLowerCase().replace(/\.$/, '');
  return /(?:^|\.)(?:\d+|0x[\da-f]*)$/.test(name) ? undefined : name;
}
