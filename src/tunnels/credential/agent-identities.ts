import { TunnelError } from '../../base/errors.ts';
import type { ActorConfig } from '../../config/config.ts';
import { parseCertificateBlob } from '../ssh/certificate/certificate.ts';
import { isCertificateBlob } from '../ssh/certificate/certificate-type.ts';
import { checkUserCertificate } from './certificate-gate.ts';

/** What the actor requires of every certificate. */
export type Demands = Partial<Pick<ActorConfig, 'principals' | 'caFingerprints'>>;

/**
 * The identities of an agent that may be offered: certificates first, each kind in the agent's order. A certificate
 * passes the same checks as one from `cert_command`. An actor with requirements needs a certificate, so plain keys are
 * left out. Throws when no identity is left: the first certificate's fault, or `key_unreadable`. Pure.
 *
 * @param blobs of the identities
 * @param nowMs wall clock, in milliseconds since the epoch
 */
export function usableIdentities(blobs: readonly Buffer[], demands: Demands, nowMs: number): Buffer[] {
  const { principals, caFingerprints } = demands;
  const faults: TunnelError[] = [];
  const certified = blobs.filter(isCertificateBlob).filter((blob) => {
    const fault = faultOf(blob, demands, nowMs);
    if (fault) faults.push(fault);
    return fault === undefined;
  });
  const plain = blobs.filter((blob) => !isCertificateBlob(blob));
  const demanding = principals !== undefined || caFingerprints !== undefined;
  const usable = demanding ? certified : [...certified, ...plain];
  if (usable.length > 0) return usable;
  const [fault] = faults;
  if (fault)
    throw new TunnelError(fault.code, `no certificate in ssh-agent is usable: ${fault.message}`, {
      cause: fault,
      hint: fault.hint,
    });
  throw demanding && plain.length > 0
    ? new TunnelError('key_unreadable', 'ssh-agent has plain keys, but no certificate', {
        hint: 'Put KEY-cert.pub beside KEY and run `ssh-add KEY`, or remove principals and ca_fingerprints from the actor.',
      })
    : new TunnelError('key_unreadable', 'ssh-agent has no key', {
        hint: 'Add the key with `ssh-add KEY`; `ssh-add -l` lists the keys.',
      });
}

function faultOf(blob: Buffer, { principals, caFingerprints }: Demands, nowMs: number): TunnelError | undefined {
  try {
    const certificate = parseCertificateBlob(blob);
    return checkUserCertificate(certificate, { publicKey: certificate.keyBlob, principals, caFingerprints }, nowMs);
  } catch (error) {
    // An unusable certificate in the agent must not block the other identities.
    return TunnelError.from(error);
  }
}
