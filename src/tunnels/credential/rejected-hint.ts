import { TunnelError } from '../../base/errors.ts';
import { printable } from '../../base/text/printable.ts';
import { type Certificate, sourceAddresses } from '../ssh/certificate/certificate.ts';

/**
 * What would help when a server rejects a certificate that has passed our own gate: a server says no more than no, and
 * these are its reasons (sshd_config(5), TrustedUserCAKeys, AuthorizedPrincipalsFile; PROTOCOL.certkeys, source-address).
 */
export function certificateRejectedHint(certificate: Certificate): string {
  const principals = certificate.principals.map((each) => printable(each, 60)).join(', ');
  const sources = sourceAddresses(certificate);
  return [
    'On the host compare',
    ...(sources === undefined ? [] : [`the address that it sees us come from with ${sources} (source-address),`]),
    `TrustedUserCAKeys with the CA ${certificate.caFingerprint},`,
    `AuthorizedPrincipalsFile (without it the user name) with [${principals}],`,
    'RevokedKeys, and its clock.',
  ].join(' ');
}

/** Why a certificate that a server rejects is not offered again. */
export function rejectedError(certificate: Certificate): TunnelError {
  return new TunnelError('auth_rejected', `the server rejects the certificate (serial ${certificate.serial})`, {
    hint: certificateRejectedHint(certificate),
  });
}
