import { TunnelError } from '../../base/errors.ts';
import type { ActorConfig } from '../../config/config.ts';
import { parseCertificateBlob } from '../ssh/certificate/certificate.ts';
import { isCertificateBlob } from '../ssh/certificate/certificate-type.ts';
import { checkUserCertificate } from './certificate-gate.ts';

/** What the actor demands of a certificate, wherever that comes from. */
export type Demands = Partial<Pick<ActorConfig, 'principals' | 'caFingerprints'>>;

/**
 * Which of an agent's identities may be offered, certificates first, each kind in the agent's order. A certificate passes
 * the same gate as one from a command. An actor that demands something of its certificate wants one: plain keys are left
 * out then. Throws why there is none: the first certificate's fault, or `key_unreadable`. Pure.
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
    throw new TunnelError(fault.code, `no key of ssh-agent can be used: ${fault.message}`, {
      cause: fault,
      hint: fault.hint,
    });
  throw demanding && plain.length > 0
    ? new TunnelError('key_unreadable', 'ssh-agent holds plain keys, but no certificate', {
        hint: 'Add the key together with its certificate (ssh-add KEY, with KEY-cert.pub beside it), or take principals and ca_fingerprints from the actor.',
      })
    : new TunnelError('key_unreadable', 'ssh-agent holds no key', {
        hint: 'Add it: `ssh-add KEY`; `ssh-add -l` lists what is there.',
      });
}

function faultOf(blob: Buffer, { principals, caFingerprints }: Demands, nowMs: number): TunnelError | undefined {
  try {
    const certificate = parseCertificateBlob(blob);
    return checkUserCertificate(certificate, { publicKey: certificate.keyBlob, principals, caFingerprints }, nowMs);
  } catch (error) {
    // An agent may hold what is of no use here; that must not keep the rest from being tried.
    return TunnelError.from(error);
  }
}
