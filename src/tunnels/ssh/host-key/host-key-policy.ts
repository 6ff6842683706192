import type { ServerHostKeyAlgorithm } from 'ssh2';
import { TunnelError } from '../../../base/errors.ts';
import { fingerprint } from '../public-key.ts';
import { type HostAuthorities, revokedKey } from './host-certificate.ts';
import { hostsMatch, lookupName } from './host-pattern.ts';
import { type KnownHost, keyscanHint } from './known-hosts.ts';

/** What known_hosts says of a presented key. `entry` is the line that decided. */
export type HostKeyVerdict =
  | { readonly kind: 'ok'; readonly entry: KnownHost }
  | { readonly kind: 'changed'; readonly entry: KnownHost }
  | { readonly kind: 'revoked'; readonly entry: KnownHost }
  | { readonly kind: 'unknown' };

/** The signature algorithms to ask for, by known key type, in our order of preference. SHA-1 `ssh-rsa` is never asked for. */
export const HOST_KEY_ALGORITHMS: ReadonlyMap<string, readonly ServerHostKeyAlgorithm[]> = new Map([
  ['ssh-ed25519', ['ssh-ed25519']],
  ['ecdsa-sha2-nistp256', ['ecdsa-sha2-nistp256']],
  ['ecdsa-sha2-nistp384', ['ecdsa-sha2-nistp384']],
  ['ecdsa-sha2-nistp521', ['ecdsa-sha2-nistp521']],
  ['ssh-rsa', ['rsa-sha2-512', 'rsa-sha2-256']],
]);

/** The lines about a host, and whether they name it with its port. */
interface Relevant {
  readonly plainKeys: readonly KnownHost[];
  readonly authorities: readonly KnownHost[];
  readonly revoked: readonly KnownHost[];
  /** False when only lines without the port speak of it: as ssh(1), such a line can accept a key, not prove a change. */
  readonly exact: boolean;
}

/**
 * ssh(1) searches `[host]:port`, and the plain host only when no such line has a key. Revocation is wider than there: a
 * key revoked under either name is refused.
 */
function relevant(entries: readonly KnownHost[], host: string, port: number): Relevant {
  const exactly = entries.filter((entry) => hostsMatch(entry.hosts, lookupName(host, port)));
  const plainly = port === 22 ? [] : entries.filter((entry) => hostsMatch(entry.hosts, lookupName(host, 22)));
  const either = [...new Set([...exactly, ...plainly])];
  const marked = (list: readonly KnownHost[], marker: KnownHost['marker']) => list.filter((e) => e.marker === marker);
  const exactKeys = marked(exactly, undefined);
  const exact = port === 22 || exactKeys.length > 0;
  return {
    plainKeys: exact ? exactKeys : marked(plainly, undefined),
    authorities: marked(either, 'cert-authority'),
    revoked: marked(either, 'revoked'),
    exact,
  };
}

/** Revoked comes first; otherwise any equal key in any line is ok. */
export function checkHostKey(entries: readonly KnownHost[], host: string, port: number, blob: Buffer): HostKeyVerdict {
  const { plainKeys, revoked, exact } = relevant(entries, host, port);
  const same = (entry: KnownHost) => entry.blob.equals(blob);
  const revocation = revoked.find(same);
  if (revocation !== undefined) return { kind: 'revoked', entry: revocation };
  const match = plainKeys.find(same);
  if (match !== undefined) return { kind: 'ok', entry: match };
  const type = blob.length < 4 ? '' : blob.toString('latin1', 4, 4 + blob.readUInt32BE(0));
  const other = plainKeys.find((entry) => entry.type === type) ?? plainKeys[0];
  return other !== undefined && exact ? { kind: 'changed', entry: other } : { kind: 'unknown' };
}

/**
 * The algorithms of the key types known for the host, and no other: a server that has several keys must present one that
 * we can compare, or the answer would look like a changed key. Empty when none is known.
 */
export function hostKeyAlgorithms(entries: readonly KnownHost[], host: string, port: number): ServerHostKeyAlgorithm[] {
  const types = new Set(relevant(entries, host, port).plainKeys.map((entry) => entry.type));
  return [...HOST_KEY_ALGORITHMS].flatMap(([type, algorithms]) => (types.has(type) ? algorithms : []));
}

/** What a session needs to know a host by its key; fixed for the life of the session, so that it holds at every rekey. */
export interface HostKeyPolicy {
  /** For `algorithms.serverHostKey` of ssh2; never empty (ssh2 would take that for its defaults). */
  readonly algorithms: readonly ServerHostKeyAlgorithm[];
  /** Undefined: the key is the host's. Synchronous and without side effects, as ssh2 needs it at every rekey. */
  verify(blob: Buffer): TunnelError | undefined;
}

function nothingKnown(entries: readonly KnownHost[], host: string, port: number): TunnelError {
  const { plainKeys } = relevant(entries, host, port);
  const name = lookupName(host, port);
  const file = entries[0]?.place.replace(/:\d+$/, '') ?? 'known_hosts';
  const hint = keyscanHint(host, port, file);
  const [unsupported] = plainKeys;
  if (unsupported !== undefined) {
    const message = `${name} is known only by a key of type ${unsupported.type}, which is not supported (${unsupported.place})`;
    return new TunnelError('host_key_unknown', message, { hint });
  }
  return new TunnelError('host_key_unknown', `no host key is known for ${name} in ${file}`, { hint });
}

function refusal(verdict: HostKeyVerdict, name: string, blob: Buffer, hint: string): TunnelError | undefined {
  const presented = fingerprint(blob);
  switch (verdict.kind) {
    case 'ok':
      return undefined;
    case 'revoked':
      return revokedKey(name, presented, verdict.entry);
    case 'changed':
      return new TunnelError(
        'host_key_changed',
        `${name} presented ${presented}, but ${verdict.entry.place} has ${fingerprint(verdict.entry.blob)}`,
        {
          hint:
            `Ask the host's operator why its key changed: this is what an attack looks like. ` +
            `Replace ${verdict.entry.place} only once the new fingerprint is confirmed.`,
        },
      );
    case 'unknown':
      return new TunnelError('host_key_unknown', `${name} presented ${presented}, which no line knows`, { hint });
  }
}

/**
 * The policy for one host as configured (its name, not the addresses it resolves to, as ssh(1) with CheckHostIP=no).
 * Throws `host_key_unknown`, before anything is dialled, when no usable key is known.
 */
export function hostKeyPolicy(entries: readonly KnownHost[], host: string, port: number): HostKeyPolicy {
  const algorithms = hostKeyAlgorithms(entries, host, port);
  if (algorithms.length === 0) throw nothingKnown(entries, host, port);
  const name = lookupName(host, port);
  const hint = keyscanHint(host, port, entries[0]?.place.replace(/:\d+$/, '') ?? 'known_hosts');
  return {
    algorithms,
    verify: (blob) => refusal(checkHostKey(entries, host, port, blob), name, blob, hint),
  };
}

/** How a host is known: by keys of its own, or else by who may certify them. */
export type HostTrust =
  | { readonly kind: 'keys'; readonly policy: HostKeyPolicy }
  | { readonly kind: 'authorities'; readonly trusted: HostAuthorities };

/**
 * Plain keys come first: they need nobody's word. Throws `host_key_unknown`, before anything is dialled, when neither is
 * known.
 */
export function hostTrust(entries: readonly KnownHost[], host: string, port: number): HostTrust {
  const { authorities, revoked } = relevant(entries, host, port);
  if (hostKeyAlgorithms(entries, host, port).length > 0 || authorities.length === 0)
    return { kind: 'keys', policy: hostKeyPolicy(entries, host, port) };
  return { kind: 'authorities', trusted: { host, authorities, revoked } };
}
