import { createHash } from 'node:crypto';
import ssh2 from 'ssh2';

export interface EmbeddedKey {
  /** OpenSSH format. */
  readonly private: string;
  /** `ssh-ed25519 base64` */
  readonly public: string;
}

/** An ed25519 key pair without ssh-keygen. ssh2 makes one in 200 that it cannot read itself: those are thrown away. */
export function embeddedKey(): EmbeddedKey {
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync('ed25519');
    if (!(ssh2.utils.parseKey(pair.private) instanceof Error)) return { private: pair.private, public: pair.public };
  }
}

export function publicBlob(publicKey: string): Buffer {
  return Buffer.from(publicKey.split(' ')[1] ?? '', 'base64');
}

/** As OpenSSH prints it. */
export function fingerprintOf(publicKey: string): string {
  return `SHA256:${createHash('sha256').update(publicBlob(publicKey)).digest('base64').replace(/=+$/, '')}`;
}
