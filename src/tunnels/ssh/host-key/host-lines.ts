import { hostsMatch, lookupName } from './host-pattern.ts';
import type { KnownHost } from './known-hosts.ts';

/** The lines of a known_hosts file about one host. */
export interface HostLines {
  /** Absolute path of the file, for messages. */
  readonly file: string;
  /** The configured name or address, and the port. */
  readonly host: string;
  readonly port: number;
  readonly plainKeys: readonly KnownHost[];
  readonly authorities: readonly KnownHost[];
  readonly revoked: readonly KnownHost[];
  /** False when only lines without the port match. As in ssh(1), such a line can accept a key, but not prove a change. */
  readonly exact: boolean;
}

/**
 * Finds the lines about a host, one line a step: each hashed line costs an HMAC or two. ssh(1) searches `[host]:port`, and
 * the plain host only if no such line has a key. Revocation is stricter here: a key revoked under either name is rejected.
 */
export function* findLines(
  entries: readonly KnownHost[],
  { file, host, port }: Pick<HostLines, 'file' | 'host' | 'port'>,
): Generator<void, HostLines> {
  const name = lookupName(host, port);
  const plainName = lookupName(host, 22);
  const exactly: KnownHost[] = [];
  const plainly: KnownHost[] = [];
  for (const entry of entries) {
    if (hostsMatch(entry.hosts, name)) exactly.push(entry);
    else if (port !== 22 && hostsMatch(entry.hosts, plainName)) plainly.push(entry);
    yield;
  }
  // A line that names both is exact.
  const either = [...exactly, ...plainly];
  const marked = (list: readonly KnownHost[], marker: KnownHost['marker']) => list.filter((e) => e.marker === marker);
  const exactKeys = marked(exactly, undefined);
  const exact = port === 22 || exactKeys.length > 0;
  return {
    file,
    host,
    port,
    plainKeys: exact ? exactKeys : marked(plainly, undefined),
    authorities: marked(either, 'cert-authority'),
    revoked: marked(either, 'revoked'),
    exact,
  };
}
