import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { generateKey, type KeyFile, type KeyOptions, keygen } from './keys.ts';

export interface SigningOptions {
  role?: 'user' | 'host';
  /** Default: `atm-fleet-mesh`. */
  principals?: readonly string[];
  /** As for `ssh-keygen -V`; default: an hour from now. */
  validity?: string;
  /** As for `ssh-keygen -O`. */
  options?: readonly string[];
  keyId?: string;
  serial?: string;
  /** RSA only, e.g. `rsa-sha2-256`. */
  algorithm?: string;
}

export interface CertificateAuthority {
  readonly key: KeyFile;
  /** The line of the certificate for a public key. */
  sign(key: Pick<KeyFile, 'publicPath'>, options?: SigningOptions): string;
}

let signed = 0;

/** A CA in `directory`, made and run with ssh-keygen. */
export function makeCertificateAuthority(
  directory: string,
  name: string,
  keyOptions: KeyOptions = {},
): CertificateAuthority {
  const key = generateKey(join(directory, name), keyOptions);
  return {
    key,
    sign(subject, options = {}) {
      const {
        role = 'user',
        principals = ['atm-fleet-mesh'],
        validity = '+1h',
        keyId = 'test',
        serial = '1',
      } = options;
      const copy = join(directory, `signed-${++signed}`);
      copyFileSync(subject.publicPath, `${copy}.pub`);
      keygen(
        '-q',
        ...['-s', key.path, '-I', keyId, '-z', serial, '-V', validity],
        ...(principals.length === 0 ? [] : ['-n', principals.join(',')]),
        ...(role === 'host' ? ['-h'] : []),
        ...(options.algorithm === undefined ? [] : ['-t', options.algorithm]),
        ...(options.options ?? []).flatMap((option) => ['-O', option]),
        `${copy}.pub`,
      );
      return readFileSync(`${copy}-cert.pub`, 'utf8');
    },
  };
}
