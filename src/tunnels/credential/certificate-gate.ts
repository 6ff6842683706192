import { TunnelError } from '../../base/errors.ts';
import { printable } from '../../base/text/printable.ts';
import { type Certificate, timeText } from '../ssh/certificate/certificate.ts';
import { type Check, firstObjection } from '../ssh/certificate/certificate-check.ts';
import { verifySignature } from '../ssh/certificate/certificate-signature.ts';

/** What a certificate is checked against. */
export interface Expectation {
  /** Blob of our own public key (RFC 4253 section 6.6). */
  readonly publicKey: Buffer;
  /** The certificate must carry each of them. Without: any, but at least one. */
  readonly principals?: readonly string[] | undefined;
  /** One of these CAs must have signed it, `SHA256:…`. Without: any. */
  readonly caFingerprints?: readonly string[] | undefined;
}

/** The clock of a CA may be ahead of ours by this much. */
const SKEW_S = 60n;
/** A certificate that is valid for less than this cannot carry a session from its issue to its login. */
const SHORTEST_S = 5n;

const FORWARDING = 'permit-port-forwarding';
/** sshd refuses a certificate with any other (PROTOCOL.certkeys, "Critical options"). */
const KNOWN_CRITICAL: ReadonlySet<string> = new Set(['force-command', 'source-address', 'verify-required']);

/**
 * Everything that can be known of a user certificate without asking the server, so that a useless one costs no login: it
 * would count against this address there (sshd_config, PerSourcePenalties). Undefined when it may be used. Pure.
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

const checkRole: Check<Expectation> = ({ role }) =>
  role === 'user'
    ? undefined
    : invalid('the certificate is for a host, not for a user', 'Have the CA sign without -h, or with its user role.');

const checkKey: Check<Expectation> = (certificate, { publicKey }) =>
  certificate.keyBlob.equals(publicKey)
    ? undefined
    : invalid(
        `the certificate is for another key (${certificate.keyFingerprint})`,
        'The CA must sign the public half of the configured key: cert_command finds its path in {pubkey}.',
      );

const checkAuthority: Check<Expectation> = ({ caFingerprint }, { caFingerprints }) =>
  caFingerprints === undefined || caFingerprints.includes(caFingerprint)
    ? undefined
    : invalid(
        `the certificate is signed by ${caFingerprint}, which is not among ca_fingerprints`,
        'Find out who signed it. Add the fingerprint to ca_fingerprints only if this is your CA.',
      );

const checkSignature: Check<Expectation> = (certificate) => {
  const { algorithm } = certificate.signature;
  switch (verifySignature(certificate)) {
    case 'valid':
      return undefined;
    case 'invalid':
      return invalid(
        'the signature of the certificate does not verify',
        'The certificate is damaged or forged: obtain a new one, and check the path between the CA and this node.',
      );
    case 'unsupported':
      return invalid(
        `the certificate is signed with ${printable(algorithm, 60)}, which is not accepted`,
        'The CA must sign with ed25519, ECDSA, rsa-sha2-256 or rsa-sha2-512 (`ssh-keygen -t rsa-sha2-512 -s …`).',
      );
  }
};

const checkSpan: Check<Expectation> = ({ validAfter, validBefore }) => {
  if (validBefore <= validAfter)
    return invalid(
      'the certificate is never valid: it ends before it begins',
      'Fix the validity that the CA sets (`ssh-keygen -V`).',
    );
  if (validBefore - validAfter < SHORTEST_S)
    return invalid(
      `the certificate is valid for ${validBefore - validAfter} s, which is too short for a login`,
      `Have the CA sign for at least ${SHORTEST_S} s; an hour is better.`,
    );
  return undefined;
};

const checkTime: Check<Expectation> = ({ validAfter, validBefore }, _, nowS) => {
  if (validAfter > nowS + SKEW_S)
    return new TunnelError('cert_not_yet_valid', `the certificate is not valid before ${timeText(validAfter)}`, {
      hint: `The clock of this node says ${timeText(nowS)}: if it is wrong, fix it (timedatectl); otherwise fix the clock of the CA.`,
    });
  if (validBefore <= nowS)
    return new TunnelError('cert_expired', `the certificate expired at ${timeText(validBefore)}`, {
      hint: `Obtain a new certificate. If this one is new, compare the clocks: this node says ${timeText(nowS)}.`,
    });
  return undefined;
};

const checkPrincipals: Check<Expectation> = ({ principals }, { principals: wanted = [] }) => {
  if (principals.length === 0)
    return invalid('the certificate has no principal, and sshd rejects it', 'Sign it again with `ssh-keygen -n USER`.');
  if (wanted.every((each) => principals.includes(each))) return undefined;
  return new TunnelError(
    'cert_wrong_principal',
    `the certificate has the principals ${listed(principals)}, required are ${listed(wanted)}`,
    {
      hint: 'Have the CA sign for that principal. If the server accepts another one, fix `principals` in the configuration.',
    },
  );
};

const checkForwarding: Check<Expectation> = ({ extensions }) =>
  extensions.has(FORWARDING)
    ? undefined
    : invalid(
        `the certificate lacks ${FORWARDING}`,
        'Have the CA permit port forwarding: without this extension the server refuses every tunnel.',
      );

const checkCritical: Check<Expectation> = ({ criticalOptions }) => {
  for (const name of criticalOptions.keys()) {
    if (!KNOWN_CRITICAL.has(name))
      return invalid(
        `the certificate has the critical option ${printable(name, 60)}, which sshd does not know`,
        'Have the CA remove the option: a server rejects a certificate with an unknown option.',
      );
  }
  return criticalOptions.has('verify-required')
    ? invalid(
        'the certificate requires a security key with user verification (verify-required)',
        'The daemon cannot tap a security key: have the CA remove verify-required.',
      )
    : undefined;
};

/** The operator sees the first objection. The signature comes before everything that it vouches for. */
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
