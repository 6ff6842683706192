import { createHmac, timingSafeEqual } from 'node:crypto';
import { canonicalHost } from '../../../base/net/host.ts';

/** The name to search in known_hosts: `host` for port 22, else `[host]:port` (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT). */
export function lookupName(host: string, port: number): string {
  return withPort(canonicalHost(host), port);
}

/** As {@link lookupName}, but an address as it is written: ssh-keyscan(1) hashes what it was asked for. */
export function writtenName(host: string, port: number): string {
  return withPort(host.toLowerCase(), port);
}

function withPort(name: string, port: number): string {
  return port === 22 ? name : `[${name}]:${port}`;
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

/**
 * Whether the hosts field of a known_hosts line matches `name` (a {@link lookupName}). An address matches in any of its
 * spellings; a hashed one as `name` or as `written` (a {@link writtenName}).
 */
export function hostsMatch(field: string, name: string, written = name): boolean {
  if (field.startsWith('|')) return matchHashed(field, name) || (written !== name && matchHashed(field, written));
  let matched = false;
  for (const item of field.toLowerCase().split(',')) {
    const negated = item.startsWith('!');
    if (!matchPattern(canonicalItem(negated ? item.slice(1) : item), name)) continue;
    // A negation excludes the whole line, at any position in the list.
    if (negated) return false;
    matched = true;
  }
  return matched;
}

/** `address` or `[address]:port` with the address in its canonical form; any other pattern as it is. */
function canonicalItem(item: string): string {
  const [, bracketed, port] = /^\[([^\]]*)\](:.*)?$/.exec(item) ?? [];
  return bracketed === undefined ? canonicalHost(item) : `[${canonicalHost(bracketed)}]${port ?? ''}`;
}
