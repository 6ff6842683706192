import { TunnelError } from '../../../base/errors.ts';
import { canonicalHost } from '../../../base/net/host.ts';
import { printable } from '../../../base/text/printable.ts';
import { type Certificate, timeText } from '../certificate/certificate.ts';
import { type Check, firstObjection } from '../certificate/certificate-check.ts';
import { verifySignature } from '../certificate/certificate-signature.ts';
import { fingerprint } from '../public-key.ts';
import { matchPattern } from './host-pattern.ts';
import type { KnownHost } from './known-hosts.ts';

/** The lines of known_hosts about the certificates of one host. */
export interface HostAuthorities {
  /** The configured name or address, without the port. */
  readonly host: string;
  /** The `@cert-authority` lines that match the host; at least one. */
  readonly authorities: readonly KnownHost[];
  /** The `@revoked` lines that match the host. */
  readonly revoked: readonly KnownHost[];
}

/**
 * Checks a host certificate as ssh(1) does, and more strictly: a certificate without a principal is invalid for every
 * host. Undefined when the certificate is valid. Pure. The key exchange proves that the server has the certified key.
 *
 * @param nowMs wall clock, in milliseconds since the epoch
 */
export function checkHostCertificate(
  certificate: Certificate,
  trusted: HostAuthorities,
  nowMs: number,
): TunnelError | undefined {
  return firstObjection(CHECKS, certificate, trusted, nowMs);
}

const checkRole: Check<HostAuthorities> = ({ role }, { host }) =>
  role === 'host'
    ? undefined
    : invalid(
        `${host} presented a user certificate instead of a host certificate`,
        'Sign the host key with `ssh-keygen -s CA -h`.',
      );

/** Before all other checks: a revoked CA or a revoked key proves nothing. */
const checkRevoked: Check<HostAuthorities> = (
  { caKeyBlob, keyBlob, keyFingerprint, caFingerprint },
  { host, revoked },
) => {
  const by = (blob: Buffer) => revoked.find((line) => line.blob.equals(blob));
  const [ca, key] = [by(caKeyBlob), by(keyBlob)];
  if (ca)
    return new TunnelError(
      'host_key_changed',
      `the host certificate of ${host} is signed by ${caFingerprint}, which is revoked (${ca.place})`,
      { hint: `${ca.place} marks this CA @revoked. The host needs a certificate by another CA.` },
    );
  if (key) return revokedKey(host, keyFingerprint, key);
  return undefined;
};

const checkAuthority: Check<HostAuthorities> = ({ caKeyBlob, caFingerprint }, { host, authorities }) => {
  if (authorities.some(({ blob }) => blob.equals(caKeyBlob))) return undefined;
  const known = authorities.map(({ blob, place }) => `${fingerprint(blob)} (${place})`).join(', ');
  return invalid(
    `the host certificate of ${host} is signed by ${caFingerprint}, but known_hosts has ${known}`,
    'Sign the host key with the known CA. Add another CA to known_hosts only after you confirm its fingerprint.',
  );
};

const checkSignature: Check<HostAuthorities> = (certificate, { host }) => {
  switch (verifySignature(certificate)) {
    case 'valid':
      return undefined;
    case 'invalid':
      return invalid(
        `the signature of the host certificate of ${host} is invalid`,
        'The certificate is damaged or forged. Check it on the host with `ssh-keygen -Lf`.',
      );
    case 'unsupported':
      return invalid(
        `the host certificate of ${host} is signed with ${printable(certificate.signature.algorithm, 60)}, which is not supported`,
        'The CA must sign with ed25519, ECDSA, rsa-sha2-256 or rsa-sha2-512.',
      );
  }
};

const checkTime: Check<HostAuthorities> = ({ validAfter, validBefore }, { host }, nowS) => {
  const clock = `The clock of this node says ${timeText(nowS)}`;
  if (nowS < validAfter)
    return invalid(
      `the host certificate of ${host} is not valid before ${timeText(validAfter)}`,
      `${clock}. If that is wrong, fix it (timedatectl).`,
    );
  if (nowS >= validBefore)
    return invalid(
      `the host certificate of ${host} expired at ${timeText(validBefore)}`,
      `Renew the certificate on the host and reload sshd. ${clock}.`,
    );
  return undefined;
};

const checkPrincipal: Check<HostAuthorities> = ({ principals }, { host }) => {
  const name = canonicalHost(host);
  // As in ssh(1), a principal may be a pattern.
  if (principals.some((pattern) => matchPattern(canonicalHost(pattern), name))) return undefined;
  const carried = principals.map((each) => printable(each, 60)).join(', ');
  return invalid(
    `the host certificate of ${host} is for ${principals.length === 0 ? 'no name' : `[${carried}]`}, not for ${host}`,
    'The configured address must be a name in the certificate. Sign with `-n NAME`, or configure a name of the certificate.',
  );
};

const checkCritical: Check<HostAuthorities> = ({ criticalOptions }, { host }) =>
  criticalOptions.size === 0
    ? undefined
    : invalid(
        `the host certificate of ${host} has a critical option, which is not allowed for hosts`,
        'Remove the option in the CA. ssh rejects such a certificate too.',
      );

const CHECKS: readonly Check<HostAuthorities>[] = [
  checkRole,
  checkRevoked,
  checkAuthority,
  checkSignature,
  checkTime,
  checkPrincipal,
  checkCritical,
];

/** The error for a revoked plain key, presented or certified. */
export function revokedKey(name: string, presented: string, line: KnownHost): TunnelError {
  return new TunnelError('host_key_changed', `${name} presented ${presented}, which is revoked (${line.place})`, {
    hint: `${line.place} marks this key @revoked. Do not trust a host with this key; the host needs a new key.`,
  });
}

function invalid(message: string, hint: string): TunnelError {
  return new TunnelError('host_cert_invalid', message, { hint });
}
