import type { ServerHostKeyAlgorithm } from 'ssh2';
import { TunnelError } from '../../../base/errors.ts';
import { fingerprint } from '../public-key.ts';
import { type HostAuthorities, revokedKey } from './host-certificate.ts';
import { hostsMatch, lookupName, writtenName } from './host-pattern.ts';
import { type KnownHost, keyscanHint } from './known-hosts.ts';

/** The result of known_hosts for a presented key. `entry` is the line that decided. */
export type HostKeyVerdict =
  | { readonly kind: 'ok'; readonly entry: KnownHost }
  | { readonly kind: 'changed'; readonly entry: KnownHost }
  | { readonly kind: 'revoked'; readonly entry: KnownHost }
  | { readonly kind: 'unknown' };

/** Signature algorithms to request, by known key type, in order of preference. SHA-1 `ssh-rsa` is never requested. */
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
  /** False when only lines without the port match. As in ssh(1), such a line can accept a key, but not prove a change. */
  readonly exact: boolean;
}

/**
 * ssh(1) searches `[host]:port`, and the plain host only if no such line has a key. Revocation is stricter here: a key
 * revoked under either name is rejected.
 */
function relevant(entries: readonly KnownHost[], host: string, port: number): Relevant {
  const naming = (at: number) => {
    const [name, written] = [lookupName(host, at), writtenName(host, at)];
    return entries.filter((entry) => hostsMatch(entry.hosts, name, written));
  };
  const exactly = naming(port);
  const plainly = port === 22 ? [] : naming(22);
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

/** A revoked key is rejected first; otherwise an equal key in any line is ok. */
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
 * Only the algorithms of the key types known for the host. A server with several keys then presents a key that can be
 * compared, not one that looks like a changed key. Empty when no key is known.
 */
export function hostKeyAlgorithms(entries: readonly KnownHost[], host: string, port: number): ServerHostKeyAlgorithm[] {
  const types = new Set(relevant(entries, host, port).plainKeys.map((entry) => entry.type));
  return [...HOST_KEY_ALGORITHMS].flatMap(([type, algorithms]) => (types.has(type) ? algorithms : []));
}

/** Verifies the host key of one session. Fixed for the life of the session, so every rekey uses the same policy. */
export interface HostKeyPolicy {
  /** For `algorithms.serverHostKey` of ssh2; never empty, because ssh2 would then use its defaults. */
  readonly algorithms: readonly ServerHostKeyAlgorithm[];
  /** Undefined: the key belongs to the host. Synchronous and without side effects, because ssh2 calls it at every rekey. */
  verify(blob: Buffer): TunnelError | undefined;
}

function nothingKnown(entries: readonly KnownHost[], host: string, port: number): TunnelError {
  const { plainKeys } = relevant(entries, host, port);
  const name = lookupName(host, port);
  const file = entries[0]?.place.replace(/:\d+$/, '') ?? 'known_hosts';
  const hint = keyscanHint(host, port, file);
  const [unsupported] = plainKeys;
  if (unsupported !== undefined) {
    const message = `the only known host key of ${name} has the unsupported type ${unsupported.type} (${unsupported.place})`;
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
            `Ask the operator of the host why the key changed: an attack looks the same. ` +
            `Replace ${verdict.entry.place} only after you confirm the new fingerprint.`,
        },
      );
    case 'unknown':
      return new TunnelError('host_key_unknown', `${name} presented ${presented}, which is not in known_hosts`, {
        hint,
      });
  }
}

/**
 * The policy for one host by its configured name, not by its addresses, as ssh(1) with CheckHostIP=no. Throws
 * `host_key_unknown`, before any connection, when no usable key is known.
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

/** How a host is verified: by known keys, or else by known CAs. */
export type HostTrust =
  | { readonly kind: 'keys'; readonly policy: HostKeyPolicy }
  | { readonly kind: 'authorities'; readonly trusted: HostAuthorities };

/**
 * Known keys come before known CAs. Throws `host_key_unknown`, before any connection, when neither is known.
 */
export function hostTrust(entries: readonly KnownHost[], host: string, port: number): HostTrust {
  const { authorities, revoked } = relevant(entries, host, port);
  if (hostKeyAlgorithms(entries, host, port).length > 0 || authorities.length === 0)
    return { kind: 'keys', policy: hostKeyPolicy(entries, host, port) };
  return { kind: 'authorities', trusted: { host, authorities, revoked } };
}
