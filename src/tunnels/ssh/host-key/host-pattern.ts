import { createHmac, timingSafeEqual } from 'node:crypto';
import { formatIp, parseIp } from '../../../base/net/ip.ts';

/**
 * The name to search in known_hosts: `host` for port 22, else `[host]:port` (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT). As in
 * ssh(1), an IP address has its canonical spelling.
 */
export function lookupName(host: string, port: number): string {
  const ip = parseIp(host);
  const name = ip ? formatIp(ip) : host.toLowerCase();
  return port === 22 ? name : `[${name}]:${port}`;
}

const ADDRESS = /^(?:\[([0-9a-f:.]+)\](?::(\d+))?|([0-9a-f:.]*:[0-9a-f:.]*))$/;

/** An IPv6 address in any spelling, as {@link lookupName} spells it; every other pattern unchanged. */
function canonical(pattern: string): string {
  const [, bracketed, port = '22', bare] = ADDRESS.exec(pattern) ?? [];
  const address = bracketed ?? bare;
  return address !== undefined && parseIp(address) ? lookupName(address, Number(port)) : pattern;
}

/** Wildcards of ssh_config(5), PATTERNS: only `*` and `?`; brackets are literal. */
export function matchPattern(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  let star = -1;
  let retry = 0;
  while (t < text.length) {
    if (pattern[p] === '*') {
      star = p++;
      retry = t;
    } else if (p < pattern.length && (pattern[p] === '?' || pattern[p] === text[t])) {
      p++;
      t++;
    } else if (star >= 0) {
      p = star + 1;
      t = ++retry;
    } else {
      return false;
    }
  }
  while (pattern[p] === '*') p++;
  return p === pattern.length;
}

const HASHED = /^\|1\|([A-Za-z0-9+/]+={0,2})\|([A-Za-z0-9+/]+={0,2})$/;

/** `|1|salt|hash`: HMAC-SHA1 of one name, as `ssh-keygen -H` writes. */
function matchHashed(field: string, name: string): boolean {
  const [, salt, hash] = HASHED.exec(field) ?? [];
  if (salt === undefined || hash === undefined) return false;
  const wanted = Buffer.from(hash, 'base64');
  const actual = createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest();
  return wanted.length === actual.length && timingSafeEqual(wanted, actual);
}

/** Whether the hosts field of a known_hosts line matches `name` (a {@link lookupName}). */
export function hostsMatch(field: string, name: string): boolean {
  if (field.startsWith('|')) return matchHashed(field, name);
  let matched = false;
  for (const item of field.toLowerCase().split(',')) {
    const negated = item.startsWith('!');
    if (!matchPattern(canonical(negated ? item.slice(1) : item), name)) continue;
    // A negation excludes the whole line, at any position in the list.
    if (negated) return false;
    matched = true;
  }
  return matched;
}
