import type { ParsedKey } from 'ssh2';
import { TunnelError } from '../../base/errors.ts';
import type { Certificate } from './certificate/certificate.ts';
import { certificateAlgorithm } from './certificate/certificate-type.ts';
import { type SignatureAlgorithm, signatureAlgorithms } from './certificate/signature-algorithm.ts';
import { ssh2 } from './ssh2.ts';

/** An identity for a login: a certificate with one algorithm, or a plain key. */
export interface Identity {
  /** The key that ssh2 sees: its type is the algorithm of the request, its blob goes into the request. */
  readonly offered: ParsedKey;
  /** Set for a certificate; for a plain key ssh2 chooses. */
  readonly algorithm: SignatureAlgorithm | undefined;
}

/** One identity for each algorithm to try. `key`: the certified key; the public half is enough. */
export function certificateIdentities(certificate: Certificate, key: ParsedKey): Identity[] {
  return signatureAlgorithms(certificate.plainType).map((algorithm) => ({
    algorithm,
    // ssh2 recognises a parsed key by an inherited symbol, and uses only these two properties.
    offered: Object.create(key, {
      type: { value: certificateAlgorithm(algorithm.name), enumerable: true },
      getPublicSSH: { value: () => certificate.blob },
    }) as ParsedKey,
  }));
}

/** A public key blob as a key of ssh2; undefined when the type is not supported. */
export function publicKeyForSsh2(blob: Buffer): ParsedKey | undefined {
  const parsed: ParsedKey | Error = ssh2.utils.parseKey(blob);
  return parsed instanceof Error ? undefined : parsed;
}

/** Throws `cert_invalid` when the certificate is for another key: a server would reject it without a reason. */
export function assertCertified(certificate: Certificate, key: ParsedKey): void {
  if (certificate.keyBlob.equals(key.getPublicSSH())) return;
  throw new TunnelError('cert_invalid', `the certificate is for another key (${certificate.keyFingerprint})`);
}
