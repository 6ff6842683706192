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

/** A CA's clock may be ahead of ours by this much. */
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
        'Find out who signed it; add the fingerprint to ca_fingerprints only if that is your CA.',
      );

const checkSignature: Check<Expectation> = (certificate) => {
  const { algorithm } = certificate.signature;
  switch (verifySignature(certificate)) {
    case 'valid':
      return undefined;
    case 'invalid':
      return invalid(
        'the signature of the certificate does not verify',
        'It was damaged or forged on its way: obtain it again, and look at what stands between the CA and this node.',
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
    return invalid('the certificate is never valid: it ends before it begins', 'Mend the validity that the CA gives.');
  if (validBefore - validAfter < SHORTEST_S)
    return invalid(
      `the certificate is valid for ${validBefore - validAfter} s, which is too short to log in with`,
      `Have the CA give at least ${SHORTEST_S} s, better an hour.`,
    );
  return undefined;
};

const checkTime: Check<Expectation> = ({ validAfter, validBefore }, _, nowS) => {
  if (validAfter > nowS + SKEW_S)
    return new TunnelError('cert_not_yet_valid', `the certificate is valid only from ${timeText(validAfter)} on`, {
      hint: `It is ${timeText(nowS)} on this node: if that is wrong, mend the clock (timedatectl), else that of the CA.`,
    });
  if (validBefore <= nowS)
    return new TunnelError('cert_expired', `the certificate expired at ${timeText(validBefore)}`, {
      hint: `Obtain a new one; if it is new, compare the clocks: it is ${timeText(nowS)} on this node.`,
    });
  return undefined;
};

const checkPrincipals: Check<Expectation> = ({ principals }, { principals: wanted = [] }) => {
  if (principals.length === 0)
    return invalid('the certificate carries no principal', 'sshd takes none for nobody: have the CA name one (-n).');
  if (wanted.every((each) => principals.includes(each))) return undefined;
  return new TunnelError(
    'cert_wrong_principal',
    `the certificate carries ${listed(principals)}, the server wants ${listed(wanted)}`,
    {
      hint: 'Have the CA sign for that principal, or mend principals in the configuration if the server knows others.',
    },
  );
};

const checkForwarding: Check<Expectation> = ({ extensions }) =>
  extensions.has(FORWARDING)
    ? undefined
    : invalid(
        `the certificate does not carry ${FORWARDING}`,
        'Without it the server refuses every tunnel: have the CA permit port forwarding.',
      );

const checkCritical: Check<Expectation> = ({ criticalOptions }) => {
  for (const name of criticalOptions.keys()) {
    if (!KNOWN_CRITICAL.has(name))
      return invalid(
        `the certificate has the critical option ${printable(name, 60)}, which sshd does not know`,
        'Have the CA leave it out: a server refuses what it does not know.',
      );
  }
  return criticalOptions.has('verify-required')
    ? invalid(
        'the certificate wants a FIDO key that verifies its user (verify-required)',
        'No daemon can touch a key: have the CA leave the option out.',
      )
    : undefined;
};

/** The first that fails is what the operator sees: nothing that a certificate says counts before its signature does. */
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
