import { TunnelError } from '../../base/errors.ts';
import { printable } from '../../base/text/printable.ts';
import { type Certificate, sourceAddresses } from '../ssh/certificate/certificate.ts';

/**
 * Hint for a certificate that passed our checks and that a server rejects. A server gives no reason; these are the usual
 * ones (sshd_config(5), TrustedUserCAKeys, AuthorizedPrincipalsFile; PROTOCOL.certkeys, source-address).
 */
export function certificateRejectedHint(certificate: Certificate): string {
  const principals = certificate.principals.map((each) => printable(each, 60)).join(', ');
  const sources = sourceAddresses(certificate);
  return [
    ...(sources === undefined ? [] : [`The certificate is valid only from ${sources} (source-address).`]),
    `On the host, check that TrustedUserCAKeys has the CA ${certificate.caFingerprint},`,
    `and that AuthorizedPrincipalsFile (or else the user name) matches [${principals}].`,
    'Also check RevokedKeys and the clock.',
  ].join(' ');
}

/** The reason why a rejected certificate is not offered again. */
export function rejectedError(certificate: Certificate): TunnelError {
  return new TunnelError('auth_rejected', `the server rejects the certificate (serial ${certificate.serial})`, {
    hint: certificateRejectedHint(certificate),
  });
}
