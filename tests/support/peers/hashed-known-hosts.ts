import { createHmac, randomBytes } from 'node:crypto';

/** The hosts field of a known_hosts line for one name, hashed as `ssh-keygen -H` writes. */
export function hashedName(name: string): string {
  const salt = randomBytes(20);
  return `|1|${salt.toString('base64')}|${createHmac('sha1', salt).update(name).digest('base64')}`;
}

/** Lines for this many hosts that nobody asks for, each hashed, with a key of 32 random bytes. */
export function hashedLines(count: number): string[] {
  return Array.from({ length: count }, (_, index) => {
    const blob = Buffer.concat([
      Buffer.from('0000000b', 'hex'),
      Buffer.from('ssh-ed25519'),
      Buffer.from('00000020', 'hex'),
    ]);
    const key = Buffer.concat([blob, randomBytes(32)]).toString('base64');
    return `${hashedName(`host${index}.example`)} ssh-ed25519 ${key}`;
  });
}
