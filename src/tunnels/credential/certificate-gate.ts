import { TunnelError } from '../../base/errors.ts';
import { printable } from '../../base/text/printable.ts';
import { type Certificate, timeText } from '../ssh/certificate/certificate.ts';
import { type Check, firstObjection } from '../ssh/certificate/certificate-check.ts';
import { verifySignature } from '../ssh/certificate/certificate-signature.ts';

/** The requirements for a certificate. */
export interface Expectation {
  /** Blob of our own public key (RFC 4253 section 6.6). */
  readonly publicKey: Buffer;
  /** The certificate must have all of these. Undefined: at least one principal, any name. */
  readonly principals?: readonly string[] | undefined;
  /** One of these CAs must have signed the certificate, `SHA256:…`. Undefined: any CA. */
  readonly caFingerprints?: readonly string[] | undefined;
}

/** The CA's clock may be ahead of the node's clock by this much. */
const SKEW_S = 60n;
/** A shorter validity ends before the login is done. */
const SHORTEST_S = 5n;

const FORWARDING = 'permit-port-forwarding';
/** sshd rejects a certificate with any other critical option (PROTOCOL.certkeys, "Critical options"). */
const KNOWN_CRITICAL: ReadonlySet<string> = new Set(['force-command', 'source-address', 'verify-required']);

/**
 * Checks a user certificate without asking the server, because the server penalises failed logins by source address
 * (sshd_config, PerSourcePenalties). Undefined when the certificate may be used. Pure.
 *
 * @param nowMs wall clock, in milliseconds since the epoch
 */
export function checkUserCertificate(
  certificate: Certificate,
  expected: Expectation,
  nowMs: number,
): TunnelError | undefined {
  return firstObjection(CHECKS, certificate, expected, nowMs);
}

/** As {@link checkUserCertificate}, without the clock: whether the certificate can be valid at another time. Pure. */
export function checkContent(certificate: Certificate, expected: Expectation): TunnelError | undefined {
  const timeless = CHECKS.filter((check) => check !== checkTime);
  return firstObjection(timeless, certificate, expected, 0);
}

/**
 * Whether the clock alone is against a certificate that passed the other checks: clocks may be set at any time, so every
 * use asks again. Pure.
 *
 * @param nowMs wall clock, in milliseconds since the epoch
 */
export function checkValidity(certificate: Certificate, nowMs: number): TunnelError | undefined {
  return firstObjection([checkTime], certificate, undefined, nowMs);
}

const checkRole: Check<Expectation> = ({ role }) =>
  role === 'user'
    ? undefined
    : invalid(
        'the certificate is for a host, not for a user',
        'Sign the key as a user key: `ssh-keygen -s CA` without -h, or the user role of the CA.',
      );

const checkKey: Check<Expectation> = (certificate, { publicKey }) =>
  certificate.keyBlob.equals(publicKey)
    ? undefined
    : invalid(
        `the certificate is for another key (${certificate.keyFingerprint})`,
        'The CA must sign the public half of the configured key. cert_command gets the path as {pubkey}.',
      );

const checkAuthority: Check<Expectation> = ({ caFingerprint }, { caFingerprints }) =>
  caFingerprints === undefined || caFingerprints.includes(caFingerprint)
    ? undefined
    : invalid(
        `the certificate is signed by ${caFingerprint}, which is not among ca_fingerprints`,
        'Find out who signed the certificate. Add the fingerprint to ca_fingerprints only if this is your CA.',
      );

const checkSignature: Check<Expectation> = (certificate) => {
  const { algorithm } = certificate.signature;
  switch (verifySignature(certificate)) {
    case 'valid':
      return undefined;
    case 'invalid':
      return invalid(
        'the signature of the certificate is invalid',
        'The certificate is damaged or forged. Get a new one, and check the path between the CA and this node.',
      );
    case 'unsupported':
      return invalid(
        `the certificate is signed with ${printable(algorithm, 60)}, which is not supported`,
        'The CA must sign with ed25519, ECDSA, rsa-sha2-256 or rsa-sha2-512 (`ssh-keygen -t rsa-sha2-512 -s …`).',
      );
  }
};

const checkSpan: Check<Expectation> = ({ validAfter, validBefore }) => {
  if (validBefore <= validAfter)
    return invalid(
      'the certificate is never valid: its end is before its start',
      'Fix the validity that the CA sets (`ssh-keygen -V`).',
    );
  if (validBefore - validAfter < SHORTEST_S)
    return invalid(
      `the certificate is valid for ${validBefore - validAfter} s, which is too short for a login`,
      `Sign the certificate for at least ${SHORTEST_S} s; one hour is better.`,
    );
  return undefined;
};

const checkTime: Check<unknown> = ({ validAfter, validBefore }, _, nowS) => {
  if (validAfter > nowS + SKEW_S)
    return new TunnelError('cert_not_yet_valid', `the certificate is not valid before ${timeText(validAfter)}`, {
      hint: `The clock of this node says ${timeText(nowS)}. If that is wrong, fix it (timedatectl). Otherwise fix the clock of the CA.`,
    });
  if (validBefore <= nowS)
    return new TunnelError('cert_expired', `the certificate expired at ${timeText(validBefore)}`, {
      hint: `Get a new certificate. If this one is new, compare the clocks: this node says ${timeText(nowS)}.`,
    });
  return undefined;
};

const checkPrincipals: Check<Expectation> = ({ principals }, { principals: wanted = [] }) => {
  if (principals.length === 0)
    return invalid('the certificate has no principal, and sshd rejects it', 'Sign it again with `ssh-keygen -n USER`.');
  if (wanted.every((each) => principals.includes(each))) return undefined;
  return new TunnelError(
    'cert_wrong_principal',
    `the certificate has the principals ${listed(principals)}, but ${listed(wanted)} are required`,
    {
      hint: 'Sign the certificate for these principals, or fix `principals` in the configuration.',
    },
  );
};

const checkForwarding: Check<Expectation> = ({ extensions }) =>
  extensions.has(FORWARDING)
    ? undefined
    : invalid(
        `the certificate does not have ${FORWARDING}`,
        'Allow port forwarding in the CA. Without this extension the server refuses every tunnel.',
      );

const checkCritical: Check<Expectation> = ({ criticalOptions }) => {
  for (const name of criticalOptions.keys()) {
    if (!KNOWN_CRITICAL.has(name))
      return invalid(
        `the certificate has the critical option ${printable(name, 60)}, which sshd does not know`,
        'Remove the option in the CA. A server rejects a certificate with an unknown option.',
      );
  }
  return criticalOptions.has('verify-required')
    ? invalid(
        'the certificate requires a security key with user verification (verify-required)',
        'The daemon cannot tap a security key. Remove verify-required in the CA.',
      )
    : undefined;
};

/** The operator sees the first objection. The signature comes before the fields that it protects. */
const CHECKS: readonly Check<Expectation>[] = [
  checkRole,
  checkKey,
  checkAuthority,
  checkSignature,
  checkSpan,
  checkTime,
  checkPrincipals,
  checkForwarding,
  checkCritical,
];

function invalid(message: string, hint: string): TunnelError {
  return new TunnelError('cert_invalid', message, { hint });
}

function listed(principals: readonly string[]): string {
  return `[${principals.map((each) => printable(each, 60)).join(', ')}]`;
}
