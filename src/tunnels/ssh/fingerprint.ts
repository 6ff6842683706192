import { createHash } from 'node:crypto';

/** The SHA256 fingerprint of a public key blob (RFC 4253 section 6.6) as OpenSSH prints it: `SHA256:…`, unpadded base64. */
export function fingerprint(blob: Buffer): string {
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`;
}
