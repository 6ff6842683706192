const SUFFIX = '-cert-v01@openssh.com';

/** Key types whose certificates are supported. FIDO keys need a touch, which a daemon cannot give. */
const CERTIFIABLE: ReadonlySet<string> = new Set([
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'ssh-rsa',
]);

/** The key type of a certificate type, e.g. `ssh-rsa`; undefined when the type is not supported. */
export function plainTypeOf(certificateType: string): string | undefined {
  if (!certificateType.endsWith(SUFFIX)) return undefined;
  const plain = certificateType.slice(0, -SUFFIX.length);
  return CERTIFIABLE.has(plain) ? plain : undefined;
}

/** Name of a signature algorithm in requests with a certificate, e.g. `rsa-sha2-512-cert-v01@openssh.com`. */
export function certificateAlgorithm(signatureAlgorithm: string): string {
  return `${signatureAlgorithm}${SUFFIX}`;
}

/** Whether a public blob has a certificate type, supported or not. */
export function isCertificateBlob(blob: Buffer): boolean {
  return blob.length >= 4 && blob.toString('latin1', 4, 4 + blob.readUInt32BE(0)).endsWith(SUFFIX);
}
