import ssh2, { type ParsedKey } from 'ssh2';
import { TunnelError } from '../../base/errors.ts';
import type { Certificate } from './certificate/certificate.ts';
import { certificateAlgorithm } from './certificate/certificate-type.ts';
import { type SignatureAlgorithm, signatureAlgorithms } from './certificate/signature-algorithm.ts';

/** Something that can be offered to a server: a certificate with one algorithm, or a plain key. */
export interface Identity {
  /** What ssh2 takes for the key: its type is the algorithm of the request, its blob goes into it. */
  readonly offered: ParsedKey;
  /** For a certificate; ssh2 itself chooses for a plain key. */
  readonly algorithm: SignatureAlgorithm | undefined;
}

/** One for each algorithm to try. `key`: the certified key, of which the public half is enough. */
export function certificateIdentities(certificate: Certificate, key: ParsedKey): Identity[] {
  return signatureAlgorithms(certificate.plainType).map((algorithm) => ({
    algorithm,
    // ssh2 knows a parsed key by an inherited symbol, and asks it only for these two.
    offered: Object.create(key, {
      type: { value: certificateAlgorithm(algorithm.name), enumerable: true },
      getPublicSSH: { value: () => certificate.blob },
    }) as ParsedKey,
  }));
}

/** A public key blob as ssh2 takes it; undefined when its type is not supported. */
export function publicKeyForSsh2(blob: Buffer): ParsedKey | undefined {
  const parsed: ParsedKey | Error = ssh2.utils.parseKey(blob);
  return parsed instanceof Error ? undefined : parsed;
}

/** The pair must be one: a server would refuse it, and say no more than that. */
export function assertCertified(certificate: Certificate, key: ParsedKey): void {
  if (certificate.keyBlob.equals(key.getPublicSSH())) return;
  throw new TunnelError('cert_invalid', `the certificate is for another key (${certificate.keyFingerprint})`);
}
