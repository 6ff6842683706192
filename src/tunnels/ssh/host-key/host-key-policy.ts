import type { ServerHostKeyAlgorithm } from 'ssh2';
import { TunnelError } from '../../../base/errors.ts';
import { fingerprint } from '../public-key.ts';
import { type HostAuthorities, revokedKey } from './host-certificate.ts';
import type { HostLines } from './host-lines.ts';
import { lookupName } from './host-pattern.ts';
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

/** A revoked key is rejected first; otherwise an equal key in any line is ok. */
export function checkHostKey({ plainKeys, revoked, exact }: HostLines, blob: Buffer): HostKeyVerdict {
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
export function hostKeyAlgorithms({ plainKeys }: HostLines): ServerHostKeyAlgorithm[] {
  const types = new Set(plainKeys.map((entry) => entry.type));
  return [...HOST_KEY_ALGORITHMS].flatMap(([type, algorithms]) => (types.has(type) ? algorithms : []));
}

/** Verifies the host key of one session. Fixed for the life of the session, so every rekey uses the same policy. */
export interface HostKeyPolicy {
  /** For `algorithms.serverHostKey` of ssh2; never empty, because ssh2 would then use its defaults. */
  readonly algorithms: readonly ServerHostKeyAlgorithm[];
  /** Undefined: the key belongs to the host. Synchronous and without side effects, because ssh2 calls it at every rekey. */
  verify(blob: Buffer): TunnelError | undefined;
}

function nothingKnown({ plainKeys, host, port, file }: HostLines): TunnelError {
  const name = lookupName(host, port);
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
export function hostKeyPolicy(lines: HostLines): HostKeyPolicy {
  const algorithms = hostKeyAlgorithms(lines);
  if (algorithms.length === 0) throw nothingKnown(lines);
  const { host, port, file } = lines;
  const name = lookupName(host, port);
  const hint = keyscanHint(host, port, file);
  return {
    algorithms,
    verify: (blob) => refusal(checkHostKey(lines, blob), name, blob, hint),
  };
}

/** How a host is verified: by known keys, or else by known CAs. */
export type HostTrust =
  | { readonly kind: 'keys'; readonly policy: HostKeyPolicy }
  | { readonly kind: 'authorities'; readonly trusted: HostAuthorities };

/**
 * Known keys come before known CAs. Throws `host_key_unknown`, before any connection, when neither is known.
 */
export function hostTrust(lines: HostLines): HostTrust {
  const { host, authorities, revoked } = lines;
  if (hostKeyAlgorithms(lines).length > 0 || authorities.length === 0)
    return { kind: 'keys', policy: hostKeyPolicy(lines) };
  return { kind: 'authorities', trusted: { host, authorities, revoked } };
}
