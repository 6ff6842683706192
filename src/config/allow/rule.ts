import { type Ip, MAPPED_BITS, parseIp } from '../../base/net/ip.ts';
import { canonicalName } from './destination.ts';

/** One entry of `allow`: hosts and ports that clients of a dynamic forward may request. */
export interface AllowRule {
  /** As written. */
  readonly text: string;
  readonly hosts: HostPattern;
  /** First and last port, both included. */
  readonly ports: readonly [first: number, last: number];
}

export type HostPattern =
  /** Addresses whose first `bits` bits equal those of `ip`. */
  | { readonly kind: 'network'; readonly ip: Ip; readonly bits: number }
  | { readonly kind: 'name'; readonly name: string }
  /** `*.example.org`: every name below `parent`, at any depth, but not `parent` itself. */
  | { readonly kind: 'below'; readonly parent: string }
  /** `*`: every name, but no address. */
  | { readonly kind: 'any_name' };

/** The expected form of a rule, for messages. */
export const RULE_EXPECTED = 'hosts and ports such as 10.43.0.0/16:443, [fd00::/8]:*, *.example.org:80-90 or name:8000';

/** The pattern of a rule, for editors. {@link parseRule} does the full check. */
export const RULE_PATTERN =
  /^(?:\[[0-9A-Fa-f:.]+(?:\/\d{1,3})?\]|\d+(?:\.\d+){3}\/\d{1,2}|[^\s:[\]/]+):(?:\*|\d{1,5}(?:-\d{1,5})?)$/;

/** Parses a rule, or returns the fault in a few words. */
export function parseRule(text: string): AllowRule | { readonly fault: string } {
  const [, bracketed, plain, portText] = /^(?:\[([^\]]+)\]|([^:[\]]+)):([\d*-]+)$/.exec(text) ?? [];
  const ports = parsePorts(portText ?? '');
  if (portText === undefined || ports === undefined) return { fault: 'no valid port at the end' };
  const hosts = bracketed === undefined ? parsePlain(plain ?? '') : parseNetwork(bracketed, 16);
  return 'fault' in hosts ? hosts : { text, hosts, ports };
}

function parsePorts(text: string): AllowRule['ports'] | undefined {
  if (text === '*') return [1, 65_535];
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? match?.[1]);
  return first >= 1 && first <= last && last <= 65_535 ? [first, last] : undefined;
}

function parsePlain(text: string): HostPattern | { fault: string } {
  if (text.includes('/') || parseIp(text) !== undefined) return parseNetwork(text, 4);
  if (text === '*') return { kind: 'any_name' };
  const wild = text.startsWith('*.');
  const name = canonicalName(wild ? text.slice(2) : text);
  if (name === undefined) {
    const starred = text.includes('*') && !wild;
    return { fault: starred ? '* is allowed only alone or as *. at the start' : 'not an address and not a name' };
  }
  return wild ? { kind: 'below', parent: name } : { kind: 'name', name };
}

/** An address of `size` bytes, or a network in CIDR notation (RFC 4632 section 3.1). */
function parseNetwork(text: string, size: 4 | 16): HostPattern | { fault: string } {
  const [address = '', written, more] = text.split('/');
  const ip = parseIp(address);
  if (ip === undefined || more !== undefined || address.includes(':') !== (size === 16)) {
    return { fault: `not an ${size === 4 ? 'IPv4' : 'IPv6'} address or network` };
  }
  const most = size * 8;
  const writtenBits = written === undefined ? most : /^\d{1,3}$/.test(written) ? Number(written) : Number.NaN;
  if (!(writtenBits <= most)) return { fault: `not a prefix from /0 to /${most}` };
  // The mapped form of an IPv4 network is the IPv4 network. A wider prefix covers more than IPv4 addresses.
  const mapped = size === 16 && ip.length === 4;
  if (mapped && writtenBits < MAPPED_BITS) return { fault: `an IPv4-mapped network wider than /${MAPPED_BITS}` };
  const bits = mapped ? writtenBits - MAPPED_BITS : writtenBits;
  if (!endsInZeros(ip, bits)) return { fault: 'bits are set after the prefix' };
  return { kind: 'network', ip, bits };
}

/** Rejects typing mistakes: 10.43.0.7/16 may mean 10.43.0.0/16 or 10.43.0.7/32. */
function endsInZeros(ip: Ip, bits: number): boolean {
  return ip.every((byte, index) => {
    const kept = Math.min(8, Math.max(0, bits - index * 8));
    return (byte & (0xff >> kept)) === 0;
  });
}

/** Longer lists are cut, because the text is one column of a table. */
const LONGEST = 60;

/** The target of a dynamic tunnel in `/status`: `allow 10.43.0.0/16:443, *.example.org:80-90, …`. */
export function summarizeAllow(rules: readonly AllowRule[]): string {
  let summary = 'allow';
  for (const [index, { text }] of rules.entries()) {
    const next = index === 0 ? `${summary} ${text}` : `${summary}, ${text}`;
    if (index > 0 && next.length > LONGEST) return `${summary}, …`;
    summary = next;
  }
  return summary;
}
