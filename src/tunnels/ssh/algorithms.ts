import type { Algorithms, ServerHostKeyAlgorithm } from 'ssh2';

/**
 * Our algorithms in SSH_MSG_KEXINIT (RFC 4253 section 7.1). No SHA-1, no CBC, no compression (which leaks lengths).
 * AES-GCM comes first: it is the fastest here and safe from the Terrapin attack (CVE-2023-48795). For the other
 * ciphers, ssh2 always offers strict key exchange. Last come those that appliances and old servers have, and RFC 9142 and
 * RFC 6668 recommend: group 14 with SHA-256, and HMAC-SHA-2 over the plain text.
 */
export function offer(serverHostKey: readonly ServerHostKeyAlgorithm[]): Algorithms {
  return {
    kex: [
      'curve25519-sha256',
      'curve25519-sha256@libssh.org',
      'ecdh-sha2-nistp256',
      'ecdh-sha2-nistp384',
      'ecdh-sha2-nistp521',
      'diffie-hellman-group16-sha512',
      'diffie-hellman-group18-sha512',
      'diffie-hellman-group14-sha256',
    ],
    serverHostKey: [...serverHostKey],
    cipher: [
      'aes128-gcm@openssh.com',
      'aes256-gcm@openssh.com',
      'chacha20-poly1305@openssh.com',
      'aes256-ctr',
      'aes128-ctr',
    ],
    hmac: ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com', 'hmac-sha2-256', 'hmac-sha2-512'],
    compress: ['none'],
  };
}
