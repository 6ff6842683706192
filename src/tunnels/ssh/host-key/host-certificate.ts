import { TunnelError } from '../../../base/errors.ts';
import { printable } from '../../../base/text/printable.ts';
import { type Certificate, timeText } from '../certificate/certificate.ts';
import { type Check, firstObjection } from '../certificate/certificate-check.ts';
import { verifySignature } from '../certificate/certificate-signature.ts';
import { fingerprint } from '../public-key.ts';
import { matchPattern } from './host-pattern.ts';
import type { KnownHost } from './known-hosts.ts';

/** What known_hosts says of the certificates of one host. */
export interface HostAuthorities {
  /** As configured: a name or an address, without the port. */
  readonly host: string;
  /** The `@cert-authority` lines that speak of it; at least one. */
  readonly authorities: readonly KnownHost[];
  /** The `@revoked` lines that do. */
  readonly revoked: readonly KnownHost[];
}

/**
 * Whether a host certificate vouches for the host as ssh(1) sees it, and more: one without a principal vouches for nobody.
 * Undefined when it does. Pure; whether the server has the certified key is for its key exchange to prove.
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
        `${host} presented a user certificate as that of a host`,
        'Sign the host key with `ssh-keygen -s CA -h`.',
      );

/** Before anything else is believed: a CA that was lost must not vouch for anybody, nor a key that was. */
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
      { hint: `${ca.place} marks this CA @revoked: the host needs a certificate by another one.` },
    );
  if (key) return revokedKey(host, keyFingerprint, key);
  return undefined;
};

const checkAuthority: Check<HostAuthorities> = ({ caKeyBlob, caFingerprint }, { host, authorities }) => {
  if (authorities.some(({ blob }) => blob.equals(caKeyBlob))) return undefined;
  const known = authorities.map(({ blob, place }) => `${fingerprint(blob)} (${place})`).join(', ');
  return invalid(
    `the host certificate of ${host} is signed by ${caFingerprint}, but known is ${known}`,
    'Have the host certified by the known CA; add another to known_hosts only once its fingerprint is confirmed.',
  );
};

const checkSignature: Check<HostAuthorities> = (certificate, { host }) => {
  switch (verifySignature(certificate)) {
    case 'valid':
      return undefined;
    case 'invalid':
      return invalid(
        `the signature of the host certificate of ${host} does not verify`,
        'It is damaged or forged: compare with `ssh-keygen -Lf` on the host.',
      );
    case 'unsupported':
      return invalid(
        `the host certificate of ${host} is signed with ${printable(certificate.signature.algorithm, 60)}, which is not accepted`,
        'The CA must sign with ed25519, ECDSA, rsa-sha2-256 or rsa-sha2-512.',
      );
  }
};

const checkTime: Check<HostAuthorities> = ({ validAfter, validBefore }, { host }, nowS) => {
  const clock = `The clock of this node says ${timeText(nowS)}`;
  if (nowS < validAfter)
    return invalid(
      `the host certificate of ${host} is not valid before ${timeText(validAfter)}`,
      `${clock}: if it is wrong, fix it (timedatectl).`,
    );
  if (nowS >= validBefore)
    return invalid(
      `the host certificate of ${host} expired at ${timeText(validBefore)}`,
      `Renew it on the host and reload its sshd. ${clock}.`,
    );
  return undefined;
};

const checkPrincipal: Check<HostAuthorities> = ({ principals }, { host }) => {
  const name = host.toLowerCase();
  // As ssh(1): the CA may give patterns.
  if (principals.some((pattern) => matchPattern(pattern.toLowerCase(), name))) return undefined;
  const carried = principals.map((each) => printable(each, 60)).join(', ');
  return invalid(
    `the host certificate of ${host} carries ${principals.length === 0 ? 'no name' : `[${carried}]`}, not ${host}`,
    'The address in the configuration must be a name in the certificate: sign it with `-n NAME`, or configure that name.',
  );
};

const checkCritical: Check<HostAuthorities> = ({ criticalOptions }, { host }) =>
  criticalOptions.size === 0
    ? undefined
    : invalid(
        `the host certificate of ${host} has a critical option, and host certificates have none`,
        'Have the CA remove the option: ssh rejects such a certificate too.',
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

/** For a plain key, presented or certified. */
export function revokedKey(name: string, presented: string, line: KnownHost): TunnelError {
  return new TunnelError('host_key_changed', `${name} presented ${presented}, which is revoked (${line.place})`, {
    hint: `${line.place} marks this key @revoked: do not trust a host that has it. The host needs a new key.`,
  });
}

function invalid(message: string, hint: string): TunnelError {
  return new TunnelError('host_cert_invalid', message, { hint });
}
